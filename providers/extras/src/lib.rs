//! `wascc:extras`: GUIDs, sequences and random numbers.
//!
//! Ids and random numbers come from the operating system's cryptographic source. A sequence belongs
//! to one binding: it begins with 1 when the actor is bound, goes on when the binding's values
//! change, and is forgotten when the actor is unbound.
//!
//! **Deliberately absent:** sequences that outlive the host (count in `wascc:keyvalue` instead),
//! and anything to configure.

mod generator;
mod provider;

pub use provider::{Extras, Factory};
