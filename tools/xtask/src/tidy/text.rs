//! Rules for every text file: white space, line length, forbidden words.

use crate::report::Problem;

/// Longest line of Rust, in columns, without the text between quotes: nobody finds a message that
/// is broken in two.
const COLUMNS_MAX: usize = 100;

/// Words that mean "not finished" or "from my machine". They are written in halves, so this file
/// passes.
const FORBIDDEN: [(&str, &str); 9] = [
    (concat!("TO", "DO"), "finish it or delete it; a plan belongs to an issue"),
    (concat!("FIX", "ME"), "fix it; a known bug belongs to an issue"),
    (concat!("XX", "X"), "say what is meant"),
    (concat!("unimplemented", "!"), "no stubs"),
    (concat!("todo", "!("), "no stubs"),
    (concat!("dbg", "!("), "use tracing"),
    (concat!("/ho", "me/"), "a path of one person's machine"),
    (concat!("/Use", "rs/"), "a path of one person's machine"),
    (concat!("/ro", "ot/"), "a path of one person's machine"),
];

/// Files that are not written by hand.
const NOT_OURS: [&str; 3] = ["LICENSE", ".lock", ".par"];
/// Folders with test inputs, whose bytes must not change.
const INPUTS: &str = "/seeds/";

/// Every rule that this text breaks.
pub(super) fn check(path: &str, text: &str) -> Vec<Problem> {
    if !is_ours(path) {
        return Vec::new();
    }
    let mut problems = Vec::new();
    let rust = path.ends_with(".rs");
    for (index, line) in text.split('\n').enumerate() {
        let mut report = |message: String| problems.push(Problem::new(path, index + 1, message));
        if line.ends_with([' ', '\t', '\r']) {
            report("white space at the end of the line".to_owned());
        }
        if rust && columns(line) > COLUMNS_MAX {
            report(format!("longer than {COLUMNS_MAX} columns outside quotes"));
        }
        for (word, why) in FORBIDDEN {
            if contains_word(line, word) {
                report(format!("`{word}`: {why}"));
            }
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        problems.push(Problem::new(path, 0, "no newline at the end of the file"));
    }
    if text.ends_with("\n\n") {
        problems.push(Problem::new(path, 0, "empty lines at the end of the file"));
    }
    problems
}

/// True for a file that the rules apply to.
pub(super) fn is_ours(path: &str) -> bool {
    !path.contains(INPUTS) && !NOT_OURS.iter().any(|name| path.ends_with(name))
}

/// The columns of a line without its quoted texts and URLs.
fn columns(line: &str) -> usize {
    if line.chars().count() <= COLUMNS_MAX {
        return 0;
    }
    let mut count = 0;
    let mut quoted = false;
    let mut before = ' ';
    for character in line.chars() {
        if character == '"' && before != '\\' {
            quoted = !quoted;
        }
        count += usize::from(!quoted);
        before = character;
    }
    let addresses = line.split_whitespace().filter(|word| word.contains("://"));
    count.saturating_sub(addresses.map(str::len).sum())
}

/// True when the line contains the word by itself, not as part of a longer one.
fn contains_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let inside = |neighbor: Option<char>| neighbor.is_some_and(char::is_alphanumeric);
        let starts_as_word = word.starts_with(char::is_alphanumeric);
        let ends_as_word = word.ends_with(char::is_alphanumeric);
        !(starts_as_word && inside(before) || ends_as_word && inside(after))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        check(path, text).into_iter().map(|problem| problem.to_string()).collect()
    }

    #[test]
    fn white_space_is_seen() {
        assert_eq!(
            messages("a.md", "one \ntwo\t\nthree"),
            [
                "a.md:1: white space at the end of the line",
                "a.md:2: white space at the end of the line",
                "a.md: no newline at the end of the file",
            ]
        );
        assert_eq!(messages("a.md", "one\n\n"), ["a.md: empty lines at the end of the file"]);
        assert!(messages("a.md", "one\n").is_empty());
    }

    #[test]
    fn long_code_is_refused_and_long_messages_are_not() {
        let code = format!("let {} = 1;\n", "x".repeat(100));
        assert_eq!(messages("a.rs", &code).len(), 1);
        let message = format!("    say(\"{}\");\n", "x".repeat(200));
        assert!(messages("a.rs", &message).is_empty());
        let address = format!("/// See https://example.org/{}\n", "x".repeat(100));
        assert!(messages("a.rs", &address).is_empty());
        assert!(messages("a.md", &code).is_empty(), "prose is not measured");
    }

    #[test]
    fn unfinished_words_are_refused() {
        let unfinished = format!("// {}: later\n", concat!("TO", "DO"));
        assert_eq!(messages("a.rs", &unfinished).len(), 1);
        let longer = format!("let x = {}LIST;\n", concat!("TO", "DO"));
        assert!(messages("a.rs", &longer).is_empty(), "a part of a longer word is fine");
        let home = format!("see {}ann/notes\n", concat!("/ho", "me/"));
        assert_eq!(messages("a.md", &home).len(), 1);
    }
}
