//! What comes before what.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use trellis_core::{Code, Trace};
use trellis_dispatch::Message;
use trellis_entitlements::{AuthzRequest, Rules, TargetId};
use trellis_testkit::guests::by_hand;

use crate::provider::Making;
use crate::stage::{Stage, done};

const BOTH: &str = "
actors: [{image: one.wasm, name: one}]
providers: [{builtin: server}, {builtin: store}]
bindings:
  - {actor: one, capability: 'test:server'}
  - {actor: one, capability: 'test:store'}
";

fn stage() -> Stage {
    let stage = Stage::new();
    stage.put("one", &by_hand("(memory (export \"memory\") 1)", "(i32.const 1)"));
    stage
}

/// The places of these events, in the order given.
fn places(stage: &Stage, events: &[&str]) -> Vec<usize> {
    let all = stage.script.events();
    let place = |event: &&str| all.iter().position(|known| known == event);
    events.iter().map(|event| place(event).unwrap_or_else(|| panic!("{event}: {all:?}"))).collect()
}

#[tokio::test]
async fn a_server_learns_of_an_actor_when_its_stores_do_already() {
    let stage = stage();
    stage.apply(BOTH).await;
    assert!(places(&stage, &["bind one at store", "bind one at server"]).is_sorted());
}

#[tokio::test]
async fn a_stop_ends_servers_before_stores() {
    let stage = stage();
    stage.apply(BOTH).await;
    stage.supervisor.stop((Instant::now() + Duration::from_secs(60)).into_std()).await;
    assert!(places(&stage, &["server is down", "shut down store"]).is_sorted());
}

#[tokio::test]
async fn a_successor_is_bound_before_the_old_one_goes() {
    let stage = stage();
    stage.apply(BOTH).await;
    let larger = BOTH.replace("{builtin: store}", "{builtin: store, values: {SIZE: '2'}}");
    let applied = stage.apply(&larger).await;
    assert_eq!(done(&applied), ["replaced provider store (store) with SIZE"]);
    stage.script.happened("store is down", 1).await;
    let order = places(&stage, &["made store 2", "bind one at store 2", "shut down store"]);
    assert!(order.is_sorted(), "{:?}", stage.script.events());
    assert_eq!(stage.script.times("bind one at server").len(), 1, "the others are not touched");
    assert!(done(&stage.apply(&larger).await).is_empty(), "it is so now");
}

#[tokio::test]
async fn a_successor_that_fails_leaves_the_old_one() {
    let stage = stage();
    stage.apply(BOTH).await;
    stage.script.next([Making::Fails(Code::Storage)]);
    let larger = BOTH.replace("{builtin: store}", "{builtin: store, values: {SIZE: '2'}}");
    let applied = stage.apply(&larger).await;
    assert_eq!(applied.faults[0].what, "provider store");
    assert!(stage.script.times("shut down store").is_empty());
    assert_eq!(stage.status().degraded[0].code, Code::Storage);
    // Back to what runs: all is well.
    assert!(stage.apply(BOTH).await.faults.is_empty());
    assert!(stage.status().degraded.is_empty());
}

#[tokio::test]
async fn a_successor_that_is_not_well_takes_over_only_when_forced() {
    let stage = stage();
    stage.apply(BOTH).await;
    stage.script.fall_ill(Some("its server is down"));
    let larger = BOTH.replace("{builtin: store}", "{builtin: store, values: {SIZE: '2'}}");
    let applied = stage.apply(&larger).await;
    assert_eq!(applied.faults[0].code, Code::Provider);
    assert!(applied.faults[0].why.contains("its server is down"), "{applied:?}");
    assert!(stage.script.times("shut down store").is_empty());
    stage.script.happened("store 2 is down", 1).await;
    let applied = stage.force(&larger).await;
    assert_eq!(done(&applied), ["replaced provider store (store) with SIZE"]);
    stage.script.happened("store is down", 1).await;
}

/// The actor with this SIZE at its store.
fn sized(size: &str) -> String {
    let at_store = "{actor: one, capability: 'test:store'";
    BOTH.replace(at_store, &format!("{at_store}, values: {{SIZE: '{size}'}}"))
}

#[tokio::test(start_paused = true)]
async fn a_binding_that_would_not_be_well_stays_as_it_is_until_it_would_be() {
    let stage = stage();
    assert!(stage.apply(&sized("1")).await.faults.is_empty());
    stage.script.fall_ill_with("2");
    let applied = stage.apply(&sized("2")).await;
    let [fault] = &applied.faults[..] else { panic!("{applied:?}") };
    assert_eq!((&*fault.what, fault.code), ("binding of one to test:store", Code::Provider));
    assert!(fault.why.contains("2 is down"), "{fault:?}");
    assert_eq!(stage.status().degraded[0].what, fault.what);
    // The new values were taken back, and nobody else was touched.
    stage.script.happened("unbind 1 at store", 1).await;
    assert_eq!(stage.script.times("bind one at server").len(), 1);
    stage.script.recover_with("2");
    stage.script.happened("unbind 1 at store", 2).await;
    let well = || stage.status().degraded.is_empty();
    while !well() {
        stage.supervisor.changed().await;
    }
    assert!(done(&stage.apply(&sized("2")).await).is_empty(), "it is so now");

    // One that is not well as it is has nothing to lose; and whoever forces it gets it.
    stage.script.fall_ill_with("2");
    stage.script.fall_ill_with("3");
    let rebound = ["rebound one to test:store at provider store with another SIZE"];
    assert_eq!(done(&stage.apply(&sized("3")).await), rebound);
    assert_eq!(done(&stage.apply(&sized("1")).await), rebound);
    assert_eq!(done(&stage.force(&sized("3")).await), rebound);
}

#[tokio::test]
async fn a_dry_run_shows_the_steps_of_a_first_start() {
    let stage = stage();
    let shown: Vec<_> = trellis_supervisor::dry_run(&stage.prepare(BOTH).await, Rules::default());
    let text: Vec<_> = shown.iter().map(ToString::to_string).collect();
    let expected = [
        "start provider server (server)",
        "start provider store (store)",
        "start actor one",
        "bind one to test:server at provider server",
        "bind one to test:store at provider store",
    ];
    assert_eq!(text, expected);
    assert_eq!(stage.apply(BOTH).await.steps, shown);
    let open = Rules { open_calls: true };
    let shown = trellis_supervisor::dry_run(&stage.prepare("{}\n").await, open);
    assert_eq!(shown[0].to_string(), "open calls between actors to everybody");
}

#[tokio::test]
async fn a_binding_waits_for_its_provider() {
    for making in [Making::Fails(Code::Storage), Making::Panics] {
        let stage = stage();
        stage.script.next([making]);
        let applied = stage.apply(BOTH).await;
        let steps = done(&applied);
        assert!(!steps.iter().any(|step| step.contains("at provider store")), "{steps:?}");
        assert!(steps.contains(&"bound one to test:server at provider server".to_owned()));
        assert_eq!(applied.faults.len(), 1, "{applied:?}");
        assert_eq!(applied.faults[0].what, "provider store");
        stage.script.happened("bind one at store", 1).await;
    }
}

#[tokio::test]
async fn what_is_not_wanted_any_more_goes_and_the_rest_stays() {
    let stage = stage();
    stage.apply(BOTH).await;
    let without = BOTH.replace("  - {actor: one, capability: 'test:store'}\n", "");
    let applied = stage.apply(&without.replace(", {builtin: store}", "")).await;
    let expected = ["unbound one to test:store from provider store", "stopped provider store"];
    assert_eq!(done(&applied), expected);
    stage.script.happened("store is down", 1).await;
    assert!(places(&stage, &["unbind at store", "shut down store"]).is_sorted());
    let applied = stage.apply("providers: [{builtin: server}]\n").await;
    assert_eq!(done(&applied), ["stopped actor one"]);
    stage.script.happened("unbind at server", 1).await;
    assert!(stage.script.times("shut down server").is_empty());
}

#[tokio::test]
async fn a_provider_with_another_name_is_the_same() {
    let stage = stage();
    stage.apply(BOTH).await;
    let events = stage.script.events();
    let renamed = BOTH.replace("{builtin: store}", "{builtin: store, name: other}");
    let applied = stage.apply(&renamed).await;
    assert_eq!(done(&applied), ["renamed provider store to other"]);
    assert_eq!(stage.script.events(), events, "nobody has to be told");
    let mut names = stage.status().providers.into_iter().map(|provider| provider.name);
    assert!(names.any(|name| name == "other"));
    assert!(done(&stage.apply(&renamed).await).is_empty(), "it is so now");
    // Another name and other values: it has a successor.
    let larger = "{builtin: store, name: third, values: {SIZE: '2'}}";
    let applied = stage.apply(&BOTH.replace("{builtin: store}", larger)).await;
    let says = ["renamed provider other to third", "replaced provider third (store) with SIZE"];
    assert_eq!(done(&applied), says);
    stage.script.happened("store is down", 1).await;
    // One of another kind is another one.
    let server = BOTH.replace("{builtin: store}", "{builtin: server, name: store}");
    let server = server.replace("  - {actor: one, capability: 'test:store'}\n", "");
    let server = server.replace("'test:server'", "'test:server', provider: store");
    let steps = done(&stage.apply(&server).await);
    assert!(!steps.iter().any(|step| step.starts_with("renamed")), "{steps:?}");
}

const SERVED: &str = "
actors: [{image: one.wasm, name: NAME}]
providers: [{builtin: server}]
bindings: [{actor: NAME, capability: 'test:server'}]
";

/// The same with a store that nobody calls.
fn beside_a_store(name: &str) -> String {
    SERVED.replace("NAME", name).replace("server}]", "server}, {builtin: store}]")
}

#[tokio::test]
async fn an_actor_that_goes_is_served_until_another_one_is() {
    let stage = stage();
    stage.apply(&SERVED.replace("NAME", "one")).await;
    stage.apply(&SERVED.replace("NAME", "two")).await;
    stage.script.happened("unbind at server", 1).await;
    assert!(places(&stage, &["bind two at server", "unbind at server"]).is_sorted());
    let without = "actors: [{image: one.wasm, name: two}]\nproviders: [{builtin: server}]\n";
    let applied = stage.apply(without).await;
    assert_eq!(done(&applied), ["unbound two to test:server from provider server"]);
    stage.script.happened("unbind at server", 2).await;
}

#[tokio::test]
async fn an_actor_that_goes_waits_for_nobody_for_long() {
    let stage = stage();
    stage.apply(&SERVED.replace("NAME", "one")).await;
    let prepared = stage.prepare(&beside_a_store("two")).await;
    stage.script.next([Making::Hangs]);
    tokio::time::pause();
    let asked = Instant::now();
    let applying = tokio::spawn({
        let supervisor = stage.supervisor.clone();
        async move { supervisor.apply(prepared, Default::default()).await }
    });
    stage.script.happened("unbind at server", 1).await;
    assert!((5..6).contains(&asked.elapsed().as_secs()), "{:?}", asked.elapsed());
    assert_eq!(stage.script.times("bind two at server").len(), 0, "it still waits for the store");
    assert_eq!(applying.await.expect("it ends").faults.len(), 1);
}

#[tokio::test]
async fn an_actor_that_goes_waits_for_no_binding_for_long() {
    let stage = stage();
    stage.apply(&SERVED.replace("NAME", "one")).await;
    let called = beside_a_store("two")
        .replace("'test:server'}]", "'test:server'}, {actor: two, capability: 'test:store'}]");
    let prepared = stage.prepare(&called).await;
    stage.script.hang("bind at store");
    let supervisor = stage.supervisor.clone();
    let applying =
        tokio::spawn(async move { supervisor.apply(prepared, Default::default()).await });
    stage.script.happened("bind two at store", 1).await;
    tokio::time::pause();
    let asked = Instant::now();
    stage.script.happened("unbind at server", 1).await;
    assert!(asked.elapsed().as_secs() <= 5, "{:?}", asked.elapsed());
    drop(applying.await);
}

#[tokio::test]
async fn an_actor_that_goes_is_served_on_when_the_same_is_asked_for_again() {
    let stage = stage();
    stage.apply(&SERVED.replace("NAME", "one")).await;
    let prepared = stage.prepare(&beside_a_store("two")).await;
    stage.script.next([Making::Hangs]);
    let supervisor = stage.supervisor.clone();
    let applying =
        tokio::spawn(async move { supervisor.apply(prepared, Default::default()).await });
    stage.script.happened("make store", 1).await;
    let other =
        beside_a_store("two").replace("{builtin: store", "{builtin: store, values: {SIZE: '1'}");
    stage.apply(&other).await;
    assert!(applying.await.expect("it ends").superseded);
    stage.script.happened("unbind at server", 1).await;
    assert!(places(&stage, &["bind two at server", "unbind at server"]).is_sorted());
}

#[tokio::test]
async fn an_actor_that_goes_does_not_outlast_the_change() {
    let stage = stage();
    stage.apply(&SERVED.replace("NAME", "one")).await;
    let prepared = stage.prepare(&beside_a_store("two")).await;
    stage.script.next([Making::Hangs]);
    let applying = tokio::spawn({
        let supervisor = stage.supervisor.clone();
        async move { supervisor.apply(prepared, Default::default()).await }
    });
    stage.script.happened("make store", 1).await;
    stage.apply("providers: [{builtin: server}]\n").await;
    assert!(applying.await.expect("it ends").superseded);
    stage.script.happened("unbind at server", 1).await;
}

#[tokio::test]
async fn what_leaves_a_server_leaves_at_once() {
    const FROM: &str = "
actors: [{image: one.wasm, name: one}, {image: two.wasm, name: two}]
providers: [{builtin: server, name: first}, {builtin: server, name: second}]
bindings:
  - {actor: one, capability: 'test:server', provider: first}
  - {actor: one, capability: 'test:server', provider: first, name: goes}
  - {actor: two, capability: 'test:server', provider: first}
";
    let stage = stage();
    stage.put("two", &by_hand("(memory (export \"memory\") 1)", "(i32.const 1)"));
    assert!(stage.apply(FROM).await.faults.is_empty());
    // One binding moves, one goes, and one moves with a new version of its actor.
    let moved = FROM
        .replace("  - {actor: one, capability: 'test:server', provider: first, name: goes}\n", "")
        .replace("provider: first}", "provider: second}")
        .replace("name: two}", "name: two, limits: {call_time: 1s}}");
    let applied = stage.apply(&moved).await;
    assert!(applied.faults.is_empty(), "{:?}", done(&applied));
    stage.script.happened("unbind at server", 3).await;
    let events = stage.script.events();
    assert!(events.contains(&"unbind 3 at server".to_owned()), "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_with_one_alias_the_first_of_the_manifest_has_it() {
    let stage = Stage::new();
    let memory = "(memory (export \"memory\") 1)";
    let put = |name: &str, body| {
        stage.put_with(name, &by_hand(memory, body), |draft| {
            draft.call_alias = Some("shared".to_owned());
        });
    };
    put("a0", "(i32.const 1)");
    (1..12).for_each(|number| put(&format!("a{number}"), "unreachable"));
    let actor = |number| format!("- {{image: a{number}.wasm, name: a{number}}}\n");
    let manifest = format!("actors:\n{}", (0..12).map(actor).collect::<String>());
    stage.apply(&manifest).await;
    let request = AuthzRequest::FromSystem { actor: "shared", operation: &Cow::Borrowed("Any") };
    let message =
        Message { payload: Bytes::new(), deadline: None, depth: 0, trace: Trace::default() };
    let answer = stage.dispatcher.dispatch(request, message).await;
    assert!(answer.is_ok(), "another one answered: {answer:?}");
}

#[tokio::test]
async fn a_successor_with_other_operations_is_asked_those() {
    let stage = stage();
    let manifest = BOTH.replace("'test:server'}", "'test:server', values: {PLACE: here}}");
    stage.apply(&manifest).await;
    assert_eq!((may_call(&stage, "Ask").await, may_call(&stage, "Tell").await), (true, false));
    stage.script.rewrite("Tell");
    let applied = stage.apply(&manifest).await;
    assert_eq!(
        done(&applied),
        [
            "replaced provider server (server) in version 2.0.0 instead of 1.0.0",
            "replaced provider store (store) in version 2.0.0 instead of 1.0.0",
            "rebound one to test:server at provider server with other operations",
            "rebound one to test:store at provider store with other operations",
        ]
    );
    assert_eq!((may_call(&stage, "Ask").await, may_call(&stage, "Tell").await), (false, true));
}

#[tokio::test]
async fn a_refused_successor_with_other_operations_changes_nothing() {
    for refused in [true, false] {
        let stage = stage();
        let manifest = BOTH.replace("'test:server'}", "'test:server', values: {PLACE: here}}");
        stage.apply(&manifest).await;
        stage.script.rewrite("Tell");
        if refused {
            stage.script.refuse_making("server");
        } else {
            stage.script.fall_ill(Some("its server is down"));
        }
        stage.apply(&manifest).await;
        assert!(may_call(&stage, "Ask").await, "{:?}", stage.status().degraded);
        assert!(!may_call(&stage, "Tell").await, "what serves does not know it");
        stage.script.go_on();
        stage.script.fall_ill(None);
        stage.script.rewrite("Ask");
        stage.apply(&manifest).await;
        assert!(may_call(&stage, "Ask").await, "{:?}", stage.status().degraded);
    }
}

/// True when the server may ask its actor for that operation, whichever target the server is.
async fn may_call(stage: &Stage, operation: &str) -> bool {
    let (_, binding) = stage.script.at("server", "here").expect("it is bound");
    for provider in (0..100).map(TargetId) {
        let request = AuthzRequest::FromProvider { provider, binding, operation };
        let message =
            Message { payload: Bytes::new(), deadline: None, depth: 0, trace: Trace::default() };
        if stage.dispatcher.dispatch(request, message).await.is_ok() {
            return true;
        }
    }
    false
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_says_so_is_asked_how_it_is_at_once() {
    let stage = stage();
    stage.apply(BOTH).await;
    for ailment in [Some("its process is started again"), None] {
        stage.script.fall_ill(ailment);
        stage.script.stir();
        let ill = || !stage.status().degraded.is_empty();
        // The clock stands while anything runs: it is not yet time to ask all of them.
        for _ in 0..10_000 {
            if ill() == ailment.is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
        assert_eq!(ill(), ailment.is_some());
    }
}
