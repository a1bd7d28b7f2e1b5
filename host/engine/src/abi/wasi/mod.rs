//! A closed WASI for guests that import it: no folders, no arguments, no environment, no sockets;
//! output goes to the actor's log; clocks and randomness work.
//!
//! Both generations are served, `wasi_snapshot_preview1` and `wasi_unstable`. Sleeping guests wait
//! like guests in a host call: the deadline ends them.

mod imports;
mod instance;
mod link;
mod recognize;

pub(crate) use instance::{HasWasi, context, exit_status};
pub(crate) use link::link;
pub(crate) use recognize::{Catalog, is_imported};
