//! Every memory ordering is explained in the file that uses it.
//!
//! Whether `Relaxed` is enough, or what needs `Acquire`, `Release`, `AcqRel` or `SeqCst`, cannot be
//! seen from the line that says so: it depends on what other threads read. So a comment names the
//! ordering and gives the reason.

use super::test_code::is_test_file;
use crate::report::Problem;

const ORDERINGS: [&str; 5] = ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"];

/// Each ordering that the file uses outside of tests and that none of its comments names.
pub(super) fn check(path: &str, text: &str) -> Vec<Problem> {
    let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    if is_test_file(path) || !code.to_ascii_lowercase().contains("atomic") {
        return Vec::new();
    }
    let (mut used, mut explained) = (Vec::new(), String::new());
    for (line, number) in code.lines().zip(1..) {
        let (code, comment) = line.split_once("//").unwrap_or((line, ""));
        explained = explained + comment + " ";
        used.extend(words(code).map(|word| (word, number)));
    }
    let first_use = |ordering: &&str| used.iter().find(|(word, _)| word == ordering).copied();
    let unexplained =
        ORDERINGS.iter().filter(|ordering| !words(&explained).any(|w| w == **ordering));
    let problem = |(ordering, line)| {
        let message = format!(
            "no comment of this file names `{ordering}`: say beside the atomic why it is right"
        );
        Problem::new(path, line, message)
    };
    unexplained.filter_map(first_use).map(problem).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    const USE: &str = "use std::sync::atomic::{AtomicU64, Ordering};\n\n";

    #[test]
    fn an_ordering_needs_a_reason_that_names_it() {
        let bare = format!("{USE}fn a(n: &AtomicU64) {{\n    n.load(Ordering::Acquire);\n}}\n");
        assert_eq!(
            check("src/a.rs", &bare).into_iter().map(|p| p.to_string()).collect::<Vec<_>>(),
            [
                "src/a.rs:4: no comment of this file names `Acquire`: say beside the atomic why it is right"
            ]
        );
        let other = bare.replace("fn", "// Relaxed: a counter.\nfn");
        assert_eq!(check("src/a.rs", &other).len(), 1);
        let explained = bare.replace("fn", "/// Acquire: what was written before is seen.\nfn");
        assert!(check("src/a.rs", &explained).is_empty());
    }

    #[test]
    fn tests_need_no_reasons() {
        let uses = "    fn a() { N.load(Ordering::Relaxed); }\n";
        let tests = format!("{USE}#[cfg(test)]\nmod tests {{\n{uses}}}\n");
        assert!(check("src/a.rs", &tests).is_empty());
        assert!(check("a/tests/b.rs", &format!("{USE}{uses}")).is_empty());
        assert_eq!(check("src/b.rs", &format!("{USE}{uses}")).len(), 1);
        assert!(check("src/b.rs", uses).is_empty(), "an ordering of comparisons");
    }
}
