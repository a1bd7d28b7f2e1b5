//! What is told of everything that runs or is wanted.

use trellis_control::{ActorEntry, Condition, Overview, REDACTED};
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
    stage.script.next([Making::Fails(trellis_core::Code::Provider)]);
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
