//! Actors that fail while their neighbors serve.

use trellis_e2e::hostile::{harmless, hostile};
use trellis_e2e::{Step, actor, app, get, post};

use crate::scenarios;

scenarios! {
    /// A trap is a 502 and costs one instance; the actor serves on.
    a_guest_that_traps = [
        actor("traps", hostile("traps")),
        actor("neighbor", harmless()),
        app(&[("traps", ""), ("neighbor", "")]),
        Step::Start,
        get("traps", "/").is(200, "ok"),
        post("traps", "").is(502, "E_TRAP"),
        get("traps", "/").is(200, "ok"),
        get("neighbor", "/").is(200, "ok"),
        Step::Metric("trellis_guest_fault_total{kind=\"E_TRAP\"}", 1.0),
    ];
}
