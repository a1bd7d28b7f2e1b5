//! The parts of end-to-end tests: real servers on free ports, hosts as processes and in this
//! process, signed actors, a plain HTTP client.
//!
//! A test makes a [`Site`] (a folder with its own keys), puts actors and a manifest into it, and
//! starts a [`HostProcess`] there. Everything waits for events with a deadline ([`PATIENCE`]), and
//! nothing sleeps. A process is killed when its value is dropped.
//!
//! This crate is for tests: when something is missing on the machine or goes wrong here, it panics
//! with a message that says what to do. What a *host* does is always returned, for the test to
//! check.
//!
//! **Deliberately absent:** what a host should do, which is in `trellis-e2e`; and mocks: the host
//! is the real binary, Redis is a real Redis, and a registry is Debian's.

mod account;
mod binary;
mod disk;
pub mod guests;
mod host;
mod http;
mod in_process;
mod lines;
mod registry;
mod signal;
mod site;
mod wait;
mod wrap;

pub use account::{Account, now_unix_s};
pub use binary::{example_program, host_binary};
pub use disk::SmallDisk;
pub use host::{Ended, HostProcess, run_to_end};
pub use http::{Client, Response};
pub use in_process::host_of;
pub use lines::Lines;
pub use registry::{DockerRegistry, REGISTRY_PASSWORD, REGISTRY_USER};
pub use signal::{Signal, signal};
pub use site::Site;
pub use trellis_providers_conformance::redis;
pub use wait::{PATIENCE, eventually};
pub use wrap::after;
