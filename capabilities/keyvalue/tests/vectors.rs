//! The exact bytes of every message, and the forms that are tolerated.

use trellis_capabilities_keyvalue::*;
use trellis_core::vectors::Suite;

#[test]
fn every_message_has_its_bytes() {
    Suite::read(include_str!("../vectors/keyvalue.json"))
        .check::<Add>()
        .check::<Get>()
        .check::<Set>()
        .check::<Del>()
        .check::<Clear>()
        .check::<Range>()
        .check::<Push>()
        .check::<ListItemDelete>()
        .check::<SetAdd>()
        .check::<SetRemove>()
        .check::<SetUnion>()
        .check::<SetIntersection>()
        .check::<SetQuery>()
        .check::<KeyExists>()
        .finish();
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
