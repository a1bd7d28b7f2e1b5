//! The table of `docs/providers.md`: which contract has which providers. `trellis-app` has a test
//! that holds it against what its providers say of themselves.

use std::fmt::Write as _;

use anyhow::{Context, Result};

use crate::catalog;
use crate::repo::Repo;

/// How a provider's descriptor says that a claim is enough.
const IMPLICIT: &str = "implicit: true";

/// The rows, in the order of the contracts' folders.
///
/// # Errors
/// When a folder or a source cannot be read.
pub(super) fn table(repo: &Repo) -> Result<String> {
    let mut text = String::from("| contract | provider (`builtin:`) | bound by |\n|---|---|---|\n");
    let providers = catalog::providers(repo)?;
    for folder in catalog::contracts(repo)? {
        let contracts = trellis_capabilities::ALL.iter();
        let known = contracts.filter(|(name, _)| *name == folder.name()).map(|(_, it)| it).next();
        let contract = known.with_context(|| format!("{} was not linked", folder.name()))?;
        for provider in providers.iter().filter(|provider| folder.is_served_by(provider)) {
            let bound = if is_implicit(repo, provider)? { "the claim alone" } else { "a binding" };
            writeln!(text, "| `{}` | `{provider}` | {bound} |", contract.id)?;
        }
    }
    Ok(text)
}

fn is_implicit(repo: &Repo, provider: &str) -> Result<bool> {
    let path = format!("providers/{provider}/src/provider.rs");
    let source = repo.text(&path)?.with_context(|| format!("{path} is missing"))?;
    Ok(source.contains(IMPLICIT))
}
