//! Texts of others, made fit to be shown.

/// Text of at most that many bytes, without what moves a cursor.
pub(crate) fn shown(text: &str, bytes_max: usize) -> String {
    let cut = text.floor_char_boundary(bytes_max);
    let spelled = |letter: char| if letter.is_control() { ' ' } else { letter };
    text[..cut].chars().map(spelled).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_short_line() {
        assert_eq!(shown("one\ntwo\u{1b}[2J", 100), "one two [2J");
        assert_eq!(shown("äää", 3), "ä");
    }
}
