//! `trellis:clock`: the clocks of the host.
//!
//! **Deliberately absent:** anything to configure, and clocks that can be set.

mod provider;

pub use provider::{Clock, Factory};
