//! What a check found: one line per problem, all of them before the check fails.

use std::fmt;

use anyhow::{Result, bail};

/// One thing that is wrong, where, in words that say what to do.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Problem {
    /// Path relative to the repository.
    pub(crate) path: String,
    /// Line, counted from 1; 0 when the whole file is meant.
    pub(crate) line: usize,
    /// The sentence.
    pub(crate) message: String,
}

impl Problem {
    pub(crate) fn new(path: impl Into<String>, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.into(), line, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// Prints all problems in order and fails if there is one; `done` is the line of success.
pub(crate) fn conclude(check: &str, mut problems: Vec<Problem>, done: &str) -> Result<()> {
    problems.sort();
    problems.dedup();
    for problem in &problems {
        eprintln!("{problem}");
    }
    match problems.len() {
        0 => {
            println!("{check}: {done}");
            Ok(())
        }
        1 => bail!("{check}: 1 problem"),
        count => bail!("{check}: {count} problems"),
    }
}
