//! What an actor wrote, made fit for one line of a log.

use std::borrow::Cow;
use std::fmt::Write;

/// What stands where a text was cut.
const CUT: &str = "…";

/// `text` on one line of at most `bytes_max` bytes and a mark where it was cut: control characters
/// and the marks that change the direction of text are escaped. True when it was cut.
pub(crate) fn one_line(text: &str, bytes_max: usize) -> (Cow<'_, str>, bool) {
    if text.len() <= bytes_max && !text.chars().any(must_be_escaped) {
        return (Cow::Borrowed(text), false);
    }
    let mut line = String::with_capacity(text.len().min(bytes_max));
    for character in text.chars() {
        let whole = line.len();
        if must_be_escaped(character) {
            // Writing to a string cannot fail.
            let _ = write!(line, "{}", character.escape_default());
        } else {
            line.push(character);
        }
        if line.len() > bytes_max {
            line.truncate(whole);
            line.push_str(CUT);
            return (Cow::Owned(line), true);
        }
    }
    (Cow::Owned(line), false)
}

/// Control characters, line and paragraph separators, and the overrides of the direction of text.
fn must_be_escaped(character: char) -> bool {
    let separator = matches!(character, '\u{2028}' | '\u{2029}');
    let direction = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || separator || direction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_line_is_not_copied() {
        assert!(matches!(one_line("plain ü 🌱", 100), (Cow::Borrowed("plain ü 🌱"), false)));
    }

    #[test]
    fn nothing_can_look_like_another_line() {
        let (line, cut) = one_line("a\n{\"level\":\"ERROR\"}\r\t\u{1b}[31m\0\u{2028}\u{202e}", 100);
        assert_eq!(line, r#"a\n{"level":"ERROR"}\r\t\u{1b}[31m\u{0}\u{2028}\u{202e}"#);
        assert!(!cut);
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        assert_eq!(one_line("abcdef", 3), (Cow::Borrowed("abc…"), true));
        assert_eq!(one_line("üüü", 5), (Cow::Borrowed("üü…"), true));
        assert_eq!(one_line("ab\n\n", 5), (Cow::Borrowed("ab\\n…"), true));
        assert_eq!(one_line("abc", 3), (Cow::Borrowed("abc"), false));
    }
}
