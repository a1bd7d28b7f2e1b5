//! Signed tokens: header, claims and signature, each base64url without padding, joined by dots.
//!
//! The form is a JWT's, the algorithm is Ed25519 under an nkey, and the header reads
//! `{"typ":"jwt","alg":"Ed25519"}` (RFC 9864; `EdDSA` of RFC 8037 is read too). The header is
//! compared here because JWT libraries cannot name `Ed25519`, and so that nothing but these two
//! algorithms can ever be asked for.

mod form;
mod kind;
mod kinds;
mod read;
mod standard;
mod write;

pub use form::{REVISION, TOKEN_BYTES_MAX};
pub use kind::Kind;
pub use kinds::{Account, Cluster, Host, Invocation, Operator, Provider};
pub use read::Token;
pub use standard::Standard;
pub use write::{Terms, issue};

pub(crate) use form::{check_hash, check_text};
pub(crate) use read::{Parts, decode_object};
pub(crate) use standard::{check_window, notice_from};
