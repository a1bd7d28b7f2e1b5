//! End-to-end scenarios as data: what a whole host does, as its users see it.
//!
//! A scenario is a list of [`Step`]s: put actors and a manifest in place, start the host, send it
//! HTTP requests, break something, check responses, metrics, log and exit code. [`run()`] runs the
//! steps against the real `host` binary. The scenarios are in `tests/scenarios`. The hostile guests
//! they use are in [`hostile`], and `tests/soak.rs` runs all of those on one host; guests of older
//! forms of waPC are in [`forms`], and a provider that asks another one in [`relay`].
//!
//! **Deliberately absent:** details that a user does not see. The rules of a crate are tested in
//! that crate.

mod actor;
mod archive;
pub mod forms;
pub mod hostile;
mod load;
pub mod relay;
mod run;
pub mod slow;
mod step;

pub use actor::{ActorFile, Flaw, actor, provider};
pub use archive::{ArchiveFile, archive};
pub use load::Load;
pub use run::run;
pub use step::{Change, Disk, Redis, Request, Step, app, get, post};
