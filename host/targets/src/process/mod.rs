//! Providers that are processes of their own, as the host sees them.
//!
//! [`Processes`] finds out what a command is, by starting it and listening to its hello; the
//! factory it gives makes providers of it. What they say to each other is
//! [`trellis_providers_sdk::process`]'s affair.

mod check;
mod command;
mod counted;
mod door;
mod factory;
mod heard;
mod keeper;
mod launcher;
mod log;
mod provider;
mod session;
mod started;
mod watcher;

pub use command::{ProcessCommand, ProcessLimits, Unstartable};
pub use factory::Processes;
pub use launcher::{Launcher, launcher_main};
