//! End-to-end scenarios as data: what a whole host does, as its user sees it.
//!
//! A scenario is a list of [`Step`]s: put actors and a manifest in place, start the host, ask it
//! over HTTP, break something, look at answers, metrics, log and exit code. [`run()`] carries the
//! steps out against the real `host` binary. The scenarios themselves are in `tests/scenarios`; the
//! hostile guests they use are in [`hostile`], and `tests/soak.rs` throws all of them at one host.
//!
//! **Deliberately absent:** details below what a user sees. A rule of one crate is tested there.

mod actor;
pub mod hostile;
mod load;
mod run;
pub mod slow;
mod step;

pub use actor::{ActorFile, Flaw, actor};
pub use load::Load;
pub use run::run;
pub use step::{Change, Disk, Redis, Step, app, get, post};
