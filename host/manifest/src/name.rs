//! Names that are no part of a text.

use crate::form::NAME_BYTES_MAX;

/// What is wrong with a name that is no part of a text: empty, too long, or not printable. As the
/// rest of a sentence.
#[must_use]
pub fn wrong_name(name: &str) -> Option<String> {
    match name {
        _ if name.trim().is_empty() => Some("must not be empty".to_owned()),
        _ if name.len() > NAME_BYTES_MAX => {
            Some(format!("has {} bytes; the most allowed is {NAME_BYTES_MAX}", name.len()))
        }
        _ if name.chars().any(char::is_control) => {
            Some("must be text without control characters".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_as_a_manifest_may_have_it() {
        assert_eq!(wrong_name("counter-1 of Ada"), None);
        for wrong in ["", " ", "a\nb", &"a".repeat(NAME_BYTES_MAX + 1)] {
            assert!(wrong_name(wrong).is_some(), "{wrong}");
        }
    }
}
