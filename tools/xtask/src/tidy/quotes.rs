//! Code that a document quotes stands in the file it is from: a fenced block whose info says
//! `of=PATH` (`rust of=actors/echo/src/lib.rs`). `…` on a line of its own leaves lines out.

use anyhow::Result;

use crate::repo::Repo;
use crate::report::Problem;

/// Marks the file that a block is from.
const OF: &str = "of=";
/// Stands for lines that are not shown.
const LEFT_OUT: &str = "…";

/// Every quotation of every document that its file does not have.
pub(super) fn check(repo: &Repo, files: &[String]) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for path in files.iter().filter(|path| path.ends_with(".md")) {
        let text = repo.text(path)?.unwrap_or_default();
        for Quotation { line, of, code } in quotations(&text) {
            let message = match repo.text(of).ok().flatten() {
                Some(source) => missing(&code, &source)
                    .map(|lines| format!("{of} does not have these lines:\n{lines}")),
                None => Some(format!("quotes {of}, which cannot be read")),
            };
            problems.extend(message.map(|message| Problem::new(path, line, message)));
        }
    }
    Ok(problems)
}

/// A block that says which file it is from.
struct Quotation<'a> {
    line: usize,
    of: &'a str,
    code: Vec<&'a str>,
}

fn quotations(text: &str) -> Vec<Quotation<'_>> {
    let mut found = Vec::new();
    let mut lines = text.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let code = lines.by_ref().map(|(line, _)| line).take_while(|line| !line.starts_with("```"));
        let code: Vec<_> = code.collect();
        let of = info.split(' ').find_map(|word| word.strip_prefix(OF));
        found.extend(of.map(|of| Quotation { line: number, of, code }));
    }
    found
}

/// The first run of quoted lines that does not stand in the source after the run before it.
fn missing(code: &[&str], source: &str) -> Option<String> {
    let source: Vec<&str> = source.lines().collect();
    let mut from = 0;
    for run in code.split(|line| line.trim() == LEFT_OUT).map(trimmed) {
        let at = (from..source.len()).find(|at| source[*at..].starts_with(run));
        match at {
            Some(at) => from = at + run.len(),
            None => return Some(run.join("\n")),
        }
    }
    None
}

/// Without the empty lines around it.
fn trimmed<'a, 'b>(mut run: &'b [&'a str]) -> &'b [&'a str] {
    while let [rest @ .., ""] | ["", rest @ ..] = run {
        run = rest;
    }
    run
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const SOURCE: &str = "use a;\n\nfn one() {\n    1\n}\n\nfn two() {}\n";

    fn problems(block: &str) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("lib.rs"), SOURCE).expect("a file");
        fs::write(folder.path().join("a.md"), block).expect("a file");
        let repo = Repo::at(folder.path());
        let found = check(&repo, &repo.files().expect("the files")).expect("readable files");
        found.into_iter().map(|problem| problem.to_string()).collect()
    }

    #[test]
    fn what_is_quoted_stands_in_the_file() {
        for code in ["fn two() {}", "use a;\n\nfn one() {", "use a;\n\n…\n\nfn two() {}", ""] {
            let block = format!("Text\n\n```rust of=lib.rs\n{code}\n```\n");
            assert_eq!(problems(&block), Vec::<String>::new(), "{code}");
        }
    }

    #[test]
    fn what_the_file_has_otherwise_is_seen() {
        for (code, lacking) in [
            ("fn two() { 2 }", "fn two() { 2 }"),
            ("use a;\nfn one() {", "use a;\nfn one() {"),
            ("fn two() {}\n…\nuse a;", "use a;"),
        ] {
            let block = format!("Text\n\n```rust of=lib.rs\n{code}\n```\n");
            let said = format!("a.md:3: lib.rs does not have these lines:\n{lacking}");
            assert_eq!(problems(&block), [said]);
        }
        let said = "a.md:1: quotes gone.rs, which cannot be read";
        assert_eq!(problems("```rust of=gone.rs\n```\n"), [said]);
    }

    #[test]
    fn other_blocks_are_passed_over() {
        assert_eq!(problems("```rust\nfn three() {}\n```\n"), Vec::<String>::new());
    }
}
