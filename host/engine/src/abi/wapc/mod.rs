//! The waPC ABI: eight host functions, one guest function, all numbers 32 bits.
//!
//! Source: the `wapc` crate's names and section 2 of the design's `wire.md`.

mod dialect;
mod host_call;
mod imports;
mod instance;
mod link;
mod memory;
mod names;
mod recognize;
mod state;

pub(crate) use dialect::Dialect;
pub(crate) use instance::Instance;
pub(crate) use link::{Linked, Linkers};
pub(crate) use recognize::{Form, recognize};
