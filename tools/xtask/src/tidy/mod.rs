//! `cargo xtask tidy`: the habits of this code base that a compiler does not check.
//!
//! Every rule is a function from a file's text to problems, so that each is tested on a few lines.

mod contracts;
mod docs;
mod manifest;
mod rust;
mod spelling;
mod text;

use anyhow::Result;

use crate::repo::Repo;
use crate::report::{Problem, conclude};

/// A source file longer than this, tests apart, is refused.
const FILE_LINES_MAX: usize = 700;
/// A source file longer than this, tests apart, is listed: look twice whether it is one thing.
const FILE_LINES_LISTED: usize = 400;

/// Checks every file of the repository.
pub(crate) fn run(repo: &Repo) -> Result<()> {
    let files = repo.files()?;
    let mut problems = Vec::new();
    for path in &files {
        let Some(text) = repo.text(path)? else { continue };
        problems.extend(check(path, &text));
    }
    problems.extend(contracts::whole(repo)?);
    problems.extend(docs::links(repo, &files)?);
    problems.extend(docs::architecture(repo)?);
    conclude("tidy", problems, &format!("{} files", files.len()))
}

fn check(path: &str, text: &str) -> Vec<Problem> {
    let mut problems = text::check(path, text);
    problems.extend(spelling::check(path, text));
    if path.ends_with(".rs") {
        problems.extend(rust::check(path, text));
        match rust::lines_without_tests(path, text) {
            lines if lines > FILE_LINES_MAX => problems.push(Problem::new(
                path,
                0,
                format!("{lines} lines, tests apart; at most {FILE_LINES_MAX}: split it by noun"),
            )),
            lines if lines > FILE_LINES_LISTED => println!("look twice: {path} has {lines} lines"),
            _ => {}
        }
    }
    if path.ends_with("Cargo.toml") {
        problems.extend(manifest::check(path, text));
    }
    problems
}
