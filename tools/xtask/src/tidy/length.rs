//! How long files are, tests apart.

use syn::spanned::Spanned;
use syn::{Item, ItemMod};

use super::test_code::{is_for_tests, is_test_file};
use crate::report::Problem;

/// Most lines of a source file.
const LINES_MAX: usize = 400;
/// Half of the source files have no more lines than this.
const MEDIAN_LINES_MAX: usize = 150;
/// What the first lines of a generated file say; nobody writes its lines.
const GENERATED: &str = "by `cargo xtask generate`; do not edit";

/// Lines of a Rust file, its test modules left out; `None` for a file that is all tests or
/// generated.
pub(super) fn lines(path: &str, text: &str) -> Option<usize> {
    let mut head = text.lines().take_while(|line| line.starts_with("//!"));
    if is_test_file(path) || head.any(|line| line.contains(GENERATED)) {
        return None;
    }
    let items = syn::parse_file(text).map(|file| file.items).unwrap_or_default();
    let tests: usize = items.iter().map(test_lines).sum();
    Some(text.lines().count() - tests)
}

/// Every file that is too long, and whether most of them are.
pub(super) fn check(files: &[(String, usize)]) -> Vec<Problem> {
    let long = files.iter().filter(|(_, lines)| *lines > LINES_MAX).map(|(path, lines)| {
        let message = format!("{lines} lines, tests apart; at most {LINES_MAX}: split it by noun");
        Problem::new(path, 0, message)
    });
    let mut lengths: Vec<usize> = files.iter().map(|(_, lines)| *lines).collect();
    lengths.sort_unstable();
    let median = lengths.get(lengths.len() / 2).filter(|median| **median > MEDIAN_LINES_MAX);
    let median = median.map(|median| {
        let message =
            format!("half of them have {median} lines and more; at most {MEDIAN_LINES_MAX}");
        Problem::new("source files", 0, message)
    });
    long.chain(median).collect()
}

fn test_lines(item: &Item) -> usize {
    match item {
        Item::Mod(ItemMod { attrs, .. }) if is_for_tests(attrs) => {
            item.span().end().line - item.span().start().line + 1
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(lines: usize) -> String {
        format!("fn long() {{\n{}}}\n", "    step();\n".repeat(lines - 2))
    }

    fn messages(lengths: &[usize]) -> Vec<String> {
        let files: Vec<_> = lengths.iter().map(|lines| ("a.rs".to_owned(), *lines)).collect();
        check(&files).iter().map(Problem::to_string).collect()
    }

    #[test]
    fn test_modules_do_not_count_as_length() {
        let code = function(10);
        let text = format!("{code}\n#[cfg(test)]\nmod tests {{\n{code}}}\n");
        assert_eq!(lines("src/a.rs", &text), Some(11));
        assert_eq!(lines("src/a.rs", &code), Some(10));
        assert_eq!(lines("tests/a.rs", "fn a() {}\n"), Some(1));
        assert_eq!(lines("host/engine/tests/a.rs", "fn a() {}\n"), None);
        assert_eq!(lines("src/a.rs", &format!("//! Made {GENERATED}.\n{code}")), None);
        assert_eq!(lines("src/a.rs", &format!("//! Makes.\n{code}// {GENERATED}")), Some(12));
    }

    #[test]
    fn a_long_file_is_refused() {
        assert!(messages(&[LINES_MAX, 1, 2]).is_empty());
        assert_eq!(
            messages(&[LINES_MAX + 1, 1, 2]),
            ["a.rs: 401 lines, tests apart; at most 400: split it by noun"]
        );
    }

    #[test]
    fn many_files_of_some_length_are_refused() {
        assert!(messages(&[1, MEDIAN_LINES_MAX, 300]).is_empty());
        assert_eq!(
            messages(&[1, MEDIAN_LINES_MAX + 1, 300]),
            ["source files: half of them have 151 lines and more; at most 150"]
        );
    }
}
