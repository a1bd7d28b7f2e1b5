//! The lists that a new folder would otherwise have to be added to by hand: dependencies, modules,
//! fuzz targets.

use std::fmt::Write as _;

use anyhow::{Context, Result};

use crate::catalog::{self, ContractFolder};
use crate::repo::Repo;

/// The dependencies of `capabilities/all`.
pub(super) fn contract_dependencies(repo: &Repo) -> Result<String> {
    let line = |contract: &ContractFolder| {
        let name = contract.name();
        format!("trellis-capabilities-{name} = {{ path = \"../{name}\" }}\n")
    };
    Ok(catalog::contracts(repo)?.iter().map(line).collect())
}

/// The items of `capabilities/all`.
pub(super) fn contract_items(repo: &Repo) -> Result<String> {
    let contracts = catalog::contracts(repo)?;
    let mut text = String::new();
    for contract in &contracts {
        let module = contract.module();
        text += &format!("pub use trellis_capabilities_{module} as {module};\n");
    }
    text += "\n/// Every contract with the name of its folder, in the order of the names.\n\
             pub const ALL: &[(&str, &Contract)] = &[\n";
    for contract in &contracts {
        let (name, module) = (contract.name(), contract.module());
        text += &format!("    (\"{name}\", &{module}::CONTRACT),\n");
    }
    text += "];\n\n/// Shows `visitor` each operation of each contract.\n\
             pub fn visit_operations<V: OperationVisitor>(visitor: &mut V) {\n";
    for contract in &contracts {
        text += &format!("    {}::visit_operations(visitor);\n", contract.module());
    }
    Ok(text + "}\n")
}

/// The whole module of the guest SDK that holds its contracts.
pub(super) fn guest_contracts(repo: &Repo) -> Result<String> {
    let mut text = String::from(
        "//! The contracts, as an actor uses them: messages, and the clients of its bindings.\n\
         //!\n\
         //! Generated from capabilities/* by `cargo xtask generate`; do not edit. What an actor \
         has\n//! besides is written by hand in `contracts/NAME/shortcuts.rs`.\n",
    );
    for contract in catalog::contracts(repo)? {
        let module = contract.module();
        text += &format!(
            "\n/// {}\npub mod {module} {{\n    pub use trellis_capabilities::{module}::*;\n",
            summary(repo, &contract)?
        );
        let shortcuts = format!("actors/sdk/rust/src/contracts/{module}/shortcuts.rs");
        if catalog::exists(repo, &shortcuts) {
            text += "\n    mod shortcuts;\n    pub use shortcuts::*;\n";
        }
        if has_client(repo, &contract)? {
            text += "\n    client_of!(Client);\n";
        }
        text += "}\n";
    }
    Ok(text)
}

/// The conformance suites, as modules.
pub(super) fn suites(repo: &Repo) -> Result<String> {
    Ok(catalog::suites(repo)?.iter().map(|suite| format!("pub mod {suite};\n")).collect())
}

/// The providers the host's composition root depends on.
pub(super) fn provider_dependencies(repo: &Repo) -> Result<String> {
    let line = |name: &String| {
        format!("trellis-providers-{name} = {{ path = \"../../providers/{name}\" }}\n")
    };
    Ok(catalog::providers(repo)?.iter().map(line).collect())
}

/// The fuzz targets as cargo wants them.
pub(super) fn fuzz_targets(repo: &Repo) -> Result<String> {
    let mut text = String::new();
    for name in catalog::fuzz_targets(repo)? {
        let written = write!(
            text,
            "\n[[bin]]\nname = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\n\
             test = false\ndoc = false\nbench = false\n"
        );
        written.expect("writing to a String cannot fail");
    }
    Ok(text + "\n")
}

/// The first sentence of the contract's crate page, in one line.
fn summary(repo: &Repo, contract: &ContractFolder) -> Result<String> {
    let path = contract.path("src/lib.rs");
    let page = repo.text(&path)?.with_context(|| format!("{path} is not text"))?;
    let lines = page.lines().map_while(|line| line.strip_prefix("//!"));
    let paragraph: Vec<_> = lines.map(str::trim).take_while(|line| !line.is_empty()).collect();
    Ok(paragraph.join(" "))
}

/// Whether actors call the provider of this contract: its world imports something.
fn has_client(repo: &Repo, contract: &ContractFolder) -> Result<bool> {
    let path = contract.path(&format!("{}.wit", contract.name()));
    let wit = repo.text(&path)?.with_context(|| format!("{path} is not text"))?;
    let world = wit.split("world actor").nth(1);
    let world = world.with_context(|| format!("{path} has no `world actor`"))?;
    Ok(world.lines().any(|line| line.trim_start().starts_with("import ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repo() -> Repo {
        Repo::find().expect("the repository")
    }

    #[test]
    fn a_contract_that_only_calls_actors_has_no_client() {
        let has = |name| has_client(&repo(), &ContractFolder::new(name)).expect("a contract");
        assert!(has("keyvalue"));
        assert!(!has("http-server"));
    }

    #[test]
    fn every_contract_is_in_every_list() {
        let repo = repo();
        for list in [contract_dependencies, contract_items, guest_contracts] {
            let list = list(&repo).expect("the list");
            for contract in catalog::contracts(&repo).expect("the contracts") {
                assert!(list.contains(&contract.module()) || list.contains(contract.name()));
            }
        }
    }
}
