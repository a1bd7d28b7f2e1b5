//! Signed tokens: header, claims and signature, each base64url without padding, joined by dots.
//!
//! The form is a JWT's, the algorithm is Ed25519 under an nkey, and the header reads
//! `{"typ":"jwt","alg":"Ed25519"}` (RFC 9864; `EdDSA` of RFC 8037 is read too). The header is
//! compared here because JWT libraries cannot name `Ed25519`, and so that nothing but these two
//! algorithms can ever be asked for.

mod kinds;
mod read;
mod write;

use serde::Serialize;
use serde::de::DeserializeOwned;
use trellis_core::Code;

use crate::clock::{Clock, SKEW_S};
use crate::error::ClaimsError;
use crate::nkey::{KeyKind, PublicKey};

pub use kinds::{Account, Cluster, Host, Invocation, Operator, Provider};
pub use write::{Terms, issue};

pub(crate) use read::Parts;

/// Longest token, in bytes: it is parsed before anybody vouches for it.
pub const TOKEN_BYTES_MAX: usize = 64 << 10;

/// The revision of the format this crate writes, wascap's newest.
pub const REVISION: u32 = 3;

/// A token whose form and signature hold. Its time window and its issuer's standing are the
/// reader's to check.
#[derive(Clone, PartialEq, Debug)]
pub struct Token<K> {
    /// The claims every kind of token has.
    pub standard: Standard,
    /// The claims of this kind, from the `wascap` object.
    pub body: K,
}

/// The claims every kind of token has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standard {
    /// `iss`: the key that signed the token.
    pub issuer: PublicKey,
    /// `sub`: whom the token is about; a public key, except in an [`Invocation`].
    pub subject: String,
    /// `jti`: the token's own id.
    pub id: String,
    /// `iat`: when it was signed, in seconds since 1970.
    pub issued_at: u64,
    /// `exp`: when it ends, in seconds since 1970; `None` is never.
    pub expires: Option<u64>,
    /// `nbf`: when it begins, in seconds since 1970; `None` is at once.
    pub not_before: Option<u64>,
    /// `wascap_revision`: `None` before wascap 0.10. It never relaxes a check.
    pub revision: Option<u32>,
}

/// What tells the kinds of token apart.
pub trait Kind: Serialize + DeserializeOwned {
    /// The kind's name in messages.
    const NAME: &'static str;
    /// The kinds of key that may sign it.
    const ISSUERS: &'static [KeyKind];
    /// The kinds of key it may be about; empty when the subject is no key.
    const SUBJECTS: &'static [KeyKind];
    /// True when the layout of 2019, with the body's fields at top level, exists for this kind.
    const FLAT: bool = false;

    /// Checks what the types alone cannot.
    ///
    /// # Errors
    /// `E_TOKEN` with what is wrong.
    fn check(&self) -> Result<(), ClaimsError> {
        Ok(())
    }
}

impl<K: Kind> Token<K> {
    /// Reads a token and checks its form, the kinds of its keys, and its signature.
    ///
    /// # Errors
    /// `E_TOKEN` for the form, `E_KEY` for a key, `E_SIGNATURE` when the issuer did not sign it.
    pub fn decode(text: &str) -> Result<Self, ClaimsError> {
        let parts = Parts::split(text.as_bytes())?;
        let token = parts.read()?;
        parts.check_signature(&token.standard.issuer)?;
        Ok(token)
    }
}

impl Standard {
    /// Checks the time window, give or take [`SKEW_S`].
    ///
    /// # Errors
    /// `E_EXPIRED` from `exp` + skew on, `E_NOT_YET` until `nbf` - skew.
    pub fn check_time(&self, clock: &dyn Clock) -> Result<(), ClaimsError> {
        check_window(self.not_before, self.expires, clock)
    }
}

/// Checks a time window, give or take [`SKEW_S`].
pub(crate) fn check_window(
    not_before: Option<u64>,
    expires: Option<u64>,
    clock: &dyn Clock,
) -> Result<(), ClaimsError> {
    let now = clock.now_unix_s();
    if let Some(end) = expires.filter(|end| now >= end.saturating_add(SKEW_S)) {
        let ago = now - end;
        return Err(ClaimsError::new(Code::Expired, format!("the claims expired {ago} s ago")));
    }
    if let Some(start) = not_before.filter(|start| now.saturating_add(SKEW_S) < *start) {
        let wait = start - now;
        return Err(ClaimsError::new(Code::NotYet, format!("the claims begin in {wait} s")));
    }
    Ok(())
}

/// Refuses text that would forge lines or colors wherever a name is shown.
pub(crate) fn check_text<'a>(
    what: &str,
    texts: impl IntoIterator<Item = &'a str>,
) -> Result<(), ClaimsError> {
    if texts.into_iter().any(|text| text.chars().any(char::is_control)) {
        return Err(ClaimsError::token(format!("`{what}` has control characters")));
    }
    Ok(())
}
