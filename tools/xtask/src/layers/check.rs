//! The check itself, pure: a crate and its edges in, problems out.

use super::rules::{FOR_TESTS, LAYERS, Layer, OWN_CONTRACT, OWNERS};
use crate::report::Problem;

/// A crate of this repository, by its folder.
pub(super) struct Crate {
    pub(super) folder: String,
    pub(super) edges: Vec<Edge>,
}

/// One dependency.
pub(super) enum Edge {
    /// Another crate of this repository.
    Ours { folder: String, dev: bool },
    /// A library from the registry.
    Outside { library: String, dev: bool },
}

/// Every rule the crate breaks.
pub(super) fn check(from: &Crate) -> Vec<Problem> {
    let Some(layer) = layer_of(&from.folder) else {
        let message = "this crate has no layer: add a row to tools/xtask/src/layers/rules.rs";
        return vec![Problem::from((from, message.to_owned()))];
    };
    let broken = from.edges.iter().filter_map(|edge| match edge {
        Edge::Ours { folder, dev: false } => import(from, layer, folder),
        Edge::Ours { folder, dev: true } => test_import(from, layer, folder),
        Edge::Outside { library, dev: false } => library_owner(from, library),
        Edge::Outside { dev: true, .. } => None,
    });
    broken.map(|message| Problem::from((from, message))).collect()
}

fn import(from: &Crate, layer: &Layer, to: &str) -> Option<String> {
    let allowed = layer.may.iter().any(|pattern| {
        if *pattern == OWN_CONTRACT { is_own_contract(&from.folder, to) } else { fits(pattern, to) }
    });
    (!allowed).then(|| {
        let may = if layer.may.is_empty() { "nothing".to_owned() } else { layer.may.join(", ") };
        format!("must not import {to}; {} may import: {may}", layer.who)
    })
}

fn test_import(from: &Crate, layer: &Layer, to: &str) -> Option<String> {
    let for_tests = FOR_TESTS.iter().any(|pattern| fits(pattern, to));
    let height = layer_of(to).map_or(u8::MAX, |target| target.height);
    (!for_tests && height > layer.height).then(|| {
        format!(
            "must not import {to} even for tests: it stands higher; move the test of {} up, or \
             use tools/testkit",
            from.folder
        )
    })
}

fn library_owner(from: &Crate, library: &str) -> Option<String> {
    let owner = OWNERS.iter().find(|owner| owner.libraries.contains(&library))?;
    let owns = owner.who.iter().any(|pattern| fits(pattern, &from.folder));
    (!owns).then(|| {
        format!(
            "must not import `{library}`: only {} may, because {}",
            owner.who.join(", "),
            owner.because
        )
    })
}

fn layer_of(folder: &str) -> Option<&'static Layer> {
    LAYERS.iter().find(|layer| fits(layer.who, folder))
}

/// `a/*` fits `a` itself and everything below it.
fn fits(pattern: &str, folder: &str) -> bool {
    match pattern.strip_suffix("/*") {
        None => pattern == folder,
        Some(above) => {
            folder.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
    }
}

fn is_own_contract(provider: &str, contract: &str) -> bool {
    let (Some(provider), Some(contract)) =
        (provider.strip_prefix("providers/"), contract.strip_prefix("capabilities/"))
    else {
        return false;
    };
    provider == contract
        || provider.strip_prefix(contract).is_some_and(|rest| rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(folder: &str, edges: Vec<Edge>) -> Vec<String> {
        let from = Crate { folder: folder.to_owned(), edges };
        check(&from).into_iter().map(|problem| problem.message).collect()
    }

    fn ours(folder: &str) -> Edge {
        Edge::Ours { folder: folder.to_owned(), dev: false }
    }

    fn for_test(folder: &str) -> Edge {
        Edge::Ours { folder: folder.to_owned(), dev: true }
    }

    fn outside(library: &str) -> Edge {
        Edge::Outside { library: library.to_owned(), dev: false }
    }

    #[test]
    fn arrows_go_down() {
        assert!(problems("host/entitlements", vec![ours("host/claims")]).is_empty());
        let up = problems("host/claims", vec![ours("host/entitlements")]);
        assert!(up[0].starts_with("must not import host/entitlements; host/claims may import"));
        let sibling = problems("host/engine", vec![ours("host/claims")]);
        assert_eq!(sibling.len(), 1, "engine knows no claims");
        assert_eq!(problems("capabilities/core", vec![ours("capabilities/macros")]).len(), 1);
    }

    #[test]
    fn a_contract_imports_no_other_contract() {
        let two = problems("capabilities/keyvalue", vec![ours("capabilities/logging")]);
        assert_eq!(two.len(), 1);
    }

    #[test]
    fn a_provider_knows_its_own_contract_and_no_host() {
        let own = vec![ours("capabilities/keyvalue"), ours("capabilities/core")];
        assert!(problems("providers/keyvalue-redis", own).is_empty());
        assert_eq!(problems("providers/logging", vec![ours("capabilities/keyvalue")]).len(), 1);
        assert_eq!(problems("providers/logging", vec![ours("host/dispatch")]).len(), 1);
        let almost = problems("providers/keyvaluer", vec![ours("capabilities/keyvalue")]);
        assert_eq!(almost.len(), 1, "a name that only starts alike is another contract");
    }

    #[test]
    fn actors_see_contracts_and_their_sdk() {
        let edges = vec![ours("actors/sdk/rust"), ours("capabilities/keyvalue")];
        assert!(problems("actors/kvcounter", edges).is_empty());
        assert_eq!(problems("actors/kvcounter", vec![ours("host/claims")]).len(), 1);
        assert_eq!(problems("actors/kvcounter", vec![ours("providers/sdk")]).len(), 1);
    }

    #[test]
    fn tests_may_go_further_but_not_up() {
        assert!(problems("host/dispatch", vec![for_test("host/engine")]).is_empty());
        assert!(problems("providers/keyvalue-redis", vec![for_test("tools/testkit")]).is_empty());
        assert_eq!(problems("host/claims", vec![for_test("host/app")]).len(), 1);
    }

    #[test]
    fn an_outside_library_has_one_owner() {
        assert!(problems("host/engine", vec![outside("wasmtime")]).is_empty());
        let leak = problems("host/dispatch", vec![outside("wasmtime")]);
        assert!(leak[0].contains("only host/engine"), "{leak:?}");
        assert_eq!(problems("capabilities/core", vec![outside("tokio")]).len(), 1);
        assert!(problems("host/dispatch", vec![outside("bytes")]).is_empty());
    }

    #[test]
    fn a_crate_without_a_row_is_refused() {
        assert_eq!(problems("elsewhere/thing", vec![]).len(), 1);
        assert!(layer_of("tools/bench").is_some() && layer_of("tools/bench/peer").is_some());
    }
}
