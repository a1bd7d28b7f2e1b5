//! Providers that somebody has to vouch for: one whose claims hold no longer ends at once, wherever
//! it is in its life. A name or a place in service is not what it is found by.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::task::JoinHandle;
use trellis_archive::{Target, verify};
use trellis_claims::token::Provider;
use trellis_claims::{TrustList, VerifiedProvider};
use trellis_control::{Applied, Condition};
use trellis_core::{CallError, Code};
use trellis_providers_sdk::Invoke;
use trellis_supervisor::{ApplyOptions, Prepared};
use trellis_testkit::guests::by_hand;

use crate::provider::Making;
use crate::stage::{NOW_S, Stage, done};

/// Less than the time in which what is let go may finish what it has (30 s), and enough for
/// anything that happens at once.
const AT_ONCE: Duration = Duration::from_secs(10);
/// By how much clocks may differ.
const GRACE_S: u64 = 30;

/// A stage with an actor that asks its store whenever it is called.
fn stage() -> Stage {
    let stage = Stage::new();
    let items = "(memory (export \"memory\") 1) (data (i32.const 512) \"test:store\")
        (data (i32.const 528) \"Ask\")";
    let body = "(if (i32.eqz (call $host_call (i32.const 0) (i32.const 0) (i32.const 512)
          (i32.const 10) (i32.const 528) (i32.const 3) (i32.const 0) (i32.const 0)))
        (then (call $host_error (i32.const 4096))
          (call $error (i32.const 4096) (call $host_error_len)) (return (i32.const 0))))
      (i32.const 1)";
    stage.put("one", &by_hand(items, body));
    stage
}

/// The actor, a store with these values, and more.
fn store(values: &str, more: &str) -> String {
    format!(
        "
actors: [{{image: one.wasm, name: one, limits: {{call_time: 60s}}}}]
providers: [{{builtin: store, values: {{{values}}}}}{more}]
bindings:
  - {{actor: one, capability: 'test:store', provider: store}}
"
    )
}

fn claims_of(stage: &Stage, key: &str) -> VerifiedProvider {
    claims(stage, key, 1, None)
}

/// The claims of an archive with the key of that name.
fn claims(stage: &Stage, key: &str, revision: i32, expires: Option<u64>) -> VerifiedProvider {
    let claims = Provider {
        name: Some(key.to_owned()),
        contract: None,
        vendor: "Acme".to_owned(),
        revision: Some(revision),
        version: None,
        target_hashes: [].into(),
        config_schema: None,
    };
    let program = (Target::here(), b"a program".to_vec());
    let archive = stage.account.seal((key, claims), program, expires);
    let verified = verify(&archive, &Target::here(), &stage.trust(), &*stage.clock);
    verified.expect("it was signed just now").claims().clone()
}

/// The same manifest with a store for which the key of that name vouches.
async fn vouched(stage: &Stage, manifest: &str, key: &str) -> Prepared {
    stage.prepare(manifest).await.vouched_for("store", &claims_of(stage, key))
}

async fn apply(stage: &Stage, prepared: Prepared) -> Applied {
    stage.supervisor.apply(prepared, ApplyOptions::default()).await
}

fn begin(stage: &Stage, prepared: Prepared) -> JoinHandle<Applied> {
    let supervisor = stage.supervisor.clone();
    tokio::spawn(async move { supervisor.apply(prepared, ApplyOptions::default()).await })
}

fn without(stage: &Stage, key: &str) -> TrustList {
    let key = stage.account.provider_subject(key);
    stage.trust().revoke(&key).expect("a provider may be revoked")
}

/// Gives the names of those that were stopped.
async fn revoke(stage: &Stage, key: &str) -> Vec<String> {
    let stopped = stage.supervisor.enforce(without(stage, key)).await;
    stopped.iter().map(ToString::to_string).collect()
}

/// A stage whose first store has a call under way that does not end by itself.
async fn with_a_call() -> (Stage, JoinHandle<Result<Bytes, CallError>>) {
    let stage = stage();
    let prepared = vouched(&stage, &store("SIZE: '1'", ""), "first").await;
    assert_eq!(apply(&stage, prepared).await.faults, []);
    stage.supervisor.enforce(stage.trust()).await;
    stage.script.hang("call");
    let call = tokio::spawn(stage.call("one"));
    stage.script.happened("call store 1", 1).await;
    (stage, call)
}

/// The call ends, and what it was under way at.
async fn is_cut(stage: &Stage, call: JoinHandle<Result<Bytes, CallError>>) {
    let cut = tokio::time::timeout(AT_ONCE, call).await.expect("it ends at once");
    let cut = cut.expect("no panic").expect_err("it ends early");
    assert!(cut.message().contains("was stopped, and this call with it"), "{cut}");
    let down = stage.script.happened("store 1 is down", 1);
    tokio::time::timeout(AT_ONCE, down).await.expect("it ends at once");
}

#[tokio::test]
async fn one_that_serves_is_revoked() {
    let (stage, call) = with_a_call().await;
    assert_eq!(revoke(&stage, "first").await, ["store"]);
    is_cut(&stage, call).await;
}

#[tokio::test]
async fn one_that_was_replaced_and_drains_is_revoked() {
    let (stage, call) = with_a_call().await;
    let next = vouched(&stage, &store("SIZE: '2'", ""), "second").await;
    assert_eq!(done(&apply(&stage, next).await).len(), 1);
    assert!(!call.is_finished(), "it may finish what it has");
    assert_eq!(revoke(&stage, "first").await, ["store"]);
    is_cut(&stage, call).await;
    // Nobody said anything of its successor.
    stage.script.go_on();
    stage.call("one").await.expect("the other one serves");
    assert_eq!(stage.status().degraded, []);
}

#[tokio::test]
async fn one_that_was_renamed_and_replaced_is_revoked() {
    let (stage, call) = with_a_call().await;
    let renamed = store("SIZE: '2'", "").replace("{builtin: store,", "{builtin: store, name: new,");
    let renamed = stage.prepare(&renamed.replace("provider: store", "provider: new")).await;
    let next = renamed.vouched_for("new", &claims_of(&stage, "second"));
    let done = done(&apply(&stage, next).await);
    assert_eq!((done.len(), &*done[0]), (2, "renamed provider store to new"), "{done:?}");
    assert!(!call.is_finished(), "it may finish what it has");
    assert_eq!(revoke(&stage, "first").await, ["new"]);
    is_cut(&stage, call).await;
}

#[tokio::test]
async fn one_that_lost_its_name_and_drains_is_revoked() {
    let (stage, call) = with_a_call().await;
    let alone = "actors: [{image: one.wasm, name: one, limits: {call_time: 60s}}]\n";
    let gone = done(&stage.apply(alone).await);
    assert!(gone.contains(&"stopped provider store".to_owned()), "{gone:?}");
    assert!(!call.is_finished(), "it may finish what it has");
    assert_eq!(revoke(&stage, "first").await, ["store"]);
    is_cut(&stage, call).await;
}

#[tokio::test]
async fn one_that_shuts_down_is_revoked() {
    let (stage, call) = with_a_call().await;
    stage.script.hang("shutdown");
    let next = vouched(&stage, &store("SIZE: '2'", ""), "second").await;
    apply(&stage, next).await;
    stage.script.go_on_with("call");
    call.await.expect("no panic").expect("nothing cut it");
    stage.script.happened("shut down store 1", 1).await;
    revoke(&stage, "first").await;
    // Not by the one that waits until it has finished.
    stage.script.happened("shut down store 1", 2).await;
}

#[tokio::test]
async fn one_that_drains_expires() {
    let stage = stage();
    let expires = NOW_S + 60;
    let first = claims(&stage, "first", 1, Some(expires));
    let prepared = stage.prepare(&store("SIZE: '1'", "")).await.vouched_for("store", &first);
    assert_eq!(apply(&stage, prepared).await.faults, []);
    stage.script.hang("call");
    let call = tokio::spawn(stage.call("one"));
    stage.script.happened("call store 1", 1).await;
    let next = vouched(&stage, &store("SIZE: '2'", ""), "second").await;
    assert_eq!(apply(&stage, next).await.faults, []);
    assert!(!call.is_finished(), "it may finish what it has");
    stage.clock.set(expires + GRACE_S + 1);
    is_cut(&stage, call).await;
}

#[tokio::test]
async fn one_that_is_being_made_is_revoked() {
    let stage = stage();
    stage.supervisor.enforce(stage.trust()).await;
    stage.script.next([Making::Hangs]);
    let starting = begin(&stage, vouched(&stage, &store("SIZE: '1'", ""), "first").await);
    stage.script.happened("make store 1", 1).await;
    let since = Instant::now();
    assert_eq!(revoke(&stage, "first").await, ["store"]);
    let applied = starting.await.expect("it ends");
    // It had ten seconds to answer.
    assert!(since.elapsed() < AT_ONCE, "it took {:?}", since.elapsed());
    let faults: Vec<_> = applied.faults.iter().map(|it| (&*it.what, it.code)).collect();
    assert!(faults.contains(&("provider store", Code::Revoked)), "{faults:?}");
}

/// A successor is told of the bindings before it takes over, so it could use them.
#[tokio::test]
async fn one_that_is_to_take_over_is_revoked() {
    let stage = stage();
    let first = vouched(&stage, &store("SIZE: '1'", ""), "first").await;
    assert_eq!(apply(&stage, first).await.faults, []);
    stage.supervisor.enforce(stage.trust()).await;
    stage.script.hang("bind at store slow");
    let slow = ", {builtin: store, name: slow, values: {SIZE: slow}}";
    let both = store("SIZE: '2'", slow)
        + "  - {actor: one, capability: 'test:store', provider: slow, name: slow}\n";
    let changing = begin(&stage, vouched(&stage, &both, "second").await);
    stage.script.happened("bind one at store slow", 1).await;
    assert!(!changing.is_finished());
    assert_eq!(revoke(&stage, "second").await, ["store"]);
    stage.script.happened("store 2 is down", 1).await;
    stage.script.go_on();
    let applied = changing.await.expect("it ends");
    let faults: Vec<_> = applied.faults.iter().map(|it| (&*it.what, it.code)).collect();
    assert!(faults.contains(&("provider store", Code::Revoked)), "{faults:?}");
    assert!(stage.script.times("shut down store 1").is_empty(), "nothing replaced it");
}

/// Its successor has the same bindings, and may use them.
#[tokio::test]
async fn one_that_brings_calls_in_brings_no_more() {
    let stage = Stage::new();
    stage.put("one", &by_hand("(memory (export \"memory\") 1)", "(i32.const 1)"));
    let server = async |size: &str, key: &str| {
        let manifest = format!(
            "
actors: [{{image: one.wasm, name: one}}]
providers: [{{builtin: server, values: {{SIZE: '{size}'}}}}]
bindings: [{{actor: one, capability: 'test:server', values: {{PLACE: front}}}}]
"
        );
        let prepared = stage.prepare(&manifest).await;
        apply(&stage, prepared.vouched_for("server", &claims_of(&stage, key))).await
    };
    assert_eq!(server("1", "first").await.faults, []);
    stage.supervisor.enforce(stage.trust()).await;
    let (_, binding) = stage.script.at("server 1", "front").expect("it is served");
    stage.script.hang("shutdown");
    assert_eq!(server("2", "second").await.faults, []);
    let brings = async |place| {
        let (operation, payload) = ("Ask".into(), Bytes::new());
        let (patience, trace) = (None, None);
        let invoke = Invoke { binding, operation, payload, patience, trace };
        stage.script.context(place).invoke(invoke).await.map_err(|error| error.code())
    };
    assert_eq!(brings(0).await, Ok(Bytes::new()), "it finishes what it has");
    assert_eq!(revoke(&stage, "first").await, ["server"]);
    assert_eq!(brings(0).await, Err(Code::Stopping));
    assert_eq!(brings(1).await, Ok(Bytes::new()));
}

/// Neither the new one serves then, nor is it counted as done: what was there goes on.
#[tokio::test]
async fn one_that_is_swapped_in_is_revoked() {
    let stage = stage();
    let first = vouched(&stage, &store("PATH: one, SIZE: '1'", ""), "first").await;
    assert_eq!(apply(&stage, first).await.faults, []);
    stage.supervisor.enforce(stage.trust()).await;
    stage.script.hang("bind at store 2");
    let second = vouched(&stage, &store("PATH: one, SIZE: '2'", ""), "second").await;
    let swapping = begin(&stage, second);
    stage.script.happened("bind one at store 2", 1).await;
    assert_eq!(revoke(&stage, "second").await, ["store"]);
    stage.script.happened("store 2 is down", 1).await;
    stage.script.go_on();
    let applied = swapping.await.expect("it ends");
    let faults: Vec<_> = applied.faults.iter().map(|it| (&*it.what, it.code)).collect();
    assert_eq!((faults, done(&applied)), (vec![("provider store", Code::Revoked)], vec![]));
    assert_eq!(stage.script.times("made store 1").len(), 2, "it was started again");
    stage.call("one").await.expect("the one before serves");
}

/// What it was to replace is taken away while it begins: it takes no place that is not there.
#[tokio::test]
async fn one_that_is_swapped_out_is_revoked() {
    let stage = stage();
    let first = vouched(&stage, &store("PATH: one, SIZE: '1'", ""), "first").await;
    assert_eq!(apply(&stage, first).await.faults, []);
    stage.supervisor.enforce(stage.trust()).await;
    stage.script.hang("bind at store 2");
    let second = vouched(&stage, &store("PATH: one, SIZE: '2'", ""), "second").await;
    let swapping = begin(&stage, second);
    stage.script.happened("bind one at store 2", 1).await;
    assert_eq!(revoke(&stage, "first").await, ["store"]);
    stage.script.go_on();
    let applied = swapping.await.expect("it ends");
    let faults: Vec<_> = applied.faults.iter().map(|it| (&*it.what, it.code)).collect();
    assert_eq!(faults, [("provider store", Code::Stopping)]);
    // Nobody said anything of the new one: it is started by itself.
    stage.script.happened("made store 2", 2).await;
    while !stage.status().degraded.is_empty() {
        tokio::task::yield_now().await;
    }
    stage.call("one").await.expect("it serves");
}

#[tokio::test]
async fn an_older_revision_takes_no_place_of_a_newer_one() {
    let stage = stage();
    let apply_revision = async |size: &str, revision| {
        let prepared = stage.prepare(&store(&format!("SIZE: '{size}'"), "")).await;
        let claims = claims(&stage, "first", revision, None);
        apply(&stage, prepared.vouched_for("store", &claims)).await
    };
    assert_eq!(apply_revision("1", 2).await.faults, []);
    let applied = apply_revision("2", 1).await;
    let [fault] = &applied.faults[..] else { panic!("{applied:?}") };
    assert_eq!((&*fault.what, fault.code), ("provider store", Code::Revision));
    assert!(stage.script.times("make store 2").is_empty(), "it is not even started");
    stage.call("one").await.expect("the newer one serves");
    assert_eq!(apply_revision("3", 2).await.faults, []);
}

/// Nor under another name: what it serves is what counts.
#[tokio::test]
async fn an_older_revision_takes_over_under_no_other_name_either() {
    let stage = stage();
    let of = |revision| claims(&stage, "first", revision, None);
    let prepared = stage.prepare(&store("SIZE: '1'", "")).await.vouched_for("store", &of(2));
    assert_eq!(apply(&stage, prepared).await.faults, []);
    // Another build is not the same provider under a new name.
    stage.script.rewrite("Other");
    let other = store("SIZE: '2'", "").replace("{builtin: store,", "{builtin: store, name: other,");
    let other = other.replace("provider: store", "provider: other");
    let older = stage.prepare(&other).await.vouched_for("other", &of(1));
    let applied = apply(&stage, older).await;
    let faults: Vec<_> = applied.faults.iter().map(|it| (&*it.what, it.code)).collect();
    assert_eq!(faults, [("provider other", Code::Revision)]);
    assert!(stage.script.times("make store 2").is_empty(), "it is not even started");
    stage.call("one").await.expect("the newer one serves");
    let newer = stage.prepare(&other).await.vouched_for("other", &of(3));
    assert_eq!(apply(&stage, newer).await.faults, []);
}

#[tokio::test]
async fn whoever_may_run_no_longer_is_stopped_and_nobody_else() {
    let stranger = trellis_testkit::Account::default();
    for (why, code) in [
        ("key", Code::Revoked),
        ("issuer", Code::Revoked),
        ("stranger", Code::Issuer),
        ("time", Code::Expired),
    ] {
        let stage = stage();
        let claims = claims(&stage, "first", 1, Some(NOW_S + 60));
        let other = ", {builtin: store, name: other, values: {SIZE: other}}";
        let prepared = stage.prepare(&store("SIZE: '1'", other)).await;
        let applied = apply(&stage, prepared.vouched_for("store", &claims)).await;
        assert_eq!(applied.faults, []);
        let issuer = stage.account.issuer().public();
        let list = match why {
            "key" => without(&stage, "first"),
            "issuer" => stage.trust().revoke(issuer).expect("an account may be revoked"),
            "stranger" => TrustList::new(0).trust(stranger.issuer().public()).expect("an account"),
            _ => {
                stage.clock.set(NOW_S + 60 + GRACE_S + 1);
                stage.trust()
            }
        };
        let stopped = stage.supervisor.enforce(list).await;
        // It may have been seen on the clock before.
        assert!(why == "time" || stopped.contains(&"store".into()), "{why}: {stopped:?}");
        assert!(!stopped.contains(&"other".into()), "{why}: {stopped:?}");
        let rows = stage.status().degraded;
        let row = rows.iter().find(|row| row.what == "provider store");
        assert_eq!(row.map(|row| row.code), Some(code), "{why}: {rows:?}");
        stage.script.happened("store 1 is down", 1).await;
        assert!(stage.script.times("shut down store other").is_empty(), "{why}");
    }
}

/// Name, rights, bindings and instance go together, and who asks is told why.
#[tokio::test]
async fn what_became_of_one_that_is_refused_is_told() {
    let stage = stage();
    let first = vouched(&stage, &store("SIZE: '1'", ""), "first").await;
    assert_eq!(apply(&stage, first).await.faults, []);
    stage.call("one").await.expect("it is served");
    revoke(&stage, "first").await;
    let error = stage.call("one").await.expect_err("nothing serves it");
    // For whoever called the actor, it is an outage and no refusal.
    assert_eq!(error.code(), Code::Provider, "{error}");
    for said in ["provider store does not run", "E_REVOKED"] {
        assert!(error.message().contains(said), "{said}: {error}");
    }
    assert!(!error.message().contains("add one to the manifest"), "{error}");
    let overview = stage.supervisor.overview();
    let (provider, binding) = (&overview.providers[0], &overview.bindings[0]);
    assert_eq!((provider.state, provider.reasons[0].code), (Condition::Down, Code::Revoked));
    assert_eq!((binding.state, &binding.reasons), (Condition::Down, &provider.reasons));

    // Once the manifest does not have it any more, that is what is missing.
    stage.supervisor.enforce(stage.trust()).await;
    let alone = "actors: [{image: one.wasm, name: one, limits: {call_time: 60s}}]\n";
    assert_eq!(stage.apply(alone).await.faults, []);
    let error = stage.call("one").await.expect_err("nothing is bound");
    assert!(error.message().contains("add one to the manifest"), "{error}");
}
