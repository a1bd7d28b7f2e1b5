//! nkeys, signed tokens in wasm modules, verification and the trust list: bytes in, claims out.
//!
//! [`verify()`] is the one way to a [`Verified`], and a `Verified` is what the rest of the host
//! asks for before it compiles anything. It checks, in this order: exactly one claims section, at
//! top level, last ([`section`]); the token's form and signature ([`token`]); the hash over every
//! other byte ([`hash`]); the time window; revocations and the trust list ([`trust`]). [`sign()`]
//! writes what it reads, and [`inspect()`] says for people which of these checks hold. The token of
//! a provider that comes as an archive goes the same way to a [`VerifiedProvider`] ([`provider`]).
//! Tokens of another kind are shown by users of a host's admin API ([`bearer`]).
//!
//! The formats are wascap's (sections `jwt` and `wasmcloud_jwt`, revisions up to 3, and the flat
//! layout of 2019), so modules signed by waSCC and wasmCloud tools verify here and ours verify
//! there. Where wascap is lenient, this crate is not: a low or missing revision never skips the
//! hash, and a second, nested or early claims section is refused.
//!
//! **Deliberately absent:** WebAssembly beyond the framing of its sections, files, keystores, what
//! a capability means, and the wall clock (it is a [`Clock`] that the caller brings).

pub mod actor;
pub mod bearer;
pub mod clock;
pub mod error;
pub mod hash;
pub mod inspect;
mod json;
pub mod nkey;
pub mod provider;
pub mod section;
pub mod sign;
pub mod token;
pub mod trust;
pub mod verify;

pub use actor::{ActorClaims, normalize_alias};
pub use bearer::{Bearer, BearerRules, BearerTerms, Scope, check_bearer, issue_bearer};
pub use clock::{Clock, FixedClock, SystemClock};
pub use error::ClaimsError;
pub use inspect::{Check, Inspection, inspect};
pub use nkey::{KeyKind, KeyPair, PublicKey, Seed};
pub use provider::{ProviderInspection, VerifiedProvider, inspect_provider, verify_provider};
pub use sign::{ClaimsDraft, sign};
pub use token::Token;
pub use trust::{StaleTrust, TrustList, TrustStore, Unsigned};
pub use verify::{Verified, unsigned_key, verify};
