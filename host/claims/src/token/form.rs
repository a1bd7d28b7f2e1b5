//! What holds for the text of every token.

use crate::error::ClaimsError;

/// Longest token, in bytes: it is parsed before its signature is checked.
pub const TOKEN_BYTES_MAX: usize = 64 << 10;

/// The revision of the format this crate writes, wascap's newest.
pub const REVISION: u32 = 3;

/// Refuses what is not SHA-256 as claims write it.
pub(crate) fn check_hash(what: &str, hash: &str) -> Result<(), ClaimsError> {
    let upper_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'A'..=b'F');
    if hash.len() == 64 && hash.bytes().all(upper_hex) {
        return Ok(());
    }
    Err(ClaimsError::token(format!("the claim `{what}` is not 64 upper-case hex digits")))
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
