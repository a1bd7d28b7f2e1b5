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
