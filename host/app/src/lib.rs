//! The composition root: the one place that names every part and puts them together.
//!
//! [`Host::build`] makes a host from its parts, [`run()`] gives it the life a user sees: read the
//! manifest, start, watch, drain. Everything at the rim is here: files, the environment, signals,
//! the log, the admin API and its client.
//!
//! **Deliberately absent:** decisions. What a manifest means, who may call whom, and what to start
//! or stop is decided by the crates below; this one only wires them.

mod admin;
mod announcer;
pub mod args;
mod aside;
mod asker;
pub mod cache;
mod calls;
mod children;
mod client;
mod command;
mod edits;
pub mod exit;
mod expiry;
mod failure;
mod feed;
mod guest_log;
mod host;
mod host_key;
mod identity;
mod life;
mod line_queue;
mod loading;
pub mod logging;
mod manifest;
pub mod message;
mod metrics;
mod output;
mod places;
mod process;
pub mod providers;
mod readiness;
mod reading;
mod record;
mod run;
mod running;
mod samples;
mod settings;
mod signals;
mod sockets;
mod state;
mod telemetry;
mod trust;
mod users;
mod watch;

pub use args::HostArgs;
pub use children::{COMPILE_COMMAND, LAUNCH_COMMAND, LaunchArgs, describe_program, launch};
pub use client::{AdminClient, ClientError, Followed, Following, SilentHost, hosts};
pub use command::{HostCommand, parse};
pub use exit::Exit;
pub use failure::Failure;
pub use host::{Host, HostConfig};
pub use output::{Form, Output};
pub use process::own_program;
pub use run::{run, run_to_exit};
