//! The control plane waits for nobody, and what failed is tried again.

use std::time::Duration;

use tokio::time::Instant;
use trellis_core::Code;
use trellis_testkit::guests::by_hand;

use crate::provider::Making;
use crate::stage::{NOW_S, Stage, done};

const STORE: &str = "providers: [{builtin: store}]\n";
const SERVER: &str = "providers: [{builtin: server}]\n";

/// Long enough for all that should not have to be waited for.
const SOON: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_newer_manifest_takes_the_place_of_one_that_hangs() {
    let stage = Stage::new();
    stage.script.next([Making::Hangs]);
    let prepared = stage.prepare(STORE).await;
    let hanging = tokio::spawn({
        let supervisor = stage.supervisor.clone();
        async move { supervisor.apply(prepared, Default::default()).await }
    });
    stage.script.happened("make store", 1).await;
    assert!(stage.supervisor.is_changing());
    let newer = tokio::time::timeout(SOON, stage.apply(SERVER)).await.expect("it does not wait");
    assert_eq!(done(&newer), ["started provider server (server)"]);
    let older = hanging.await.expect("it ends");
    assert!(older.superseded && older.steps.is_empty() && older.faults.is_empty());
    assert!(!stage.supervisor.is_changing());
}

const BOUND: &str = "
actors: [{image: one.wasm, name: one}]
providers: [{builtin: store}, {builtin: server}]
bindings: [{actor: one, capability: 'test:store'}, {actor: one, capability: 'test:server'}]
";

#[tokio::test(start_paused = true)]
async fn a_change_that_takes_long_says_what_it_waits_for() {
    let stage = Stage::new();
    stage.script.next([Making::Hangs]);
    let hanging = stage.begin("providers: [{builtin: store}, {builtin: server}]\n").await;
    stage.script.happened("make store", 1).await;
    assert_eq!(stage.supervisor.slow_change(NOW_S), None, "it has just begun");
    while stage.supervisor.slow_change(NOW_S).is_none() {
        assert!(!hanging.is_finished(), "nobody was told");
        tokio::time::advance(Duration::from_millis(100)).await;
    }
    let told = stage.supervisor.slow_change(NOW_S).expect("it goes on");
    assert_eq!((told.since_unix_s, &*told.actors), (NOW_S - 5, &[][..]));
    assert_eq!(told.providers, ["store"], "the other one is there");
    assert!(stage.supervisor.change_time() > Duration::from_secs(5));
    let applied = hanging.await.expect("it ends");
    assert_eq!(applied.faults.len(), 1, "{applied:?}");
    assert_eq!(stage.supervisor.slow_change(NOW_S), None);
    assert_eq!(stage.supervisor.change_time(), Duration::ZERO);
}

/// What runs is asked for again while a change waits for a provider, which `hangs` until then.
async fn go_back(hangs: &'static str, seen: &str, (before, after): (&str, &str)) -> Stage {
    let stage = Stage::new();
    stage.put("one", &by_hand("(memory (export \"memory\") 1)", "(i32.const 1)"));
    assert_eq!(stage.apply(before).await.faults, []);
    stage.script.hang(hangs);
    let seen_before = stage.script.times(seen).len();
    let prepared = stage.prepare(after).await;
    let supervisor = stage.supervisor.clone();
    let hanging = tokio::spawn(async move { supervisor.apply(prepared, Default::default()).await });
    stage.script.happened(seen, seen_before + 1).await;
    let asked = Instant::now();
    assert_eq!(stage.apply(before).await.faults, []);
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    assert!(hanging.await.expect("it ends").superseded);
    assert!(stage.status().degraded.is_empty(), "{:?}", stage.status());
    stage
}

#[tokio::test(start_paused = true)]
async fn a_newer_manifest_waits_for_no_binding_of_a_store() {
    let other = BOUND.replace("'test:store'}", "'test:store', values: {SIZE: other}}");
    let stage = go_back("bind at store", "bind one at store", (BOUND, &other)).await;
    stage.script.happened("unbind at store", 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_newer_manifest_waits_for_no_successor() {
    let larger = BOUND.replace("{builtin: store}", "{builtin: store, values: {SIZE: '2'}}");
    let stage = go_back("bind at store 2", "bind one at store 2", (BOUND, &larger)).await;
    stage.script.happened("store 2 is down", 1).await;
    assert_eq!(stage.script.times("bind one at store").len(), 2, "it was told again");
    assert!(stage.script.times("shut down store").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_newer_manifest_waits_for_no_server() {
    let other = BOUND.replace("'test:server'}", "'test:server', values: {SIZE: other}}");
    let stage = go_back("bind at server", "bind one at server", (BOUND, &other)).await;
    stage.script.happened("unbind at server", 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_acts_while_something_is_applied() {
    let stage = Stage::new();
    stage.apply(SERVER).await;
    stage.script.next([Making::Hangs]);
    let prepared = stage.prepare("providers: [{builtin: server}, {builtin: store}]\n").await;
    let hanging = tokio::spawn({
        let supervisor = stage.supervisor.clone();
        async move { supervisor.apply(prepared, Default::default()).await }
    });
    stage.script.happened("make store", 1).await;
    let until = (Instant::now() + Duration::from_secs(60)).into_std();
    let stopped = tokio::time::timeout(SOON, stage.supervisor.stop(until)).await;
    stopped.expect("it does not wait");
    assert!(hanging.await.expect("it ends").superseded);
    assert!(stage.script.events().contains(&"server is down".to_owned()));
    assert!(stage.apply(STORE).await.superseded, "nothing starts any more");
}

#[tokio::test(start_paused = true)]
async fn a_second_stop_acts_at_once() {
    let stage = Stage::new();
    stage.apply(SERVER).await;
    stage.script.hang("shutdown");
    let until = (Instant::now() + Duration::from_secs(600)).into_std();
    let first = tokio::spawn({
        let supervisor = stage.supervisor.clone();
        async move { supervisor.stop(until).await }
    });
    stage.script.happened("shut down server", 1).await;
    tokio::time::timeout(SOON, stage.supervisor.stop(until)).await.expect("at once");
    first.await.expect("the first one ends with it");
    assert!(stage.status().providers.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_failed_is_tried_again_after_growing_pauses() {
    let stage = Stage::new();
    stage.script.next(vec![Making::Fails(Code::Storage); 4]);
    let applied = stage.apply("providers: [{builtin: store}, {builtin: server}]\n").await;
    assert_eq!(applied.faults.len(), 1, "the other one is not held up: {applied:?}");
    let degraded = stage.status().degraded;
    assert_eq!(degraded[0].code, Code::Storage);
    assert_eq!(degraded[0].what, "provider store");
    assert_eq!(degraded[0].since_unix_s, NOW_S);
    assert!(degraded[0].retry_unix_s.is_some_and(|at| (1..=2).contains(&(at - NOW_S))));

    stage.script.happened("made store", 1).await;
    let tries = stage.script.times("make store");
    let pauses: Vec<_> = tries.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
    for (pause, least) in pauses.iter().zip([1_000, 2_000, 4_000, 8_000]) {
        assert!((least..=least * 5 / 4 + 5).contains(pause), "{pauses:?}");
    }
    assert_eq!(pauses.len(), 4);
    while !stage.status().degraded.is_empty() {
        tokio::time::advance(Duration::from_millis(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_try_makes_way_for_another_manifest() {
    let stage = Stage::new();
    stage.script.next(vec![Making::Fails(Code::Storage); 2]);
    stage.apply(STORE).await;
    stage.apply(SERVER).await;
    assert!(stage.status().degraded.is_empty(), "it is not wanted any more");
    tokio::time::advance(Duration::from_secs(600)).await;
    tokio::task::yield_now().await;
    assert_eq!(stage.script.times("make store").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_health_check_that_hangs_is_an_answer_and_holds_up_nobody() {
    let stage = Stage::new();
    stage.apply(SERVER).await;
    stage.script.hang("health");
    let asked = Instant::now();
    while stage.status().degraded.is_empty() {
        tokio::time::advance(Duration::from_millis(100)).await;
        assert!(asked.elapsed() < Duration::from_secs(30), "nobody noticed");
        let started = Instant::now();
        stage.supervisor.enforce(stage.trust()).await;
        assert!(started.elapsed() < SOON, "the owner waits for an answer");
    }
    let degraded = &stage.status().degraded[0];
    assert_eq!((&*degraded.what, degraded.code), ("provider server", Code::Provider));
    assert!(degraded.why.contains("no answer within 2000 ms"), "{degraded}");
}

#[tokio::test]
async fn a_revocation_acts_while_a_module_is_loading() {
    let stage = Stage::new();
    let memory = "(memory (export \"memory\") 1)";
    stage.put("quick", &by_hand(memory, "(i32.const 1)"));
    stage.apply("actors: [{image: quick.wasm, name: quick}]\n").await;
    assert_eq!(stage.status().actors, ["quick"]);
    // It never ends to start.
    let init = "(func (export \"_initialize\") (loop $forever (br $forever)))";
    stage.put("slow", &by_hand(&format!("{memory} {init}"), "(i32.const 1)"));
    let prepared = stage
        .prepare(
            "actors:
- {image: quick.wasm, name: quick}
- {image: slow.wasm, name: slow, instances: {min: 1}, limits: {init_time: 600s}}
",
        )
        .await;
    let loading = tokio::spawn({
        let supervisor = stage.supervisor.clone();
        async move { supervisor.apply(prepared, Default::default()).await }
    });
    while !stage.supervisor.is_changing() {
        tokio::task::yield_now().await;
    }
    let revoked = stage.account.subject("quick");
    let trust = stage.trust().revoke(&revoked).expect("a module may be revoked");
    let names = tokio::time::timeout(Duration::from_secs(10), stage.supervisor.enforce(trust));
    let names = names.await.expect("it does not wait for the load");
    assert_eq!(names.iter().map(|name| &**name).collect::<Vec<_>>(), ["quick"]);
    assert!(stage.status().actors.is_empty());
    assert!(!loading.is_finished(), "the other one is still loading");
    let gone = stage.supervisor.stop(std::time::Instant::now());
    tokio::time::timeout(Duration::from_secs(10), gone).await.expect("nor does a stop");
    assert!(loading.await.expect("it ends").superseded);
}
