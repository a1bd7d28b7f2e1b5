//! What an edit has to show is shown, whatever goes on between; and what holds of it, holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use trellis_testkit::guests::built;
use trellis_testkit::{HostProcess, eventually, run_to_end};

use crate::live_swap::{
    ECHO, HTTP, KEYVALUE, MANIFEST, STORE, Stage, WATCHED, answer, answers, broken,
};

/// The same, with its latest calls kept.
const KEPT: &str = "
actors: [{image: echo.wasm, name: echo, limits: {replay_calls: 5}}]
providers: [{builtin: http-server}, {builtin: keyvalue-embedded, name: store}]
bindings:
  - {actor: echo, capability: 'wascc:http_server', values: {PORT: 0, ADDRESS: 127.0.0.1}}
  - {actor: echo, capability: 'wascc:keyvalue'}
";

fn counter(manifest: &str) -> Stage {
    let stage = Stage::new(manifest);
    let caps = vec![HTTP.to_owned(), KEYVALUE.to_owned()];
    stage.put("app/echo.wasm", &built("kvcounter"), |draft| {
        (draft.caps, draft.revision) = (caps.clone(), Some(1));
    });
    stage.put("bad.wasm", &broken(), |draft| (draft.caps, draft.revision) = (caps, Some(2)));
    stage
}

fn state(stage: &Stage) -> Value {
    stage.document("describe actor echo -o json")["actor"]["state"].clone()
}

/// Waits until `echo` is in this state.
fn becomes(stage: &Stage, wanted: &str) {
    let found = eventually(|| match state(stage) {
        found if found == wanted => Ok(()),
        other => Err(other),
    });
    found.unwrap_or_else(|other| panic!("{other}, not {wanted}"));
}

fn row(stage: &Stage, revision: u64) -> Value {
    let history = stage.document("history -o json")["history"].clone();
    let rows = history.as_array().cloned().unwrap_or_default();
    rows.into_iter().find(|row| row["revision"] == revision).unwrap_or_default()
}

/// Waits until this is what came of a change.
fn comes_to(stage: &Stage, revision: u64, outcome: &str) -> Value {
    let found = eventually(|| match row(stage, revision) {
        row if row["outcome"] == outcome => Ok(row),
        other => Err(other),
    });
    found.unwrap_or_else(|other| panic!("{revision} is not {outcome}: {other:#}"))
}

fn ready(host: &HostProcess) -> String {
    host.ask("/readyz").expect("an answer").text()
}

/// Writes the manifest anew, and waits until an edit ended by that, with this text.
fn adopts(stage: &Stage, host: &HostProcess, manifest: &str, says: &str) {
    let from = host.log().count();
    stage.site.put(MANIFEST, manifest);
    let ended = host.log().wait_for(from, |line| line.contains(says).then_some(()));
    assert!(ended.is_some(), "{says}: {}", host.log().text());
}

#[test]
fn a_start_replays_what_an_update_of_a_stopped_actor_brought() {
    let stage = counter(KEPT);
    let host = stage.start();
    (1..=3).for_each(|count| assert_eq!(answer(&host).1, format!("{{\"counter\": {count}}}")));
    stage.does("stop actor echo");
    let done = stage.does("update actor echo bad.wasm");
    let says = [
        "actor echo is stopped; `trellis start actor echo` has it run, and tries",
        "whether it answers the latest 3 calls that are kept",
        "while it is watched",
    ];
    for said in says {
        assert!(done.stderr.contains(said), "{said}: {done:#?}");
    }
    // No step says what it is to be.
    assert!(row(&stage, 3)["what"][0].as_str().is_some_and(|it| it.contains("bad.wasm, stopped")));
    let dry = stage.does("start actor echo --dry-run");
    assert!(dry.stderr.contains("the latest 3 calls that are kept"), "{dry:#?}");
    // However often it is asked for, and whatever lies between.
    for _ in 0..2 {
        stage.fails("start actor echo", 1, &["E_REPLAY", "3 of 3 calls", "taken back"]);
        assert_eq!(state(&stage), "stopped");
    }
    stage.does("scale actor echo --instances 3");
    stage.fails("start actor echo", 1, &["E_REPLAY", "taken back"]);
    // The version that kept them has nothing to show.
    stage.does("rollback echo --to 2");
    stage.does("start actor echo");
    assert_eq!(answer(&host).0, 200);
    // Who means it gets it.
    stage.does("stop actor echo");
    stage.does("update actor echo bad.wasm --replay 0 --watch-calls 0");
    stage.does("start actor echo");
    assert_eq!(answer(&host).0, 502);
}

#[test]
fn a_manifest_replays_what_it_brings_while_an_actor_is_stopped() {
    let stage = counter(KEPT);
    let host = stage.start();
    assert_eq!(answer(&host).0, 200);
    stage.does("stop actor echo");
    let text = KEPT.replace("image: echo.wasm", "image: ../bad.wasm");
    adopts(&stage, &host, &text, "the edit of actor echo (revision 2) ended");
    let told = eventually(|| {
        let body = ready(&host);
        if body.contains("E_REPLAY") { Ok(()) } else { Err(body) }
    });
    told.unwrap_or_else(|body| panic!("{body}"));
}

#[test]
fn a_start_watches_what_an_update_of_a_stopped_actor_brought() {
    let stage = Stage::new(ECHO);
    stage.put("bad.wasm", &broken(), |draft| draft.revision = Some(2));
    let host = stage.start();
    assert_eq!(answer(&host).1, "ok");
    stage.does("stop actor echo");
    let done = stage.does(&format!("update actor echo bad.wasm {WATCHED}"));
    assert!(done.stderr.contains("how its calls go while it is watched"), "{done:#?}");
    let done = stage.does("start actor echo --no-wait");
    assert!(done.stderr.contains("it is watched now"), "{done:#?}");
    (0..5).for_each(|_| assert_eq!(answer(&host).0, 502));
    let told = comes_to(&stage, 4, "taken_back");
    assert!(told["why"].as_str().is_some_and(|why| why.contains("5 of its first 5")), "{told:#}");
    becomes(&stage, "stopped");
    stage.does("start actor echo");
    answers(&host, 200, "ok");
}

#[test]
fn a_stop_ends_no_watch() {
    let stage = Stage::new(ECHO);
    stage.put("bad.wasm", &broken(), |draft| draft.revision = Some(2));
    let host = stage.start();
    assert_eq!(answer(&host).1, "ok");
    stage.does(&format!("update actor echo bad.wasm --no-wait {WATCHED}"));
    assert_eq!(answer(&host).0, 502);
    let done = stage.does("stop actor echo");
    assert!(done.stderr.contains("was not judged so far"), "{done:#?}");
    assert_eq!(
        (state(&stage), row(&stage, 3)["outcome"].clone()),
        ("stopped".into(), "applied".into())
    );
    stage.does("start actor echo --no-wait");
    (0..5).for_each(|_| assert_eq!(answer(&host).0, 502));
    comes_to(&stage, 4, "taken_back");
    answers(&host, 200, "ok");
}

#[test]
fn other_edits_push_no_watch_out() {
    let unbound = STORE.replace("  - {actor: echo, capability: 'wascc:keyvalue'}\n", "");
    let stage = Stage::new(&unbound);
    stage.put("bad.wasm", &broken(), |draft| draft.revision = Some(2));
    let host = stage.start();
    assert_eq!(answer(&host).0, 200);
    let line = format!("update actor echo bad.wasm {WATCHED}");
    let mut waits = stage.site.trellis(&line.split(' ').collect::<Vec<_>>());
    let waits = std::thread::spawn(move || run_to_end(&mut waits));
    comes_to(&stage, 2, "watched");
    for round in 1..=25 {
        stage.does(&format!("update provider store --set CACHE={round}MiB --no-wait"));
    }
    assert_eq!(row(&stage, 2)["outcome"], "watched");
    (0..5).for_each(|_| assert_eq!(answer(&host).0, 502));
    let ended = waits.join().expect("it ends");
    assert_eq!(ended.code, Some(1), "who waits is told: {ended:#?}");
    assert!(ended.stderr.contains("revision 2 was taken back"), "{ended:#?}");
    answers(&host, 200, "ok");
}

#[test]
fn a_manifest_that_adopts_an_edit_in_steps_drops_nothing() {
    let unbound = STORE.replace("  - {actor: echo, capability: 'wascc:keyvalue'}\n", "");
    let stage = counter(&unbound);
    let host = stage.start();
    stage.does("bind echo wascc:keyvalue");
    stage.does("scale actor echo --instances 3");
    assert_eq!(answer(&host).1, "{\"counter\": 1}");
    let entry = unbound.replace("name: echo}", "name: echo, instances: {max: 3}}");
    let says = "ended in part (limited to 3 instances); it is bound to wascc:keyvalue still";
    adopts(&stage, &host, &entry, says);
    assert_eq!(answer(&host).1, "{\"counter\": 2}");
    assert!(ready(&host).contains("actor echo is bound to wascc:keyvalue by an edit"));
    let both = STORE.replace("name: echo}", "name: echo, instances: {max: 3}}");
    adopts(&stage, &host, &both, "the edit of actor echo (revision 3) ended: the manifest");
    assert_eq!(answer(&host).1, "{\"counter\": 3}");
    assert_eq!(host.metric("trellis_edits"), 0.0);
    // And the other way around, of what a rollback goes back to as well.
    stage.does("bind echo wascc:keyvalue --set NAMESPACE=other");
    stage.does("scale actor echo --instances 4");
    assert_eq!(answer(&host).1, "{\"counter\": 1}");
    let bound = both.replace(
        "capability: 'wascc:keyvalue'}",
        "capability: 'wascc:keyvalue', values: {NAMESPACE: other}}",
    );
    let says = "ended in part (bound to wascc:keyvalue); it is limited to 4 instances still";
    adopts(&stage, &host, &bound, says);
    assert_eq!(answer(&host).1, "{\"counter\": 2}");
    stage.does("rollback echo --no-wait");
    assert_eq!(answer(&host).1, "{\"counter\": 3}");
    assert_eq!(host.metric("trellis_edits"), 0.0);
}

#[test]
fn a_stop_is_made_whatever_else_is_changed() {
    let stage = Arc::new(Stage::new(ECHO));
    let host = stage.start();
    assert_eq!(answer(&host).1, "ok");
    let ends = Arc::<AtomicBool>::default();
    let (other, ended) = (Arc::clone(&stage), Arc::clone(&ends));
    let scales = std::thread::spawn(move || {
        // Relaxed: joining orders what was done.
        for round in (2..).take_while(|_| !ended.load(Ordering::Relaxed)) {
            other.trellis(&format!("scale actor echo --instances {}", round % 60 + 2));
        }
    });
    for _ in 0..10 {
        stage.does("stop actor echo");
        let started = eventually(|| match stage.trellis("start actor echo --no-wait") {
            ended if ended.code == Some(0) => Ok(()),
            ended => Err(ended),
        });
        started.unwrap_or_else(|ended| panic!("{ended:#?}"));
    }
    ends.store(true, Ordering::Relaxed);
    scales.join().expect("it ends");
    stage.fails("stop actor echo --if-revision 1", 6, &["E_CONFLICT"]);
}

#[test]
fn what_is_bound_to_a_stopped_provider_is_changed_like_everything_else() {
    let stage = counter(STORE);
    stage.put("new.wasm", &built("echo"), |draft| {
        (draft.caps, draft.revision) = (vec![HTTP.to_owned(), KEYVALUE.to_owned()], Some(3));
    });
    let host = stage.start();
    assert_eq!(answer(&host).0, 200);
    stage.does("stop provider store");
    stage.does("scale actor echo --instances 3");
    assert_eq!(answer(&host).0, 503);
    stage.does("update actor echo new.wasm --no-wait");
    assert_eq!(answer(&host).1, "hello");
    stage.does("rollback echo --no-wait");
    stage.does("start provider store");
    assert_eq!(answer(&host).0, 200, "{}", host.log().text());
    assert!(!ready(&host).contains("degraded"), "{}", ready(&host));
}

#[test]
fn all_that_edits_have_of_a_thing_is_given_up_at_once() {
    let stage = counter(STORE);
    let host = stage.start();
    assert_eq!(answer(&host).0, 200);
    for line in ["scale actor echo --instances 3", "unbind echo wascc:keyvalue", "stop actor echo"]
    {
        stage.does(line);
    }
    stage.fails("rollback echo --to 1 --to-manifest", 2, &["--to"]);
    let done = stage.does("rollback echo --to-manifest");
    assert!(done.stdout.contains("started actor echo"), "{done:#?}");
    assert_eq!((answer(&host).0, host.metric("trellis_edits")), (200, 0.0));
    let done = stage.does("rollback echo --to-manifest");
    assert!(done.stdout.starts_with("unchanged"), "{done:#?}");
    stage.fails("rollback echo", 3, &["there is no edit of it"]);
    stage.does("start provider cache --to builtin:keyvalue-embedded");
    stage.does("rollback cache --to-manifest");
    stage.fails("describe provider cache", 3, &[]);
}

#[test]
fn a_second_provider_of_a_contract_changes_no_binding() {
    let stage = counter(STORE);
    let host = stage.start();
    assert_eq!(answer(&host).1, "{\"counter\": 1}");
    let done = stage.does("start provider cache --to builtin:keyvalue-embedded");
    let keeps = "`builtin: keyvalue-embedded` and `name: cache`";
    assert!(done.stderr.contains(keeps), "{done:#?}");
    assert_eq!(answer(&host).1, "{\"counter\": 2}");
    // Nor does a manifest that is read beside it.
    let changed = STORE.replace("name: echo}", "name: echo, instances: {max: 3}}");
    let applied = "trellis_reloads_total{result=\"applied\"}";
    stage.site.put(MANIFEST, changed);
    eventually(|| if host.metric(applied) >= 2.0 { Ok(()) } else { Err(ready(&host)) })
        .unwrap_or_else(|body| panic!("{body}"));
    assert_eq!(answer(&host).1, "{\"counter\": 3}");
    stage.does("update provider store --set CACHE=8MiB --no-wait");
    // What the edit before made of it, it is still.
    let done = stage.does("update provider cache --set CACHE=4MiB --no-wait");
    let keeps = "`builtin: keyvalue-embedded` and `values: {CACHE: …}` and `name: cache`";
    assert!(done.stderr.contains(keeps), "{done:#?}");
    let done = stage.does("bind echo wascc:keyvalue --provider cache");
    assert!(done.stderr.contains("in the place of its binding"), "{done:#?}");
    assert_eq!(answer(&host).1, "{\"counter\": 1}");
    let says = ["E_NOT_FOUND", "no provider `stor`", "did you mean `store`?", "cache, store"];
    stage.fails("bind echo wascc:keyvalue --provider stor", 3, &says);
    let says = ["E_MESSAGE", "http-server does not serve wascc:keyvalue", "cache, store"];
    stage.fails("bind echo wascc:keyvalue --provider http-server", 6, &says);
    // What it needs does not go before it, and whoever asks is told what does.
    let says = ["`trellis unbind echo wascc:keyvalue`", "`trellis rollback echo --to-manifest`"];
    stage.fails("rollback cache --to-manifest", 6, &says);
}

#[test]
fn what_is_unbound_by_an_edit_is_no_trouble() {
    let stage = counter(STORE);
    let host = stage.start();
    assert_eq!(answer(&host).0, 200);
    stage.does("unbind echo wascc:keyvalue");
    let body = ready(&host);
    assert!(!body.contains("degraded"), "{body}");
    assert!(body.contains("note: actor echo is not bound to wascc:keyvalue by an edit"), "{body}");
}

#[test]
fn a_stopped_store_that_becomes_another_one_is_told_of() {
    let stage = counter(&STORE.replace("name: store}", "name: store, values: {PATH: a.redb}}"));
    let _host = stage.start();
    stage.does("stop provider store");
    let other = stage.site.path("b.redb").display().to_string();
    let done = stage.does(&format!("update provider store --set PATH={other}"));
    assert!(done.stderr.contains("what provider store keeps stays where it is"), "{done:#?}");
}
