//! Compares what was printed with what a document shows.

/// The first expected line that the output does not contain in its place; `None` when all are
/// there.
pub(super) fn missing<'a>(expected: &'a [String], output: &str) -> Option<&'a str> {
    let mut lines = output.lines().map(clean);
    let found = |pattern: &str| lines.any(|line| fits(pattern.trim(), line.trim()));
    let mut found = found;
    expected.iter().find(|pattern| !found(pattern)).map(String::as_str)
}

/// True when the line contains the pattern, in which `…` matches any text.
fn fits(pattern: &str, line: &str) -> bool {
    let mut rest = line;
    pattern.split('…').all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

/// The line without terminal colors.
fn clean(line: &str) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            kept.push(character);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(expected: &[&str]) -> Vec<String> {
        expected.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn lines_are_found_in_order_with_others_between() {
        assert_eq!(missing(&lines(&["one", "three"]), "one\ntwo\nthree\n"), None);
        assert_eq!(missing(&lines(&["three", "one"]), "one\ntwo\nthree\n"), Some("one"));
        assert_eq!(missing(&lines(&["one", "one"]), "one\n"), Some("one"));
        assert_eq!(missing(&[], ""), None);
    }

    #[test]
    fn dots_stand_for_anything() {
        assert_eq!(missing(&lines(&["key A… made"]), "key ABC made\n"), None);
        assert_eq!(missing(&lines(&["…"]), "x\n"), None);
        assert_eq!(missing(&lines(&["a…b"]), "b a\n"), Some("a…b"));
    }

    #[test]
    fn colors_are_left_out() {
        assert_eq!(missing(&lines(&["red text"]), "\u{1b}[31mred\u{1b}[0m text\n"), None);
    }
}
