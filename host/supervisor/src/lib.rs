//! Lifecycle: which actors, providers and bindings run, and how one set becomes another.
//!
//! [`prepare()`] checks a manifest against the modules and providers it names and gives a
//! [`Prepared`], the only thing that can be applied. What is wanted and what runs are two values;
//! the difference is a list of [steps](trellis_control::Step), which [`dry_run`] shows and a change
//! carries out: the new is made beside the old, one publish lets it take over, and the old
//! finishes aside. Steps that fail leave in place what they were to replace and are tried again.
//!
//! One owner task holds what is wanted and waits for nothing, so that a revocation, an expiry or a
//! stop acts at once, whatever is loading, draining or silent.
//!
//! **Deliberately absent:** files' formats, sockets, signals, the road of a call. This crate never
//! stands on the road: it publishes snapshots that the road reads, and what a call passes through
//! is in `trellis-targets`.

mod actual;
mod aliases;
mod aside;
mod border;
mod calls;
mod change;
mod command;
mod components;
mod data;
mod desired;
mod edits;
mod endings;
mod exchange;
mod expected;
mod expel;
mod expiring;
mod foresight;
mod health;
mod key;
mod left;
mod lifecycle;
mod metrics;
mod moving;
mod overview;
mod owner;
mod parked;
mod parted;
mod plan;
mod prepare;
mod progress;
mod publish;
mod reconciler;
mod release;
mod rename;
mod rest;
mod retire;
mod shared;
mod status;
mod stop;
mod superseded;
mod supervisor;
mod trust;
mod unserved;
mod warrant;
mod warrants;
mod witness;

pub use desired::ApplyOptions;
pub use edits::Allowances;
pub use foresight::Inherits;
pub use metrics::Metrics;
pub use plan::dry_run;
pub use prepare::{
    Archives, Came, Images, Kept, Lacks, LastRun, LastRuns, Meaning, Modules, Part, Parts,
    PrepareContext, Prepared, Rights, Stores, Warning, prepare,
};
pub use status::Status;
pub use supervisor::Supervisor;
pub use witness::Witness;
