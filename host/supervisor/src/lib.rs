//! Lifecycle: which actors, providers and bindings run, and how one set becomes another.
//!
//! [`prepare()`] checks a manifest against the modules and providers it names and gives a
//! [`Prepared`], the only thing that can be applied. One owner task holds what runs, turns the
//! difference into steps, and publishes what changed: first the new is started, then the routes
//! and entitlements are published, then the old is drained.
//!
//! **Deliberately absent:** files' formats, sockets, signals, the road of a call. This crate never
//! stands on the road: it publishes snapshots that the road reads.

mod actor;
mod applied;
mod apply;
mod command;
mod health;
mod metrics;
mod owner;
mod prepare;
mod provider;
mod supervisor;
mod world;

pub use applied::{Applied, Fault};
pub use command::{Sampler, Status};
pub use metrics::Metrics;
pub use prepare::{Ground, Prepared, prepare};
pub use supervisor::Supervisor;
