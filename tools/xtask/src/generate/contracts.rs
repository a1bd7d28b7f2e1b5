//! `docs/contracts.md`: each contract's rules from its crate page, its messages from the golden
//! vectors, and its WIT file, so that the page says what the code does.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use serde_json::Value;
use trellis_core::{Contract, Direction};

use crate::repo::Repo;

/// What comes before the contracts.
const INTRODUCTION: &str = include_str!("contracts-head.txt");

/// More digits than these do not help anybody to understand a message.
const HEX_DIGITS_MAX: usize = 80;

/// The whole page.
///
/// # Errors
/// When a file of a contract cannot be read.
pub(super) fn page(repo: &Repo) -> Result<String> {
    let mut page = INTRODUCTION.to_owned();
    for (folder, contract) in trellis_capabilities::ALL {
        let read = |path: &str| {
            let path = format!("capabilities/{folder}/{path}");
            repo.text(&path)?.with_context(|| format!("{path} is missing"))
        };
        let vectors = serde_json::from_str(&read(&format!("vectors/{folder}.json"))?)
            .with_context(|| format!("the vectors of {folder}"))?;
        page += &heading(contract);
        page += &rules(&read("src/lib.rs")?);
        page += &messages(contract, &vectors);
        let wit = read(&format!("{folder}.wit"))?;
        page += &format!("\n### The WIT of {}\n\n```wit\n{}```\n", contract.id, wit);
    }
    Ok(page)
}

fn heading(contract: &Contract) -> String {
    let aliases: Vec<_> = contract.aliases.iter().map(|alias| format!("`{alias}`")).collect();
    let known_as = match aliases.as_slice() {
        [] => String::new(),
        _ => format!("Also known as {}.\n\n", aliases.join(" and ")),
    };
    format!("\n## {}\n\n{known_as}", contract.id)
}

/// The crate's page, its headings two levels down.
fn rules(source: &str) -> String {
    let mut rules = String::new();
    for line in source.lines().map_while(|line| line.strip_prefix("//!")) {
        let line = line.strip_prefix(' ').unwrap_or(line);
        let lowered = if line.starts_with('#') { "##" } else { "" };
        rules += &format!("{lowered}{line}\n");
    }
    rules
}

/// Each operation with its messages: the first vector of either side.
fn messages(contract: &Contract, vectors: &Value) -> String {
    let mut text = format!(
        "\n### The operations of {} on the wire\n\n\
         | operation | asked by | request, and its bytes | reply, and its bytes |\n\
         |---|---|---|---|\n",
        contract.id
    );
    for operation in contract.operations.iter() {
        let asked_by = match operation.direction {
            Direction::ToProvider => "actor",
            Direction::ToActor => "provider",
        };
        let (request, reply) = (
            example(vectors, &operation.name, "request"),
            example(vectors, &operation.name, "reply"),
        );
        let written = writeln!(text, "| `{}` | {asked_by} | {request} | {reply} |", operation.name);
        written.expect("writing to a String cannot fail");
    }
    text
}

fn example(vectors: &Value, operation: &str, side: &str) -> String {
    let of_side = |vector: &&Value| vector["operation"] == operation && vector["side"] == side;
    let vector = vectors["vectors"].as_array().and_then(|all| all.iter().find(of_side));
    match vector {
        Some(vector) if !vector["message"].is_null() => {
            let hex = vector["hex"].as_str().unwrap_or_default();
            let (shown, rest) = hex.split_at_checked(HEX_DIGITS_MAX).unwrap_or((hex, ""));
            let more = if rest.is_empty() { "" } else { "…" };
            format!("`{}`<br>`{shown}{more}`", vector["message"])
        }
        _ => "nothing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_shown_with_its_messages() {
        let page = page(&Repo::find().expect("the repository")).expect("the page");
        for (_, contract) in trellis_capabilities::ALL {
            for operation in contract.operations.iter() {
                let row =
                    page.lines().find(|line| line.contains(&format!("| `{}` |", operation.name)));
                assert!(row.is_some_and(|row| row.contains("<br>")), "{}", operation.name);
            }
        }
    }

    #[test]
    fn rules_end_with_the_crate_page() {
        let source = "//! One.\n//!\n//! # Two\n\nuse std;\n//! three\n";
        assert_eq!(rules(source), "One.\n\n### Two\n");
    }
}
