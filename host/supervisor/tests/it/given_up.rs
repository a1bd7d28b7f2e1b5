//! What cannot be had whole is not had at all, and what ran goes on.

use trellis_core::Code;
use trellis_testkit::guests::by_hand;

use crate::provider::Making;
use crate::stage::{Stage, done};

const ONE: &str = "
actors: [{image: one.wasm, name: one}]
providers: [{builtin: store}]
bindings:
  - {actor: one, capability: 'test:store'}
";

/// The actor is bound to a provider beside the other one.
const MOVED: &str = "
actors: [{image: one.wasm, name: one}]
providers: [{builtin: store}, {builtin: store, name: other, values: {SIZE: '2'}}]
bindings:
  - {actor: one, capability: 'test:store', provider: other}
";

fn put(stage: &Stage, pages: u32) {
    let memory = format!("(memory (export \"memory\") {pages})");
    stage.put("one", &by_hand(&memory, "(i32.const 1)"));
}

/// The successor of the one store, for an actor whose module is another one too.
fn larger() -> String {
    ONE.replace("{builtin: store}", "{builtin: store, values: {SIZE: '2'}}")
}

#[tokio::test]
async fn a_version_without_its_provider_does_not_take_over() {
    let stage = Stage::new();
    put(&stage, 1);
    stage.apply(ONE).await;
    put(&stage, 2);
    stage.script.next([Making::Fails(Code::Config)]);
    let applied = stage.apply(MOVED).await;
    assert!(done(&applied).is_empty(), "{applied:?}");
    let what: Vec<_> = applied.faults.iter().map(|fault| &*fault.what).collect();
    assert_eq!(what, ["provider other", "actor one"]);
    assert!(applied.faults[1].why.contains("provider other"), "{applied:?}");
    assert!(stage.script.times("unbind at store").is_empty(), "the old version is still bound");
    // Its provider starts in a later try, and the version with it.
    stage.script.happened("unbind at store", 1).await;
    assert_eq!(stage.script.times("bind one at store 2").len(), 1);
}

#[tokio::test]
async fn a_first_version_starts_without_its_provider() {
    let stage = Stage::new();
    put(&stage, 1);
    stage.script.next([Making::Fails(Code::Config)]);
    let applied = stage.apply(ONE).await;
    assert_eq!(done(&applied), ["started actor one"]);
    assert_eq!(applied.faults.len(), 1, "{applied:?}");
    stage.script.happened("bind one at store", 1).await;
}

#[tokio::test]
async fn what_only_a_discarded_successor_knew_the_old_one_is_told() {
    let stage = Stage::new();
    put(&stage, 1);
    stage.apply(ONE).await;
    put(&stage, 2);
    stage.script.fall_ill(Some("its server is down"));
    let applied = stage.apply(&larger()).await;
    assert_eq!(done(&applied), ["replaced actor one"]);
    assert_eq!(applied.faults.len(), 1, "{applied:?}");
    // The first version's twice, again because the successor may have taken something from it.
    assert_eq!(stage.script.times("bind one at store").len(), 3);
    stage.script.happened("unbind at store", 1).await;
}

#[tokio::test]
async fn a_version_that_the_old_provider_refuses_is_given_up() {
    let stage = Stage::new();
    put(&stage, 1);
    stage.apply(ONE).await;
    put(&stage, 2);
    stage.script.fall_ill(Some("its server is down"));
    stage.script.refuse("bind at store");
    let applied = stage.apply(&larger()).await;
    assert!(done(&applied).is_empty(), "{applied:?}");
    let what: Vec<_> = applied.faults.iter().map(|fault| &*fault.what).collect();
    assert_eq!(what, ["binding of one to test:store", "provider store", "actor one"]);
    // Only that of the new version: the provider may have kept something of it.
    stage.script.happened("unbind at store", 1).await;
    // The module was never wrong: it is tried again without another one.
    stage.script.go_on();
    stage.script.happened("unbind at store", 2).await;
}

/// Two stores; the actor is bound to the first.
const FIRST: &str = "
actors: [{image: one.wasm, name: one}]
providers:
  - {builtin: store, name: a, values: {SIZE: a}}
  - {builtin: store, name: b, values: {SIZE: b}}
  - {builtin: server}
bindings: [{actor: one, capability: 'test:store', provider: a}]
";

/// A module that is refused.
fn put_wrong(stage: &Stage) {
    stage.put("one", b"\0asm\x01\0\0\0");
}

#[tokio::test]
async fn a_binding_that_is_not_wanted_goes_though_its_version_is_refused() {
    let stage = Stage::new();
    put(&stage, 1);
    stage.apply(FIRST).await;
    put_wrong(&stage);
    let without = FIRST.split("bindings").next().expect("what is before");
    let applied = stage.apply(without).await;
    assert_eq!(done(&applied), ["unbound one to test:store from provider a"]);
    assert_eq!(applied.faults[0].what, "actor one");
    stage.script.happened("unbind at store a", 1).await;
}

#[tokio::test]
async fn a_binding_that_is_not_wanted_goes_with_the_version_before() {
    let stage = Stage::new();
    put(&stage, 1);
    stage.apply(FIRST).await;
    put(&stage, 2);
    let without = FIRST.split("bindings").next().expect("what is before");
    let applied = stage.apply(without).await;
    assert_eq!(done(&applied).len(), 2, "{applied:?}");
    stage.script.happened("unbind at store a", 1).await;
}

#[tokio::test]
async fn a_binding_that_changes_waits_for_its_version_in_every_try() {
    let stage = Stage::new();
    put(&stage, 1);
    stage.put("two", &by_hand("(memory (export \"memory\") 1)", "(i32.const 1)"));
    stage.apply(FIRST).await;
    put_wrong(&stage);
    // Something else is tried again meanwhile.
    stage.script.refuse("bind at server");
    let second = FIRST
        .replace("name: one}]", "name: one}, {image: two.wasm, name: two}]")
        .replace("provider: a}]", "provider: b}, {actor: two, capability: 'test:server'}]");
    let applied = stage.apply(&second).await;
    let waits = |why: &str| why.contains("waits for the new version of one");
    assert!(applied.faults.iter().any(|fault| waits(&fault.why)), "{applied:?}");
    stage.script.happened("bind two at server", 3).await;
    assert!(stage.script.times("bind one at store b").is_empty(), "{:?}", stage.script.events());
    let status = stage.status();
    assert!(status.degraded.iter().any(|row| waits(&row.why)), "{status:?}");
}

#[tokio::test]
async fn a_binding_that_cannot_leave_is_not_given_another_store() {
    let stage = Stage::new();
    put(&stage, 1);
    let first = "
actors: [{image: one.wasm, name: one}]
providers: [{builtin: store, values: {SIZE: x}}]
bindings: [{actor: one, capability: 'test:store'}]
";
    stage.apply(first).await;
    let second = first
        .replace("SIZE: x}}]", "SIZE: y}}, {builtin: store, name: other, values: {SIZE: z}}]")
        .replace("'test:store'}]", "'test:store', provider: other}]");
    stage.script.next([Making::Fails(Code::Storage), Making::Works]);
    let applied = stage.apply(&second).await;
    assert!(stage.script.times("bind one at store y").is_empty(), "{:?}", stage.script.events());
    let what: Vec<_> = applied.faults.iter().map(|fault| &*fault.what).collect();
    assert_eq!(what, ["provider other", "provider store"], "{applied:?}");
    // In a later try both are to be had.
    stage.script.happened("bind one at store z", 1).await;
}
