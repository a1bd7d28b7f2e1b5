//! One behavior suite per contract, run against every provider of it.
//!
//! A suite is a list of named cases over the object-safe `Provider` trait: what it sends are the
//! bytes an actor would send, so it checks the wire form along with the behavior. A provider's
//! tests make a provider, hand it over and run the suite; a case that fails panics with its name.
//!
//! [`redis`] starts a real Redis for the providers that need one.
//!
//! **Deliberately absent:** what only one provider promises (a file that survives a crash, a server
//! that comes back): that is tested beside that provider. And any way to pass by skipping.

#![allow(clippy::missing_panics_doc, reason = "a suite speaks by panicking")]

pub mod redis;
pub mod suite;

// -- generated from the folders here by `cargo xtask generate`; do not edit --
pub mod clock;
pub mod config;
pub mod extras;
pub mod http_server;
pub mod keyvalue;
pub mod logging;
pub mod random;
// -- end of generated --
