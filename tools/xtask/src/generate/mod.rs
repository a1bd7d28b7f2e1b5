//! `cargo xtask generate`: files written from the code, so that they cannot say something else.
//!
//! `--check` writes nothing and fails when a file is out of date; that is what CI runs.

mod contracts;

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result};
use clap::Args;
use trellis_core::Code;
use trellis_core::limits::{HOST_TABLE, Limit, TABLE};

use crate::repo::Repo;
use crate::report::{Problem, conclude};

/// What to do with the generated files.
#[derive(Args)]
pub(crate) struct Options {
    /// Compare instead of write.
    #[arg(long)]
    check: bool,
}

/// A generated file and its source.
struct Generated {
    path: &'static str,
    text: fn(&Repo) -> Result<String>,
}

const FILES: &[Generated] = &[
    Generated { path: "docs/contracts.md", text: contracts::page },
    Generated { path: "docs/errors.md", text: |_| Ok(errors()) },
    Generated { path: "docs/limits.md", text: |_| Ok(limits()) },
    Generated { path: "manifests/schema.json", text: |_| Ok(schema()) },
];

/// Writes or checks every generated file.
pub(crate) fn run(repo: &Repo, options: &Options) -> Result<()> {
    let mut problems = Vec::new();
    for file in FILES {
        let path = repo.root().join(file.path);
        let text = (file.text)(repo)?;
        if fs::read_to_string(&path).is_ok_and(|present| present == text) {
            continue;
        }
        if options.check {
            let message = "is out of date: run `cargo xtask generate`";
            problems.push(Problem::new(file.path, 0, message));
        } else {
            fs::write(&path, text).with_context(|| format!("writing {}", file.path))?;
            println!("wrote {}", file.path);
        }
    }
    conclude("generate", problems, "generated files are up to date")
}

fn errors() -> String {
    let mut text = String::from(
        "# Errors\n\n\
         <!-- Generated from trellis_core::Code by `cargo xtask generate`; do not edit. -->\n\n\
         Every error a user can meet has a stable code. `trellis explain CODE` prints the same.\n\
         \"Retry\" says whether the same call may be sent again at once, without anything being \
         done twice.\n",
    );
    for code in Code::ALL {
        let retry = if code.retry_is_safe() { "safe" } else { "not before the cause is gone" };
        let (kind, cause, cure) = (code.kind(), code.cause(), code.cure());
        let written = write!(
            text,
            "\n## {code}\n\nKind: {kind}. Retry: {retry}.\n\n- Cause: {cause}\n- Cure: {cure}\n"
        );
        written.expect("writing to a String cannot fail");
    }
    text
}

fn limits() -> String {
    let mut text = String::from(
        "# Limits\n\n\
         <!-- Generated from trellis_core::limits by `cargo xtask generate`; do not edit. -->\n\n\
         ## One actor\n\n\
         The key stands under `limits:` of the actor in a manifest; the host's own caps win over \
         what a manifest asks.\n\n",
    );
    limit_rows(&mut text, TABLE);
    text += "\n## The whole host\n\nThe key stands under `host:`; it is read at the start.\n\n";
    limit_rows(&mut text, HOST_TABLE);
    text
}

fn limit_rows(text: &mut String, table: &[Limit]) {
    text.push_str("| name | key | unit | default | when it is hit | error |\n");
    text.push_str("|---|---|---|---:|---|---|\n");
    for limit in table {
        let error = limit.code.map_or_else(|| "-".to_owned(), |code| format!("`{code}`"));
        let written = writeln!(
            text,
            "| `{}` | `{}` | {} | {} | {} | {error} |",
            limit.name, limit.key, limit.unit, limit.default, limit.hit
        );
        written.expect("writing to a String cannot fail");
    }
}

fn schema() -> String {
    format!("{:#}\n", trellis_manifest::json_schema())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_and_limit_is_documented() {
        let errors = errors();
        assert_eq!(errors.matches("\n## E_").count(), Code::ALL.len());
        let limits = limits();
        for limit in TABLE.iter().chain(HOST_TABLE) {
            assert!(limits.contains(limit.name), "{} is missing", limit.name);
        }
    }
}
