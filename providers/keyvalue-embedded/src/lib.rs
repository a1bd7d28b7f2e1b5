//! `wascc:keyvalue` in the host itself: a crash-safe file or memory, nothing to install.
//!
//! Without a `PATH` the keys live in memory: sharded maps, so that an operation takes a lock, a
//! look-up and no await. With a `PATH` they live in one redb file. One thread writes it: it takes
//! all the changes that wait, commits them in one transaction, and answers each after the commit;
//! many callers share one `fsync`. What was answered survives the death of the process and, with
//! `DURABILITY: immediate`, of the machine. A disk that is full or fails costs the changes of that
//! moment (`E_STORAGE`); the file is opened again by itself, and nothing half-written is visible.
//! What grows the file leaves room in it for changes that free space, and those are carried out by
//! themselves when others find no room. On a disk without a single free block even that room may be
//! a part of the file that the disk has not given yet, so some blocks of the disk are set aside.
//!
//! Providers of one process that name the same file, by whatever path, share it: one database, one
//! writer. Each may have its own durability and limits, so that changing those is no reason to
//! close the file.
//!
//! Operations over many elements work piece by piece (`memory/pieces.rs`) or beside the writer
//! (`file/view.rs`), within bounds, and end when nobody waits for them any more.
//!
//! **Deliberately absent:** replication, quotas for single actors, and operations over keys of
//! several namespaces.

mod arguments;
mod clock;
mod data;
mod file;
mod memory;
mod metrics;
mod namespace;
mod number;
mod provider;
mod refusal;
mod settings;
mod store;

pub use clock::{Clock, SystemClock};
pub use provider::{Embedded, Factory};
