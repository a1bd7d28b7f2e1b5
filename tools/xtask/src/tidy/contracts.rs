//! Rules for contracts: each has its vectors, a conformance suite and a provider, and every
//! provider of it runs the suite.

use anyhow::Result;

use crate::catalog::{self, ContractFolder, exists};
use crate::repo::Repo;
use crate::report::Problem;

/// Every contract or provider that is not whole.
pub(super) fn whole(repo: &Repo) -> Result<Vec<Problem>> {
    let (contracts, providers) = (catalog::contracts(repo)?, catalog::providers(repo)?);
    let mut problems = Vec::new();
    for contract in &contracts {
        problems.extend(parts(repo, contract));
        if !providers.iter().any(|provider| contract.is_served_by(provider)) {
            let name = contract.name();
            let message = format!(
                "no provider serves this contract: add `providers/{name}` or `providers/{name}-…`"
            );
            problems.push(Problem::new(contract.path("src/lib.rs"), 0, message));
        }
    }
    for provider in &providers {
        problems.extend(conformance(repo, provider, &contracts)?);
    }
    Ok(problems)
}

/// The files of a contract that are missing.
fn parts(repo: &Repo, contract: &ContractFolder) -> Vec<Problem> {
    let vectors = contract.path(&format!("vectors/{}.json", contract.name()));
    let needed = [
        (vectors, "the golden bytes of every message"),
        (contract.path("tests/vectors.rs"), "the test that checks the golden bytes"),
        (contract.suite(), "the behavior every provider of the contract is held to"),
    ];
    let missing = needed.into_iter().filter(|(path, _)| !exists(repo, path));
    missing
        .map(|(path, what)| Problem::new(path, 0, format!("is missing: it holds {what}")))
        .collect()
}

/// What is wrong with how a provider is held to its contract.
fn conformance(
    repo: &Repo,
    provider: &str,
    contracts: &[ContractFolder],
) -> Result<Option<Problem>> {
    let folder = format!("providers/{provider}");
    // The longest name, so that a contract `a-b` does not answer for one called `a`.
    let served = contracts.iter().filter(|contract| contract.is_served_by(provider));
    let Some(contract) = served.max_by_key(|contract| contract.name().len()) else {
        let message = "is named after no contract: name it CONTRACT or CONTRACT-BACKEND";
        return Ok(Some(Problem::new(folder, 0, message)));
    };
    let path = format!("{folder}/tests/conformance.rs");
    let text = if exists(repo, &path) { repo.text(&path)? } else { None };
    let suite = format!("trellis_providers_conformance::{}", contract.module());
    let runs = text.is_some_and(|text| text.contains(&suite));
    Ok((!runs).then(|| {
        let message = format!("must run the contract's suite, `{suite}`");
        Problem::new(path, 0, message)
    }))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const WHOLE: &[(&str, &str)] = &[
        ("capabilities/door/door.wit", ""),
        ("capabilities/door/vectors/door.json", ""),
        ("capabilities/door/tests/vectors.rs", ""),
        ("providers/conformance/src/door/mod.rs", ""),
        ("providers/door-oak/tests/conformance.rs", "use trellis_providers_conformance::door;"),
    ];

    fn problems(files: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        let found = whole(&Repo::at(folder.path())).expect("readable");
        found.into_iter().map(|problem| problem.to_string()).collect()
    }

    #[test]
    fn a_whole_contract_has_no_problem() {
        assert_eq!(problems(WHOLE), Vec::<String>::new());
    }

    #[test]
    fn every_missing_part_is_named() {
        for (missing, _) in &WHOLE[1..4] {
            let files: Vec<_> = WHOLE.iter().filter(|(path, _)| path != missing).copied().collect();
            let found = problems(&files);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].starts_with(missing), "{found:?}");
        }
    }

    #[test]
    fn a_provider_that_runs_another_suite_is_seen() {
        let mut files = WHOLE.to_vec();
        files[4].1 = "use trellis_providers_conformance::window;";
        assert!(problems(&files)[0].contains("must run the contract's suite"));
        files.truncate(4);
        files.push(("providers/window/src/lib.rs", ""));
        let found = problems(&files);
        assert!(found[0].contains("no provider serves this contract"), "{found:?}");
        assert!(found[1].contains("is named after no contract"), "{found:?}");
    }
}
