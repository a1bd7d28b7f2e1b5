//! Which texts count as numbers.

/// The number a text stands for, when the text is exactly how that number is written: no sign `+`,
/// no zeros in front, no blanks. The rule is Redis's, so that every provider agrees on it.
pub(crate) fn parse(text: &str) -> Option<i32> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let first = *digits.as_bytes().first()?;
    let plain = first.is_ascii_digit() && (first != b'0' || text == "0");
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn only_the_usual_form_is_a_number() {
        for number in [0, 1, -1, 10, i32::MAX, i32::MIN] {
            assert_eq!(parse(&number.to_string()), Some(number));
        }
        for text in ["", "-", "+1", "-0", "00", "01", "-01", " 1", "1 ", "1.0", "x", "2147483648"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
