//! What end-to-end tests are made of: real servers on free ports, hosts as processes and in this
//! process, signed actors, a plain HTTP client.
//!
//! A test makes a [`Site`] (a folder with keys of its own), puts actors and a manifest into it, and
//! starts a [`HostProcess`] there. Everything waits for events with a deadline ([`PATIENCE`]) and
//! nothing sleeps; what was started is killed when its value is dropped.
//!
//! It is for tests, so whatever is missing on the machine or goes wrong here is a panic that says
//! what to do. What a *host* does is always a value: tests judge it.
//!
//! **Deliberately absent:** what a host should do (`trellis-e2e` says that), and mocks: the host is
//! the real binary, Redis is Redis.

mod account;
mod binary;
mod disk;
pub mod guests;
mod host;
mod http;
mod in_process;
mod lines;
mod site;
mod wait;
mod wrap;

pub use account::{Account, now_unix_s};
pub use binary::host_binary;
pub use disk::SmallDisk;
pub use host::{Ended, HostProcess, run_to_end};
pub use http::{Client, Response};
pub use in_process::host_of;
pub use lines::Lines;
pub use site::Site;
pub use trellis_providers_conformance::redis;
pub use wait::{PATIENCE, eventually};
pub use wrap::after;

pub use rustix::process::Signal;

/// Sends a signal to a process of this test.
pub fn signal(process_id: u32, signal: Signal) {
    let pid = i32::try_from(process_id).ok().and_then(rustix::process::Pid::from_raw);
    let pid = pid.expect("a process id is a positive number");
    rustix::process::kill_process(pid, signal).expect("the process is our own and not reaped yet");
}
