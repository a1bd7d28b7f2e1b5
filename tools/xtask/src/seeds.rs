//! `cargo xtask seeds`: what the fuzzer of messages begins with, from the golden vectors of every
//! contract, so that a new contract is fuzzed without a word.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::Value;

use crate::catalog::{self, ContractFolder};
use crate::repo::Repo;

/// Where to write.
#[derive(Args)]
pub(crate) struct Options {
    /// The folder, made when it is missing; a file for each encoded message.
    folder: std::path::PathBuf,
}

/// Writes every encoding in every file of vectors.
pub(crate) fn run(repo: &Repo, options: &Options) -> Result<()> {
    fs::create_dir_all(&options.folder).context("making the folder of seeds")?;
    let mut count = 0;
    for contract in catalog::contracts(repo)? {
        count += write(repo, &contract, &options.folder)?;
    }
    println!("seeds: {count} messages");
    Ok(())
}

fn write(repo: &Repo, contract: &ContractFolder, folder: &Path) -> Result<usize> {
    let path = contract.path(&format!("vectors/{}.json", contract.name()));
    let text = repo.text(&path)?.with_context(|| format!("{path} is not text"))?;
    let vectors: Value = serde_json::from_str(&text).with_context(|| path.clone())?;
    let encodings = encodings(&vectors);
    for (index, hex) in encodings.iter().enumerate() {
        let bytes = bytes(hex).with_context(|| format!("{path}: `{hex}` is not hex"))?;
        let name = format!("{}-{index}", contract.name());
        fs::write(folder.join(&name), bytes).with_context(|| format!("writing {name}"))?;
    }
    Ok(encodings.len())
}

/// The hex of every message: its exact form, then the tolerated ones.
fn encodings(vectors: &Value) -> Vec<&str> {
    let vectors = vectors["vectors"].as_array().into_iter().flatten();
    let forms = vectors.flat_map(|vector| {
        let tolerated = vector["tolerated"].as_array().into_iter().flatten();
        std::iter::once(vector).chain(tolerated)
    });
    forms.filter_map(|form| form["hex"].as_str()).collect()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_contract_gives_seeds() {
        let (repo, folder) = (Repo::find().expect("here"), tempfile::tempdir().expect("a folder"));
        let folder = folder.path().join("deep/er");
        run(&repo, &Options { folder: folder.clone() }).expect("every vector is hex");
        for contract in catalog::contracts(&repo).expect("the contracts") {
            assert!(folder.join(format!("{}-0", contract.name())).exists(), "{contract:?}");
        }
        let add = fs::read(folder.join("keyvalue-0")).expect("a seed");
        assert!(add.starts_with(b"\x82\xa3key"), "{add:?}");
    }
}
