//! `docs/providers.md` has a row for each contract that a provider serves, and no other rows.

use std::collections::BTreeSet;
use std::path::Path;

use trellis_app::providers::builtins;

const HEAD: &str = "| contract | provider (`builtin:`) | bound by |";

#[test]
fn every_contract_with_a_provider_is_listed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/providers.md");
    let page = std::fs::read_to_string(path).expect("the page");
    let table = page.lines().skip_while(|line| *line != HEAD).skip(2);
    let written: BTreeSet<_> = table.take_while(|line| line.starts_with('|')).collect();
    let rows: Vec<_> = builtins()
        .iter()
        .map(|factory| factory.descriptor())
        .flat_map(|descriptor| {
            let bound = if descriptor.implicit { "the claim alone" } else { "a binding" };
            let contracts = descriptor.contracts.into_owned().into_iter();
            let name = descriptor.name;
            contracts.map(move |contract| format!("| `{}` | `{name}` | {bound} |", contract.id))
        })
        .collect();
    assert_eq!(written, rows.iter().map(String::as_str).collect());
}
