//! `trellis:config`: the settings of an actor, from its entry in the manifest.
//!
//! The host binds every actor that claims the contract, with the `values` of the actor itself; a
//! binding written by hand may add its own, which win.
//!
//! **Deliberately absent:** any meaning of a key. What a value is for is the actor's business.

mod provider;

pub use provider::{Config, Factory};
