//! `cargo xtask generate`: files written from the code, so that they cannot say something else.
//!
//! `--check` writes nothing and fails when a file is out of date; that is what CI runs.

mod contracts;
mod lists;
mod providers;
mod section;

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result};
use clap::Args;
use trellis_core::Code;
use trellis_limits::{HOST_TABLE, Limit, TABLE, fixed};

use crate::repo::Repo;
use crate::report::{Problem, conclude};

/// What to do with the generated files.
#[derive(Args)]
pub(crate) struct Options {
    /// Compare instead of write.
    #[arg(long)]
    check: bool,
}

/// A generated file, or the generated part of one, and its source.
struct Generated {
    path: &'static str,
    extent: Extent,
    text: fn(&Repo) -> Result<String>,
}

/// How much of the file is generated.
#[derive(Clone, Copy)]
enum Extent {
    /// All of it.
    File,
    /// What stands between its markers.
    Section,
}

/// What is made from folders alone. Cargo reads these, and this tool links what they name, so they
/// come first.
const LISTS: &[Generated] = &[
    section("capabilities/all/Cargo.toml", lists::contract_dependencies),
    section("capabilities/all/src/lib.rs", lists::contract_items),
    section("host/app/Cargo.toml", lists::provider_dependencies),
    section("providers/conformance/src/lib.rs", lists::suites),
    section("tools/fuzz/Cargo.toml", lists::fuzz_targets),
    file("actors/sdk/rust/src/contracts.rs", lists::guest_contracts),
];

/// What is made from the code this tool links.
const PAGES: &[Generated] = &[
    file("docs/admin-api.openapi.json", |_| Ok(trellis_control::openapi())),
    file("docs/contracts.md", contracts::page),
    file("docs/errors.md", |_| Ok(errors())),
    file("docs/limits.md", |_| Ok(limits())),
    section("docs/providers.md", providers::table),
    file("manifests/schema.json", |_| Ok(schema())),
];

const fn file(path: &'static str, text: fn(&Repo) -> Result<String>) -> Generated {
    Generated { path, extent: Extent::File, text }
}

const fn section(path: &'static str, text: fn(&Repo) -> Result<String>) -> Generated {
    Generated { path, extent: Extent::Section, text }
}

/// Writes or checks every generated file.
pub(crate) fn run(repo: &Repo, options: &Options) -> Result<()> {
    let mut stale = Vec::new();
    for list in LISTS {
        stale.extend(list.stale(repo)?);
    }
    if !options.check && !stale.is_empty() {
        write(repo, &stale)?;
        // The pages are about what this tool was linked with: it has to be built again.
        return repo.run(".", "cargo", &["run", "--quiet", "--bin", "xtask", "--", "generate"]);
    }
    for page in PAGES {
        stale.extend(page.stale(repo)?);
    }
    let message = "is out of date: run `cargo xtask generate`";
    let problems = match options.check {
        true => stale.iter().map(|(path, _)| Problem::new(*path, 0, message)).collect(),
        false => write(repo, &stale).map(|()| Vec::new())?,
    };
    conclude("generate", problems, "generated files are up to date")
}

/// Every file that is generated in whole or in part.
pub(crate) fn paths() -> impl Iterator<Item = &'static str> {
    LISTS.iter().chain(PAGES).map(|generated| generated.path)
}

/// A file by its path, and what it is to hold.
type Stale = (&'static str, String);

impl Generated {
    /// The whole file as it is to be, unless it is that already.
    fn stale(&self, repo: &Repo) -> Result<Option<Stale>> {
        let present = fs::read_to_string(repo.root().join(self.path)).unwrap_or_default();
        let text = (self.text)(repo)?;
        let wanted = match self.extent {
            Extent::File => text,
            Extent::Section => {
                section::replaced(&present, &text).with_context(|| self.path.to_owned())?
            }
        };
        Ok((wanted != present).then_some((self.path, wanted)))
    }
}

fn write(repo: &Repo, files: &[Stale]) -> Result<()> {
    for (path, text) in files {
        fs::write(repo.root().join(path), text).with_context(|| format!("writing {path}"))?;
        println!("wrote {path}");
    }
    Ok(())
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
         <!-- Generated from trellis_limits by `cargo xtask generate`; do not edit. -->\n\n\
         ## One actor\n\n\
         The key goes under `limits:` of the actor in a manifest; the host's own caps win over \
         what a manifest asks. \
         Errors and metrics have the name and the unit of a limit. A manifest has its key, and \
         times and sizes as the defaults are here: a bare number is seconds, or bytes.\n\n",
    );
    limit_rows(&mut text, TABLE);
    text +=
        "\nWhat a manifest may say:\n\n| key | from | a host gives at most |\n|---|---:|---:|\n";
    for limit in TABLE {
        let (least, most) = (limit.written(limit.least), limit.written(limit.most));
        writeln!(text, "| `{}` | `{least}` | `{most}` |", limit.key)
            .expect("writing to a String cannot fail");
    }
    text += "\nLess is refused. More is no error, but a check and the log warn of it, and `/readyz` has a line.\n";
    text += "\n## The whole host\n\nThe key goes under `host:`; it is read at the start.\n\n";
    limit_rows(&mut text, HOST_TABLE);
    text += "\n## Fixed\n\nThese have no key: no manifest changes them.\n\n";
    limit_rows(&mut text, fixed::TABLE);
    text
}

fn limit_rows(text: &mut String, table: &[Limit]) {
    text.push_str("| name | key | unit | default | when it is hit | error |\n");
    text.push_str("|---|---|---|---:|---|---|\n");
    for limit in table {
        let error = limit.code.map_or_else(|| "-".to_owned(), |code| format!("`{code}`"));
        let written = writeln!(
            text,
            "| `{}` | `{}` | {} | `{}` | {} | {error} |",
            limit.name,
            limit.key,
            limit.unit,
            limit.written_default(),
            limit.hit
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
        for limit in TABLE.iter().chain(HOST_TABLE).chain(fixed::TABLE) {
            assert!(limits.contains(limit.name), "{} is missing", limit.name);
        }
        // A bare number under `default` would be read as seconds.
        assert!(limits.contains("| `call_time_ms_max` | `call_time` | ms | `5s` |"), "{limits}");
        assert!(limits.contains("| `memory` | bytes | `64MiB` |"), "{limits}");
    }
}
