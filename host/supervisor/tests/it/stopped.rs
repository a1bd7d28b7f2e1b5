//! What the owner of a host stops stays wanted, and does not run.

use trellis_control::{Applied, ComponentKind, Condition};
use trellis_core::Code;
use trellis_supervisor::{ApplyOptions, Kept, PrepareContext, Prepared};
use trellis_testkit::guests::by_hand;

use crate::stage::{Stage, done};

const TWO: &str = "
actors: [{image: one.wasm, name: one}, {image: two.wasm, name: two}]
providers: [{builtin: store, values: {PATH: a}}, {builtin: server, name: one}]
bindings:
  - {actor: one, capability: 'test:store'}
  - {actor: two, capability: 'test:store'}
  - {actor: one, capability: 'test:server'}
";

async fn stage() -> Stage {
    let stage = Stage::new();
    for name in ["one", "two"] {
        stage.put(name, &by_hand("(memory (export \"memory\") 1)", "(i32.const 1)"));
    }
    assert_eq!(stage.apply(TWO).await.faults, []);
    stage
}

async fn apply(stage: &Stage, stopped: &[(ComponentKind, &str)]) -> Applied {
    let mut prepared: Prepared = stage.prepare(TWO).await;
    stopped.iter().for_each(|(kind, name)| prepared.stops(*kind, name));
    stage.supervisor.apply(prepared, ApplyOptions::default()).await
}

#[tokio::test(start_paused = true)]
async fn an_actor_goes_and_whoever_calls_it_is_told() {
    let stage = stage().await;
    let applied = apply(&stage, &[(ComponentKind::Actor, "one")]).await;
    assert_eq!((done(&applied), &applied.faults), (vec!["stopped actor one".to_owned()], &vec![]));
    let error = stage.call("one").await.expect_err("it does not run");
    assert_eq!(error.code(), Code::NotFound);
    assert!(error.message().contains("`trellis start actor one`"), "{error}");
    // A provider of the same name is somebody else, and nothing is an outage.
    let overview = stage.supervisor.overview();
    let states: Vec<_> = overview.actors.iter().map(|it| it.state).collect();
    assert_eq!(states, [Condition::Stopped, Condition::Ready]);
    assert!(overview.providers.iter().all(|it| it.state == Condition::Ready), "{overview:#?}");
    let states: Vec<_> = overview.bindings.iter().map(|it| it.state).collect();
    assert_eq!(states, [Condition::Stopped, Condition::Stopped, Condition::Ready]);
    assert_eq!(stage.status().degraded, []);
    assert!(!stage.supervisor.status().serves_nothing, "it wants no calls any more");
    assert_eq!(done(&apply(&stage, &[(ComponentKind::Actor, "one")]).await), [""; 0]);
    let applied = apply(&stage, &[]).await;
    assert!(done(&applied)[0].starts_with("started actor one"), "{applied:#?}");
    assert_eq!(stage.supervisor.overview().actors[0].state, Condition::Ready);
    let error = stage.call("one").await.err();
    assert!(error.is_none_or(|error| error.code() != Code::NotFound), "it is called again");
}

#[tokio::test(start_paused = true)]
async fn a_provider_goes_with_its_bindings_and_comes_back_with_them() {
    let stage = stage().await;
    let store = (ComponentKind::Provider, "store");
    let applied = apply(&stage, &[store]).await;
    assert!(done(&applied).contains(&"stopped provider store".to_owned()), "{applied:#?}");
    let overview = stage.supervisor.overview();
    assert_eq!(overview.providers[1].state, Condition::Stopped, "{overview:#?}");
    let of_store = overview.bindings.iter().filter(|it| it.provider == "store");
    assert!(of_store.clone().all(|it| it.state == Condition::Stopped), "{overview:#?}");
    assert_eq!(of_store.count(), 2, "they stay wanted");
    assert!(overview.actors.iter().all(|it| it.state == Condition::Ready), "{overview:#?}");
    assert_eq!(stage.status().degraded, []);
    // The provider `one` is no actor's end.
    let applied = apply(&stage, &[store, (ComponentKind::Provider, "one")]).await;
    assert!(done(&applied).contains(&"stopped provider one".to_owned()), "{applied:#?}");
    assert!(stage.supervisor.overview().actors.iter().all(|it| it.state == Condition::Ready));
    let applied = apply(&stage, &[]).await;
    assert_eq!(applied.faults, []);
    let overview = stage.supervisor.overview();
    assert!(overview.bindings.iter().all(|it| it.state == Condition::Ready), "{overview:#?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_keeps_its_place_when_something_comes_or_goes() {
    let stage = stage().await;
    let three = TWO.replace("{image: two.wasm", "{image: new.wasm, name: new}, {image: two.wasm");
    let all = stage.prepare(TWO).await.parts();
    let new = (ComponentKind::Actor, "new");
    // Nothing is read but what is new.
    let kept = Kept::all_but(&all, (new, Some(1)), None);
    stage.put("new", &by_hand("(memory (export \"memory\") 1)", "(i32.const 1)"));
    let of = |name: &str| {
        all.get((ComponentKind::Actor, name)).and_then(|it| it.actor_key().map(str::to_owned))
    };
    let prepared = stage.check_as(&three, |context| PrepareContext { kept, ..context });
    let prepared = prepared.await.unwrap_or_else(|report| panic!("{report}")).parts();
    for name in ["one", "two"] {
        let part = prepared.get((ComponentKind::Actor, name));
        assert_eq!(part.and_then(|it| it.actor_key().map(str::to_owned)), of(name), "{name}");
    }
    let kept = Kept::all_but(&prepared, (new, None), None);
    let prepared = stage.check_as(TWO, |context| PrepareContext { kept, ..context });
    let prepared = prepared.await.unwrap_or_else(|report| panic!("{report}")).parts();
    let part = prepared.get((ComponentKind::Actor, "two"));
    assert_eq!(part.and_then(|it| it.actor_key().map(str::to_owned)), of("two"));
}
