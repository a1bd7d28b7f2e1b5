//! `cargo xtask tidy`: the habits of this code base that a compiler does not check.
//!
//! Every rule is a function from text to problems, so that each is tested on a few lines.

mod atomics;
mod circles;
mod contracts;
mod docs;
mod length;
mod manifest;
mod quotes;
mod rust;
mod spelling;
mod test_code;
mod text;

use anyhow::Result;

use crate::repo::Repo;
use crate::report::{Problem, conclude};

/// Checks every file of the repository.
pub(crate) fn run(repo: &Repo) -> Result<()> {
    let files = repo.files()?;
    let (mut problems, mut lengths) = (Vec::new(), Vec::new());
    for path in &files {
        let Some(text) = repo.text(path)? else { continue };
        problems.extend(check(path, &text));
        if path.ends_with(".rs") {
            lengths.extend(length::lines(path, &text).map(|lines| (path.clone(), lines)));
        }
    }
    problems.extend(length::check(&lengths));
    problems.extend(circles::check(&files, &|path| repo.text(path).ok().flatten()));
    problems.extend(contracts::whole(repo)?);
    problems.extend(docs::links(repo, &files)?);
    problems.extend(docs::architecture(repo)?);
    problems.extend(quotes::check(repo, &files)?);
    conclude("tidy", problems, &format!("{} files", files.len()))
}

fn check(path: &str, text: &str) -> Vec<Problem> {
    let mut problems = text::check(path, text);
    problems.extend(spelling::check(path, text));
    if path.ends_with(".rs") {
        problems.extend(rust::check(path, text));
        problems.extend(atomics::check(path, text));
    }
    if path.ends_with("Cargo.toml") {
        problems.extend(manifest::check(path, text));
    }
    problems
}
