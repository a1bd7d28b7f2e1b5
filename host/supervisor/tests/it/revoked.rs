//! An actor that is expelled while a provider is told of its binding: the provider learns that too,
//! and after the binding.

use std::sync::{Arc, Mutex};

use tokio::task::JoinHandle;
use trellis_control::{Applied, Component, ComponentKind, LifecycleState};
use trellis_core::CallError;
use trellis_supervisor::Witness;
use trellis_testkit::guests::by_hand;

use crate::stage::Stage;

fn stage() -> Stage {
    let stage = Stage::new();
    stage.put("one", &by_hand("(memory (export \"memory\") 1)", "(i32.const 1)"));
    stage
}

fn bound(provider: &str, contract: &str) -> String {
    format!(
        "
actors: [{{image: one.wasm, name: one}}]
providers: [{provider}]
bindings: [{{actor: one, capability: '{contract}'}}]
"
    )
}

/// Begins to apply a manifest of which somebody hangs.
async fn begin(stage: &Stage, manifest: &str) -> JoinHandle<Applied> {
    let prepared = stage.prepare(manifest).await;
    let supervisor = stage.supervisor.clone();
    tokio::spawn(async move { supervisor.apply(prepared, Default::default()).await })
}

async fn revoke(stage: &Stage) {
    let revoked = stage.account.subject("one");
    let trust = stage.trust().revoke(&revoked).expect("a module may be revoked");
    assert_eq!(stage.supervisor.enforce(trust).await.len(), 1);
}

#[tokio::test]
async fn while_a_server_is_told() {
    let stage = stage();
    stage.script.hang("bind at server");
    let applying = begin(&stage, &bound("{builtin: server}", "test:server")).await;
    stage.script.happened("bind one at server", 1).await;
    revoke(&stage).await;
    stage.script.happened("unbind at server", 1).await;
    stage.script.go_on();
    applying.await.expect("it ends");
    stage.script.happened("unbind at server", 2).await;
}

#[tokio::test]
async fn while_a_successor_is_told() {
    let stage = stage();
    stage.apply(&bound("{builtin: store}", "test:store")).await;
    stage.script.hang("bind at store 2");
    let larger = bound("{builtin: store, values: {SIZE: '2'}}", "test:store");
    let applying = begin(&stage, &larger).await;
    stage.script.happened("bind one at store 2", 1).await;
    revoke(&stage).await;
    stage.script.happened("unbind at store", 1).await;
    stage.script.go_on();
    assert_eq!(applying.await.expect("it ends").faults, []);
    stage.script.happened("unbind at store 2", 1).await;
}

#[tokio::test]
async fn while_one_is_told_that_could_not_stand_beside_the_old_one() {
    let stage = stage();
    let store = |size| {
        bound(&format!("{{builtin: store, values: {{PATH: one, SIZE: {size}}}}}"), "test:store")
    };
    stage.apply(&store("'1'")).await;
    stage.script.hang("bind at store 2");
    let applying = begin(&stage, &store("'2'")).await;
    stage.script.happened("bind one at store 2", 1).await;
    revoke(&stage).await;
    stage.script.go_on();
    assert_eq!(applying.await.expect("it ends").faults, []);
    stage.script.happened("unbind at store 2", 1).await;
}

#[tokio::test]
async fn it_is_told_with_its_code_once() {
    let stage = stage();
    stage.apply(&bound("{builtin: store}", "test:store")).await;
    revoke(&stage).await;
    let told: Vec<_> = stage.status().degraded.iter().map(ToString::to_string).collect();
    let [told] = &told[..] else { panic!("{told:#?}") };
    assert!(told.starts_with("actor one: the actor M"), "{told}");
    assert_eq!(told.matches("E_REVOKED").count(), 1, "{told}");
}

/// What happens to what runs, as it is told.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Witness for Told {
    fn entered(&self, component: &Component, before: LifecycleState) {
        let state = component.lifecycle.state();
        self.note(format!("{} {before} {state}", component.subject()));
    }

    fn barred(&self, (kind, name): (ComponentKind, &str), error: &CallError) {
        self.note(format!("{kind} {name} {}", error.code()));
    }

    fn left_behind(&self, actor: &str, why: &str) {
        self.note(format!("{actor} {why}"));
    }
}

impl Told {
    fn note(&self, text: String) {
        self.0.lock().expect("no test panics here").push(text);
    }
}

#[tokio::test]
async fn whoever_wants_to_know_is_told() {
    let stage = stage();
    let told = Arc::<Told>::default();
    stage.supervisor.is_seen_by(Arc::clone(&told) as Arc<_>);
    stage.apply("actors: [{image: one.wasm, name: one}]\n").await;
    revoke(&stage).await;
    let told = std::mem::take(&mut *told.0.lock().expect("no test panics here"));
    assert_eq!(told.first().map(String::as_str), Some("actor one starting ready"), "{told:?}");
    assert!(told.contains(&"actor one E_REVOKED".to_owned()), "{told:?}");
}
