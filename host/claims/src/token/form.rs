//! What holds for the text of every token.

use crate::error::ClaimsError;

/// Longest token, in bytes: it is parsed before its signature is checked.
pub const TOKEN_BYTES_MAX: usize = 64 << 10;

/// The revision of the format this crate writes, wascap's newest.
pub const REVISION: u32 = 3;

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
