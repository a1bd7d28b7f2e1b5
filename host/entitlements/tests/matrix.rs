//! Every entity x namespace x binding x operation x policy, and what the gate says: the reviewed
//! file `matrix.golden`. `UPDATE_GOLDEN=1 cargo test -p trellis-entitlements` writes it anew.

mod support;

use std::fmt::Write as _;
use trellis_core::BindingId;

use support::{ACTORS, Guarded, HTTP, KEYVALUE, NoAdd, World};
use trellis_entitlements::{AllowAll, AuthzRequest, TargetId};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/matrix.golden");
const NAMESPACES: [&str; 6] = [
    KEYVALUE,
    "wasmcloud:keyvalue",
    HTTP,
    "WASCC:KEYVALUE",
    "wascc:keyvalue/../x",
    "wascc:blobstore",
];
const CALLEES: [&str; 6] =
    ["whole", "friend", "FRIEND", "whole-in-manifest", "unbound-in-manifest", "nobody"];

#[test]
fn the_matrix_is_as_reviewed() {
    let world = World::new();
    let mut matrix = String::new();
    for (policy, gate) in [("allow-all", world.gate(AllowAll).0), ("no-add", world.gate(NoAdd).0)] {
        for actor in ACTORS {
            contract_rows(&mut matrix, &world, &gate, (policy, actor));
            callee_rows(&mut matrix, &world, &gate, (policy, actor));
        }
        provider_rows(&mut matrix, &world, &gate, policy);
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(GOLDEN, &matrix).expect("the golden file is writable");
    }
    let reviewed = std::fs::read_to_string(GOLDEN).expect("the golden file is there");
    for (line, (now, then)) in matrix.lines().zip(reviewed.lines()).enumerate() {
        assert_eq!(now, then, "matrix.golden:{}", line + 1);
    }
    assert_eq!(matrix.lines().count(), reviewed.lines().count());
}

fn contract_rows(out: &mut String, world: &World, gate: &Guarded, (policy, actor): (&str, &str)) {
    for namespace in NAMESPACES {
        for binding in ["", "default", "other"] {
            for operation in ["Get", "Add", "HandleRequest", "get", "Remove"] {
                let ask = AuthzRequest::FromActor {
                    actor: world.ids[actor],
                    binding,
                    namespace,
                    operation,
                };
                let verdict = verdict(gate, &ask);
                writeln!(
                    out,
                    "{policy:9} {actor:10} {namespace:20} {binding:8} {operation:14} {verdict}"
                )
                .expect("text grows");
            }
        }
    }
}

fn callee_rows(out: &mut String, world: &World, gate: &Guarded, (policy, actor): (&str, &str)) {
    for callee in CALLEES {
        let key = world.keys.get(callee).map(ToString::to_string);
        let namespace = key.as_deref().unwrap_or(callee);
        let ask = AuthzRequest::FromActor {
            actor: world.ids[actor],
            binding: "",
            namespace,
            operation: "Greet",
        };
        let verdict = verdict(gate, &ask);
        writeln!(out, "{policy:9} {actor:10} actor:{callee:23} Greet          {verdict}")
            .expect("text grows");
    }
}

fn provider_rows(out: &mut String, world: &World, gate: &Guarded, policy: &str) {
    for bound in &world.bindings {
        for provider in [TargetId(1), TargetId(2)] {
            for operation in ["HandleRequest", "Get"] {
                let ask = AuthzRequest::FromProvider { provider, binding: bound.id, operation };
                let actor = ACTORS[usize::try_from(bound.actor.0).expect("few actors")];
                let (contract, verdict) = (&bound.contract.id, verdict(gate, &ask));
                writeln!(
                    out,
                    "{policy:9} provider {} over {actor}'s {contract}: {operation:14} {verdict}",
                    provider.0
                )
                .expect("text grows");
            }
        }
    }
    let ask = AuthzRequest::FromProvider {
        provider: TargetId(1),
        binding: BindingId(999),
        operation: "Get",
    };
    writeln!(out, "{policy:9} provider 1 over nothing: Get {}", verdict(gate, &ask))
        .expect("text grows");
}

fn verdict(gate: &Guarded, ask: &AuthzRequest<'_>) -> String {
    match gate.admit(ask) {
        Ok(permit) => {
            let granted = permit.redeem();
            format!("admit -> {}", granted.target.0)
        }
        // The matrix holds no keys, which differ from run to run.
        Err(error) => {
            let words: Vec<_> = error.message().split(' ').map(without_key).collect();
            format!("{} {}", error.code(), words.join(" "))
        }
    }
}

fn without_key(word: &str) -> &str {
    let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    if bare.len() == 56 && bare.starts_with('M') { "KEY" } else { word }
}
