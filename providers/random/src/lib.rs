//! `trellis:random`: random bytes from the operating system.
//!
//! **Deliberately absent:** anything to configure, and a generator of its own.

mod provider;

pub use provider::{Factory, Random};
