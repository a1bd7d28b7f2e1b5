//! The claims every kind of token has, and the time window among them.

use trellis_core::Code;
use trellis_core::date::{Date, span};

use crate::clock::{Clock, SKEW_S};
use crate::error::ClaimsError;
use crate::nkey::PublicKey;

/// The part of the life of claims that is its end: one of so many.
const NOTICE_PART: u64 = 10;
/// Most of it, in seconds: a week.
const NOTICE_MAX_S: u64 = 7 * 86_400;

/// The claims every kind of token has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standard {
    /// `iss`: the key that signed the token.
    pub issuer: PublicKey,
    /// `sub`: whom the token is about; a public key, except in an
    /// [`Invocation`](super::Invocation).
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

impl Standard {
    /// Checks the time window, give or take [`SKEW_S`].
    ///
    /// # Errors
    /// `E_EXPIRED` from `exp` + skew on, `E_NOT_YET` until `nbf` - skew.
    pub fn check_time(&self, clock: &dyn Clock) -> Result<(), ClaimsError> {
        check_window(self.not_before, self.expires, clock)
    }

    /// The second since 1970 from which it should be said that these claims end soon, as
    /// [`ActorClaims::ends_soon_from`](crate::ActorClaims::ends_soon_from).
    #[must_use]
    pub fn ends_soon_from(&self) -> Option<u64> {
        notice_from(self.not_before.unwrap_or(self.issued_at), self.expires)
    }
}

/// From when it should be said that claims end soon which hold from `begin` on.
pub(crate) fn notice_from(begin: u64, expires: Option<u64>) -> Option<u64> {
    let end = expires?;
    let life_s = end.saturating_sub(begin);
    Some(end.saturating_sub((life_s / NOTICE_PART).min(NOTICE_MAX_S)))
}

/// Checks a time window, give or take [`SKEW_S`].
pub(crate) fn check_window(
    not_before: Option<u64>,
    expires: Option<u64>,
    clock: &dyn Clock,
) -> Result<(), ClaimsError> {
    let now = clock.now_unix_s();
    if let Some(end) = expires.filter(|end| now >= end.saturating_add(SKEW_S)) {
        let (date, ago) = (Date::of_unix_s(end), span(now - end));
        let sentence = format!("the claims expired at {date}, {ago} ago");
        return Err(ClaimsError::new(Code::Expired, sentence));
    }
    if let Some(start) = not_before.filter(|start| now.saturating_add(SKEW_S) < *start) {
        let (date, wait) = (Date::of_unix_s(start), span(start - now));
        let sentence = format!("the claims begin at {date}, in {wait}");
        return Err(ClaimsError::new(Code::NotYet, sentence));
    }
    Ok(())
}
