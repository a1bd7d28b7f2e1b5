//! The exact bytes of every message, and the forms that are tolerated.

use trellis_capabilities_keyvalue::{CONTRACT, visit_operations};
use trellis_core::vectors::Suite;

#[test]
fn every_message_has_its_bytes() {
    Suite::read(include_str!("../vectors/keyvalue.json")).check(visit_operations);
}

#[test]
fn the_contract_has_the_fourteen_operations() {
    let contract = CONTRACT;
    let names: Vec<_> = contract.operations.iter().map(|operation| &*operation.name).collect();
    assert_eq!(
        names.join(" "),
        "Add Get Set Del Clear Range Push ListItemDelete SetAdd SetRemove SetUnion \
         SetIntersection SetQuery KeyExists"
    );
    assert!(CONTRACT.answers_to("wascc:keyvalue") && CONTRACT.answers_to("wasmcloud:keyvalue"));
}
