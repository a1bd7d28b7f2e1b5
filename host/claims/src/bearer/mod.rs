//! Bearer tokens: with one, a user of a host shows over the network who asks and what for.
//!
//! A token is a JWT of RFC 7519 with `"alg":"EdDSA"`, made and read by `jsonwebtoken`. Its issuer
//! is the user key (`U…`) that signed it, its audience the key of one host (`N…`), and its scope
//! one of [`Scope`]. It has to end. Unlike the tokens of modules it is not wascap's: other programs
//! make it with any JWT library.
//!
//! [`check_bearer`] is stricter than the library: no key stands twice, no header says what is not
//! known here, the clock is the caller's, and signatures are checked as everywhere in this crate.
//! Nothing is remembered of a token, so whoever has it may use it until it ends.

mod check;
mod crypto;
mod issue;
mod scope;

pub use check::{Bearer, BearerRules, check_bearer};
pub use issue::{BearerTerms, issue_bearer};
pub use scope::Scope;
