//! When it is time to say that claims end, and how.

use trellis_claims::ActorClaims;
use trellis_core::date::Date;

/// What to do about it.
pub(crate) const CURE: &str =
    "sign it again with a later `--expires`; a running host takes the new file by itself";

/// When these claims end, if that is to be said by now.
pub(crate) fn ends_soon(claims: &ActorClaims, now_unix_s: u64) -> Option<u64> {
    claims.ends_soon_from().filter(|from| *from <= now_unix_s).and(claims.expires)
}

/// The same text as long as it lasts, for whoever compares.
pub(crate) fn sentence(end_unix_s: u64) -> String {
    format!("end on {}", Date::of_unix_s(end_unix_s))
}
