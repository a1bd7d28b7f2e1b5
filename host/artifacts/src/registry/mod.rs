//! Speaking to registries, as the OCI distribution specification has it.
//!
//! A registry is a peer that may be down, slow or hostile: every answer has a deadline and a bound,
//! everything that has a digest is hashed, and credentials go to the registry they are for and to
//! where it says that tokens are given, nowhere else.

mod challenge;
pub(crate) mod http;
pub(crate) mod login;
pub(crate) mod manifest;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod session;
