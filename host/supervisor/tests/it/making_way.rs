//! A change makes way for what is wanted now, and what is wanted all along comes nevertheless.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use trellis_entitlements::Rules;
use trellis_supervisor::ApplyOptions;
use trellis_testkit::guests::by_hand;

use crate::provider::Making;
use crate::stage::{Stage, done};

const STORE: &str = "providers: [{builtin: store}]\n";
const SERVER: &str = "providers: [{builtin: server}]\n";

/// An actor with such a number in its code.
fn numbered(number: u32) -> Vec<u8> {
    let items = format!("(memory (export \"memory\") 1) (global i32 (i32.const {number}))");
    by_hand(&items, "(i32.const 1)")
}

/// An actor that never ends to start.
fn endless() -> Vec<u8> {
    let init = "(func (export \"_initialize\") (loop $forever (br $forever)))";
    by_hand(&format!("(memory (export \"memory\") 1) {init}"), "(i32.const 1)")
}

async fn compiled(stage: &Stage, count: u64) {
    let reached = async {
        while stage.engine.metrics().modules_compiled() < count {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(60), reached).await.expect("they are compiled");
}

#[tokio::test(start_paused = true)]
async fn what_comes_anyway_is_not_interrupted_when_it_is_asked_for_again() {
    let stage = Stage::new();
    stage.script.next([Making::Hangs]);
    let first = stage.begin(STORE).await;
    stage.script.happened("make store", 1).await;
    let again = stage.begin(STORE).await;
    let (first, again) = tokio::join!(first, again);
    let (first, again) = (first.expect("it ends"), again.expect("it ends"));
    assert_eq!(first.faults.len(), 1, "{first:?}");
    assert_eq!((first.superseded, &again), (false, &first));
    assert_eq!(stage.script.times("make store").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_forced_is_not_what_comes_anyway() {
    let stage = Stage::new();
    stage.script.next([Making::Hangs]);
    let first = stage.begin(STORE).await;
    stage.script.happened("make store", 1).await;
    assert_eq!(done(&stage.force(STORE).await), ["started provider store (store)"]);
    assert!(first.await.expect("it ends").superseded);
}

#[tokio::test]
async fn a_module_that_is_there_is_not_loaded_again_when_another_changes() {
    const MANIFEST: &str = "
actors: [{image: kept.wasm, name: kept}, {image: saved.wasm, name: saved}]
providers: [{builtin: store}]
";
    let stage = Stage::new();
    stage.put("kept", &numbered(0));
    stage.put("saved", &numbered(1));
    stage.script.next([Making::Hangs]);
    let first = stage.begin(MANIFEST).await;
    compiled(&stage, 2).await;
    stage.put("saved", &numbered(2));
    let applied = stage.apply(MANIFEST).await;
    assert!(first.await.expect("it ends").superseded);
    assert!(applied.faults.is_empty(), "{applied:?}");
    assert_eq!(stage.status().actors, ["kept", "saved"]);
    assert_eq!(stage.engine.metrics().modules_compiled(), 3);
}

#[tokio::test]
async fn a_module_on_its_way_is_not_begun_again_when_another_changes() {
    const MANIFEST: &str = "
actors:
- {image: endless.wasm, name: endless, instances: {min: 1}, limits: {init_time: 600s}}
- {image: saved.wasm, name: saved}
";
    let stage = Stage::new();
    stage.put("endless", &endless());
    stage.put("saved", &numbered(1));
    let first = stage.begin(MANIFEST).await;
    compiled(&stage, 2).await;
    stage.put("saved", &numbered(2));
    let second = stage.begin(MANIFEST).await;
    assert!(first.await.expect("it ends").superseded);
    compiled(&stage, 3).await;
    let applied = stage.apply("actors: [{image: saved.wasm, name: saved}]\n").await;
    assert!(second.await.expect("it ends").superseded);
    assert!(applied.faults.is_empty(), "{applied:?}");
    assert_eq!(stage.engine.metrics().modules_compiled(), 3);
}

/// Something else is wanted every second.
async fn storm(stage: &Stage, beside: &str, goes_on: impl Fn(Instant) -> bool) {
    let begun = Instant::now();
    let mut size = 0;
    while goes_on(begun) {
        size += 1;
        stage.script.next([Making::Hangs]);
        let store = format!("{{builtin: store, values: {{SIZE: '{size}'}}}}");
        drop(stage.begin(&format!("providers: [{{builtin: server}}, {store}]\n{beside}")).await);
        sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_changes_all_the_time_holds_back_nothing_for_ever() {
    let stage = Stage::new();
    let begun = Instant::now();
    let waits = |_| stage.status().providers.is_empty() && begun.elapsed().as_secs() < 600;
    storm(&stage, "", waits).await;
    assert!((30..60).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn one_that_stays_does_not_stay_for_ever() {
    const ENDLESS: &str = "actors:
- {image: endless.wasm, name: endless, instances: {min: 1}, limits: {init_time: 600s}}
";
    let stage = Stage::new();
    stage.put("endless", &endless());
    storm(&stage, ENDLESS, |begun| begun.elapsed().as_secs() < 35).await;
    let asked = Instant::now();
    let applied = stage.apply("providers: [{builtin: server}]\n").await;
    assert_eq!(done(&applied), ["started provider server (server)"]);
    assert!((20..60).contains(&asked.elapsed().as_secs()), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn what_a_change_did_before_it_made_way_is_told() {
    const BEFORE: &str = "
actors: [{image: one.wasm, name: one}, {image: two.wasm, name: two}]
providers: [{builtin: server}]
bindings:
  - {actor: one, capability: 'test:server'}
  - {actor: one, capability: 'test:server', name: goes}
  - {actor: two, capability: 'test:server'}
";
    const AFTER: &str = "
actors: [{image: one.wasm, name: one}]
providers: [{builtin: server, name: other}]
bindings: [{actor: one, capability: 'test:server'}]
";
    let stage = Stage::new();
    stage.put("one", &numbered(1));
    stage.put("two", &numbered(2));
    let options = ApplyOptions { rules: Rules { open_calls: true }, ..ApplyOptions::default() };
    let before = stage.supervisor.apply(stage.prepare(BEFORE).await, options).await;
    assert_eq!(before.faults, []);
    stage.script.next([Making::Hangs]);
    let first = stage.begin(&AFTER.replace("other}]", "other}, {builtin: store}]")).await;
    stage.script.happened("make store", 1).await;
    let newer = stage.apply(AFTER).await;
    let first = first.await.expect("it ends");
    let expected = [
        "renamed provider server to other",
        "restricted calls between actors to those that claims list",
        "stopped actor two",
        "unbound one to test:server as goes from provider other",
    ];
    assert_eq!((first.superseded, &*done(&first)), (true, &expected.map(str::to_owned)[..]));
    assert_eq!((done(&newer), newer.faults), (vec![], vec![]), "it was all done");
}

#[tokio::test]
async fn what_took_over_before_a_change_made_way_is_told() {
    let stage = Stage::new();
    stage.put("one", &numbered(1));
    stage.script.hang("bind at server");
    let manifest = "
actors: [{image: one.wasm, name: one}]
providers: [{builtin: server}]
bindings: [{actor: one, capability: 'test:server'}]
";
    let first = stage.begin(manifest).await;
    stage.script.happened("bind one at server", 1).await;
    let newer = stage.apply(SERVER).await;
    assert_eq!(done(&newer), ["stopped actor one"]);
    let first = first.await.expect("it ends");
    assert!(first.superseded && first.faults.is_empty(), "{first:?}");
    assert_eq!(done(&first), ["started provider server (server)", "started actor one"]);
}
