//! Providers that panic, hang or answer late take nobody with them.

use std::time::Duration;

use tokio::time::Instant;
use trellis_control::LifecycleState;
use trellis_testkit::guests::by_hand;

use crate::stage::{Stage, done};

const STORE: &str = "providers: [{builtin: store}]\n";

#[tokio::test]
async fn a_panic_about_addresses_is_nobody_elses() {
    let stage = Stage::new();
    stage.script.panic("addresses");
    assert_eq!(done(&stage.apply(STORE).await), ["started provider store (store)"]);
    assert_eq!(stage.status().providers.len(), 1);
    let applied = stage.apply("{}\n").await;
    assert_eq!(done(&applied), ["stopped provider store"], "the owner goes on");
}

#[tokio::test]
async fn a_panic_before_there_is_a_future_fails_one_binding() {
    let stage = Stage::new();
    stage.put("one", &by_hand("(memory (export \"memory\") 1)", "(i32.const 1)"));
    stage.script.panic("bind at store");
    let applied = stage
        .apply(
            "
actors: [{image: one.wasm, name: one}]
providers: [{builtin: server}, {builtin: store}]
bindings:
  - {actor: one, capability: 'test:store'}
  - {actor: one, capability: 'test:server'}
",
        )
        .await;
    assert_eq!(applied.faults.len(), 1, "{applied:?}");
    assert_eq!(applied.faults[0].what, "binding of one to test:store");
    stage.script.happened("bind one at server", 1).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_the_one_before_says_nothing_of_its_successor() {
    let stage = Stage::new();
    stage.apply(STORE).await;
    stage.script.hang("health");
    stage.script.happened("ask store", 1).await;
    stage.force("providers: [{builtin: store, values: {SIZE: '2'}}]\n").await;
    stage.script.fall_ill(Some("it is being replaced"));
    stage.script.go_on();
    // Less than from one check to the next.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(stage.status().degraded, []);
    let states = stage.status().components.into_iter().map(|it| it.lifecycle.state());
    assert!(states.clone().any(|state| state == LifecycleState::Ready));
    assert!(!{ states }.any(|state| state == LifecycleState::Degraded));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_does_not_shut_down_is_dropped() {
    let stage = Stage::new();
    stage.apply("providers: [{builtin: store, values: {PATH: one}}]\n").await;
    stage.script.hang("shutdown");
    let asked = Instant::now();
    let larger = "providers: [{builtin: store, values: {PATH: one, SIZE: '2'}}]\n";
    assert_eq!(stage.apply(larger).await.faults, []);
    assert!(asked.elapsed() < Duration::from_secs(6), "{:?}", asked.elapsed());
    let until = Instant::now() + Duration::from_secs(60);
    stage.supervisor.stop(until.into_std()).await;
    assert!(Instant::now() < until + Duration::from_secs(5), "a stop has a bound too");
}
