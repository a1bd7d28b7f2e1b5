//! What a change only tries says nothing of what works.

use std::time::Duration;

use tokio::time::sleep;
use trellis_control::Applied;
use trellis_supervisor::ApplyOptions;
use trellis_testkit::guests::by_hand;

use crate::stage::{Stage, done};

/// More than from one check of the providers to the next.
const CHECKED: Duration = Duration::from_secs(6);

/// Two actors at one store, with the values of the store and of the bindings.
fn manifest(store: &str, one: &str, two: &str) -> String {
    format!(
        "
actors: [{{image: one.wasm, name: one}}, {{image: two.wasm, name: two}}]
providers:
  - {{builtin: store, values: {{{store}}}}}
  - {{builtin: store, name: slow, values: {{SIZE: slow}}}}
bindings:
  - {{actor: one, capability: 'test:store', provider: store, values: {{{one}}}}}
  - {{actor: two, capability: 'test:store', provider: store, values: {{{two}}}}}
"
    )
}

/// The same with one more binding, which takes its time.
fn slowly(manifest: &str) -> String {
    format!("{manifest}  - {{actor: two, capability: 'test:store', provider: slow, name: slow}}\n")
}

fn stage() -> Stage {
    let stage = Stage::new();
    for name in ["one", "two"] {
        stage.put(name, &by_hand("(memory (export \"memory\") 1)", "(i32.const 1)"));
    }
    stage
}

#[track_caller]
fn is_refused(applied: &Applied, what: &str, why: &str) {
    let [fault] = &applied.faults[..] else { panic!("{applied:?}") };
    assert_eq!(fault.what, what);
    assert!(fault.why.contains(why), "{fault:?}");
}

#[tokio::test(start_paused = true)]
async fn a_binding_that_is_tried_makes_no_provider_look_ill() {
    let stage = stage();
    let works = manifest("SIZE: '1'", "", "");
    assert_eq!(stage.apply(&works).await.faults, []);
    // While one binding is tried that is not well, the providers are asked how they are.
    stage.script.fall_ill_with("2");
    stage.script.hang("bind at store slow");
    let trying = stage.begin(&slowly(&manifest("SIZE: '1'", "SIZE: '2'", ""))).await;
    stage.script.happened("bind two at store slow", 1).await;
    sleep(CHECKED).await;
    assert!(!trying.is_finished());
    assert_eq!(stage.status().degraded, [], "nothing that serves is ill");
    // What is not well takes the place of nothing meanwhile: the trial makes way.
    stage.script.fall_ill_with("3");
    let worse = manifest("SIZE: '3'", "", "");
    is_refused(&stage.apply(&worse).await, "provider store", "3 is down");
    assert!(trying.await.expect("it ends").superseded);
    let forced = stage.force(&worse).await;
    assert_eq!(done(&forced), ["replaced provider store (store) with another SIZE"]);
}

#[tokio::test(start_paused = true)]
async fn a_binding_that_is_not_well_covers_for_no_other() {
    let stage = stage();
    stage.script.fall_ill_with("2");
    let with_one_ill = |size: &str| manifest(&format!("SIZE: '{size}'"), "", "SIZE: '2'");
    assert_eq!(stage.apply(&with_one_ill("1")).await.faults, []);
    sleep(CHECKED).await;
    let [row] = &stage.status().degraded[..] else { panic!("{:?}", stage.status()) };
    assert_eq!((&*row.what, &*row.why), ("provider store", "2 is down"));
    // The other one is well, and would not be.
    stage.script.fall_ill_with("3");
    is_refused(&stage.apply(&with_one_ill("3")).await, "provider store", "3 is down");
    // To the one that is not it makes no difference.
    let applied = stage.apply(&with_one_ill("4")).await;
    assert_eq!(done(&applied), ["replaced provider store (store) with another SIZE"]);
    assert_eq!(applied.faults, []);
}

#[tokio::test(start_paused = true)]
async fn a_binding_that_went_while_it_was_asked_about_ails_nobody() {
    let stage = stage();
    stage.script.fall_ill_with("2");
    assert_eq!(stage.apply(&manifest("SIZE: '1'", "SIZE: '2'", "")).await.faults, []);
    stage.script.hang("health");
    stage.script.happened("ask store 1", 1).await;
    assert_eq!(stage.force(&manifest("SIZE: '1'", "", "")).await.faults, []);
    stage.script.go_on();
    // Less than from one check to the next.
    sleep(Duration::from_secs(1)).await;
    assert_eq!(stage.status().degraded, []);
}

#[tokio::test(start_paused = true)]
async fn to_force_one_says_nothing_of_another() {
    let stage = stage();
    let with = |one: &str, other: &str| {
        format!(
            "
actors: [{{image: one.wasm, name: one}}, {{image: two.wasm, name: two}}]
providers:
  - {{builtin: store, values: {{SIZE: '{one}'}}}}
  - {{builtin: store, name: other, values: {{SIZE: '{other}'}}}}
bindings:
  - {{actor: one, capability: 'test:store', provider: store}}
  - {{actor: two, capability: 'test:store', provider: other}}
"
        )
    };
    assert_eq!(stage.apply(&with("1", "1")).await.faults, []);
    stage.script.fall_ill_with("2");
    stage.script.fall_ill_with("3");
    let mut prepared = stage.prepare(&with("2", "3")).await;
    prepared.forces("store");
    let applied = stage.supervisor.apply(prepared, ApplyOptions::default()).await;
    assert_eq!(done(&applied), ["replaced provider store (store) with another SIZE"]);
    is_refused(&applied, "provider other", "3 is down");
}

/// Nothing is made worse by that, so it needs no force.
#[tokio::test(start_paused = true)]
async fn one_that_is_down_makes_place_for_another_that_is_down() {
    let stage = stage();
    stage.script.fall_ill_with("1");
    stage.script.fall_ill_with("2");
    let with = |size: &str| manifest(&format!("SIZE: '{size}'"), "", "");
    assert_eq!(stage.apply(&with("1")).await.faults, [], "nor does a start");
    sleep(CHECKED).await;
    assert_eq!(stage.status().degraded.len(), 1, "{:?}", stage.status());
    let applied = stage.apply(&with("2")).await;
    assert_eq!(done(&applied), ["replaced provider store (store) with another SIZE"]);
    assert_eq!(applied.faults, []);
}
