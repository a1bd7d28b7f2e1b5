//! When it is time to say that claims end, and how.

use trellis_core::date::Date;

/// What to do about it.
pub(crate) const CURE: &str =
    "sign it again with a later `--expires`; a running host takes the new file by itself";

/// When claims end that end at `expires`, if that is to be said from `notice_from` on, and so by
/// now. All in seconds since 1970.
pub(crate) fn ends_soon(
    notice_from: Option<u64>,
    expires: Option<u64>,
    now_unix_s: u64,
) -> Option<u64> {
    notice_from.filter(|from| *from <= now_unix_s).and(expires)
}

/// The same text as long as it lasts, for whoever compares.
pub(crate) fn sentence(end_unix_s: u64) -> String {
    format!("end on {}", Date::of_unix_s(end_unix_s))
}
