//! What is told of everything that runs or is wanted.

use std::time::Duration;

use trellis_control::{ActorEntry, Condition, Overview, REDACTED};
use trellis_core::Code;
use trellis_providers_sdk::Restart;
use trellis_testkit::guests::by_hand;

use crate::provider::Making;
use crate::stage::Stage;

const TWO: &str = "
actors: [{image: two.wasm, name: two}, {image: one.wasm, name: one, instances: {max: 3}}]
providers: [{builtin: store, values: {PATH: a, SIZE: canary}}, {builtin: server}]
bindings:
  - {actor: two, capability: 'test:store', values: {SIZE: canary}}
  - {actor: one, capability: 'test:store'}
  - {actor: one, capability: 'test:server', name: front}
";

fn stage() -> Stage {
    let stage = Stage::new();
    for name in ["one", "two"] {
        stage.put(name, &by_hand("(memory (export \"memory\") 1)", "(i32.const 1)"));
    }
    stage
}

/// How everything is, in a line each.
fn states(overview: &Overview) -> Vec<String> {
    let actors = overview.actors.iter().map(|it| format!("{} {}", it.name, it.state));
    let providers = overview.providers.iter().map(|it| format!("{} {}", it.name, it.state));
    let bindings = overview.bindings.iter().map(|it| format!("{} {}", it.binding, it.state));
    actors.chain(providers).chain(bindings).collect()
}

#[tokio::test(start_paused = true)]
async fn all_that_runs_is_told_in_its_order() {
    let stage = stage();
    assert_eq!(stage.apply(TWO).await.faults, []);
    let overview = stage.supervisor.overview();
    let wanted = [
        "one ready",
        "two ready",
        "server ready",
        "store ready",
        "one to test:server as front ready",
        "one to test:store ready",
        "two to test:store ready",
    ];
    assert_eq!(states(&overview), wanted);
    let ActorEntry { key, issuer, limits, instances, bindings, digest, .. } = &overview.actors[0];
    assert_eq!(key, &stage.account.subject("one").to_string());
    assert_eq!(issuer.as_deref(), Some(stage.account.issuer().public().as_str()));
    assert_eq!((limits["instances_max"], digest.len()), (3, 64));
    assert_eq!(instances.map(|it| it.waiting), Some(0));
    assert_eq!(bindings.len(), 2, "{bindings:?}");
}

#[tokio::test(start_paused = true)]
async fn what_may_be_a_secret_is_shown_nowhere() {
    let stage = stage();
    assert_eq!(stage.apply(TWO).await.faults, []);
    let overview = stage.supervisor.overview();
    let store = &overview.providers[1];
    assert_eq!((&*store.values["SIZE"], store.values["PATH"].ends_with('a')), (REDACTED, true));
    assert!(!format!("{overview:?}").contains("canary"), "{overview:#?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_wanted_and_does_not_run_is_told_with_its_reason() {
    let stage = stage();
    stage.script.next([Making::Fails(Code::Provider)]);
    stage.script.refuse("bind at server");
    let applied = stage.apply(TWO).await;
    let overview = stage.supervisor.overview();
    let down = |state, reasons: &[trellis_control::Degraded]| {
        state == Condition::Down && applied.faults.iter().any(|it| it.why == reasons[0].why)
    };
    let store = &overview.providers[1];
    assert!(down(store.state, &store.reasons), "{store:#?}");
    let front = &overview.bindings[0];
    assert!(down(front.state, &front.reasons), "{front:#?}");
}

#[tokio::test(start_paused = true)]
async fn while_a_change_is_under_way_it_is_told_what_is_on_its_way() {
    let stage = stage();
    stage.script.next([Making::Hangs]);
    let starting = stage.begin(TWO).await;
    stage.script.happened("make store canary", 1).await;
    let overview = stage.supervisor.overview();
    assert!(!starting.is_finished());
    assert_eq!(states(&overview).len(), 7);
    assert_eq!(overview.providers[1].state, Condition::Starting, "{overview:#?}");
}

/// What leads to something that is of no use is of none itself.
#[tokio::test(start_paused = true)]
async fn a_binding_is_no_better_than_its_provider() {
    let stage = stage();
    assert_eq!(stage.apply(TWO).await.faults, []);
    let store = |overview: &Overview| {
        let bindings = overview.bindings.iter().filter(|it| it.provider == "store");
        bindings.map(|it| (it.state, it.reasons.clone())).collect::<Vec<_>>()
    };
    stage.script.fail(Restart::Quarantine(Duration::from_secs(60)));
    while store(&stage.supervisor.overview())[0].0 == Condition::Ready {
        tokio::task::yield_now().await;
    }
    let overview = stage.supervisor.overview();
    let provider = &overview.providers[1];
    assert_eq!((provider.state, provider.reasons[0].code), (Condition::Down, Code::CrashLoop));
    let same = (Condition::Down, provider.reasons.clone());
    assert_eq!(store(&overview), [same.clone(), same], "{overview:#?}");
    stage.script.recover();
    while store(&stage.supervisor.overview())[0].0 != Condition::Ready {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_starts_is_told_with_what_it_waits_for() {
    let stage = stage();
    stage.script.next([Making::Hangs]);
    let starting = stage.begin(TWO).await;
    stage.script.happened("make store canary", 1).await;
    stage.script.happened("made server", 1).await;
    let waits = || {
        let Overview { actors, providers, bindings } = stage.supervisor.overview();
        assert!(actors.iter().all(|it| it.state == Condition::Starting), "{actors:#?}");
        let waits =
            |name: &str| providers.iter().find(|it| it.name == name).map(|it| &it.waits_for);
        let of = [waits("server").cloned(), waits("store").cloned()];
        (of, bindings[1].waits_for.clone())
    };
    let store = || vec!["provider store".to_owned()];
    // The modules take their time, which is no concern of this test.
    while waits().0 != [Some(store()), Some(Vec::new())] {
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(!starting.is_finished());
    }
    assert_eq!(waits().1, ["actor one", "provider store"]);
}

/// Its modules may be on a slow disk, or not be built yet.
#[tokio::test(start_paused = true)]
async fn a_manifest_is_listed_before_it_was_checked() {
    let stage = stage();
    let manifest = stage.read(TWO);
    stage.supervisor.expects(&manifest);
    let expected = |state: &str| {
        let names = [
            "one",
            "two",
            "server",
            "store",
            "one to test:server as front",
            "one to test:store",
            "two to test:store",
        ];
        names.map(|name| format!("{name} {state}"))
    };
    let overview = stage.supervisor.overview();
    assert_eq!(states(&overview), expected("starting"));
    assert_eq!(overview.actors[0].waits_for, ["the manifest to be checked"]);
    assert_eq!(
        (overview.actors[0].limits["instances_max"], overview.actors[0].bindings.len()),
        (3, 2)
    );
    assert!(!format!("{overview:?}").contains("canary"), "{overview:#?}");
    let why = trellis_control::Degraded {
        what: "the manifest was not applied".to_owned(),
        code: Code::NotFound,
        why: "there is no module one.wasm".to_owned(),
        since_unix_s: 100,
        retry_unix_s: None,
    };
    stage.supervisor.cannot_have(&why);
    let overview = stage.supervisor.overview();
    assert_eq!(states(&overview), expected("down"));
    assert_eq!(
        (&overview.bindings[0].reasons[..], overview.actors[0].waits_for.len()),
        (&[why][..], 0)
    );
    // From now on only what is wanted counts.
    assert_eq!(stage.apply(TWO).await.faults, []);
    stage.supervisor.expects(&stage.read("providers: [{builtin: store, name: later}]\n"));
    assert_eq!(states(&stage.supervisor.overview()), expected("ready"));
}
