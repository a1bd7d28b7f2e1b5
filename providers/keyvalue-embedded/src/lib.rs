//! `wascc:keyvalue` in the host itself: a crash-safe file or memory, nothing to install.
//!
//! Without a `PATH` the keys live in memory: sharded maps, so that an operation takes a lock, a
//! look-up and no await. With a `PATH` they live in one redb file. One thread writes it: it takes
//! all the changes that wait, commits them in one transaction, and answers each after the commit;
//! many callers share one `fsync`. What was answered survives the death of the process and, with
//! `DURABILITY: immediate`, of the machine. A disk that is full or fails costs the changes of that
//! moment (`E_STORAGE`); the file is opened again by itself, and nothing half-written is visible.
//!
//! An actor sees only its own keys, unless its binding names a `NAMESPACE`; bindings that name the
//! same one share it.
//!
//! **Deliberately absent:** replication, quotas for single actors, and a bound on the size of the
//! file: its disk is the bound. Operations over keys of several namespaces.

mod clock;
mod file;
mod memory;
mod metrics;
mod number;
mod provider;
mod refusal;
mod settings;
mod space;
mod span;

pub use clock::{Clock, SystemClock};
pub use provider::{Embedded, Factory};
