//! What the repository holds, found by folder: contracts, providers, conformance suites, fuzz
//! targets. A folder is all that registers one.

use std::fs;

use anyhow::{Context, Result};

use crate::repo::Repo;

/// Folders of `providers/` that are no providers: what they are written against and tested by.
const NO_PROVIDERS: [&str; 2] = ["conformance", "sdk"];

/// A contract: `capabilities/NAME/` with its `NAME.wit`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ContractFolder(String);

impl ContractFolder {
    /// The contract of that folder, whether it exists or not.
    #[cfg(test)]
    pub(crate) fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The folder's name, such as `http-server`.
    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// The name as a Rust module, such as `http_server`.
    pub(crate) fn module(&self) -> String {
        self.0.replace('-', "_")
    }

    /// A path inside the folder, from the root of the repository.
    pub(crate) fn path(&self, inside: &str) -> String {
        format!("capabilities/{}/{inside}", self.0)
    }

    /// The file that runs as the conformance suite of the contract.
    pub(crate) fn suite(&self) -> String {
        format!("providers/conformance/src/{}/mod.rs", self.module())
    }

    /// True for `providers/NAME` and `providers/NAME-…`.
    pub(crate) fn is_served_by(&self, provider: &str) -> bool {
        provider
            .strip_prefix(self.name())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }
}

/// Every contract, sorted by name.
pub(crate) fn contracts(repo: &Repo) -> Result<Vec<ContractFolder>> {
    let all = folders(repo, "capabilities")?.into_iter().map(ContractFolder);
    Ok(all.filter(|it| exists(repo, &it.path(&format!("{}.wit", it.name())))).collect())
}

/// The folder names of every provider, sorted.
pub(crate) fn providers(repo: &Repo) -> Result<Vec<String>> {
    let mut all = folders(repo, "providers")?;
    all.retain(|name| !NO_PROVIDERS.contains(&name.as_str()));
    Ok(all)
}

/// The modules of `providers/conformance` that are suites, sorted: those in a folder.
pub(crate) fn suites(repo: &Repo) -> Result<Vec<String>> {
    folders(repo, "providers/conformance/src")
}

/// The fuzz targets' names, sorted.
pub(crate) fn fuzz_targets(repo: &Repo) -> Result<Vec<String>> {
    let sources = entries(repo, "tools/fuzz/fuzz_targets", false)?;
    Ok(sources.iter().filter_map(|name| name.strip_suffix(".rs")).map(str::to_owned).collect())
}

/// True when the repository has that path.
pub(crate) fn exists(repo: &Repo, path: &str) -> bool {
    repo.root().join(path).exists()
}

fn folders(repo: &Repo, above: &str) -> Result<Vec<String>> {
    entries(repo, above, true)
}

fn entries(repo: &Repo, above: &str, folders: bool) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let path = repo.root().join(above);
    for entry in fs::read_dir(&path).with_context(|| format!("listing {above}"))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() == folders
            && let Some(name) = entry.file_name().to_str()
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contracts_and_providers_are_found_by_folder() {
        let repo = Repo::find().expect("the repository");
        let contracts = contracts(&repo).expect("the contracts");
        let names: Vec<_> = contracts.iter().map(ContractFolder::name).collect();
        assert!(names.contains(&"http-server") && names.contains(&"keyvalue"), "{names:?}");
        assert!(!names.contains(&"core") && !names.contains(&"all"), "{names:?}");
        let providers = providers(&repo).expect("the providers");
        assert!(providers.iter().any(|name| name == "keyvalue-redis"), "{providers:?}");
        assert!(!providers.iter().any(|name| name == "sdk"), "{providers:?}");
        assert!(fuzz_targets(&repo).expect("the targets").contains(&"wire_decode".to_owned()));
    }

    #[test]
    fn a_provider_serves_the_contract_it_is_named_after() {
        let keyvalue = ContractFolder::new("keyvalue");
        assert!(keyvalue.is_served_by("keyvalue") && keyvalue.is_served_by("keyvalue-redis"));
        assert!(!keyvalue.is_served_by("keyvaluer") && !keyvalue.is_served_by("logging"));
    }
}
