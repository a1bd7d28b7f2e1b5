//! No key is lost or left behind in silence, whatever is replaced, stopped or bound elsewhere.

use serde_json::{Value, json};
use trellis_testkit::{HostProcess, eventually};

use crate::live_swap::{MANIFEST, STORE, Stage, answer};

fn counts(host: &HostProcess, count: u64) {
    assert_eq!(answer(host), (200, format!("{{\"counter\": {count}}}")), "{}", host.log().text());
}

/// Waits until the counter answers, and then it is at that.
fn counts_soon(host: &HostProcess, count: u64) {
    let wanted = (200, format!("{{\"counter\": {count}}}"));
    let found = eventually(|| match answer(host) {
        (200, text) => Ok((200, text)),
        other => Err(other),
    });
    assert_eq!(found, Ok(wanted), "{}", host.log().text());
}

fn to_redis(url: &str) -> String {
    format!("update provider store --to builtin:keyvalue-redis --set URL={url}")
}

fn says(text: &str, all: &[&str]) {
    for said in all {
        assert!(text.contains(said), "{said}: {text}");
    }
}

/// The events of actors that go on with other keys.
fn left_keys(stage: &Stage) -> Vec<String> {
    let events = stage.document("events --type actor.left_keys -o json");
    let events = events["events"].as_array().cloned().unwrap_or_default();
    let message = |it: &Value| it["data"]["message"].as_str().unwrap_or_default().to_owned();
    events.iter().map(message).collect()
}

#[test]
fn keys_of_an_actor_that_is_stopped_or_unbound_go_along() {
    let (stage, url) = Stage::of_a_counter();
    let host = stage.start();
    counts(&host, 1);
    stage.does("stop actor echo");
    let done = stage.does(&format!("{} --data copy", to_redis(&url)));
    assert!(done.stdout.contains("copied 1 keys"), "{done:#?}");
    stage.does("start actor echo");
    counts_soon(&host, 2);

    // With another keyspace from now on: it has both, and loses neither.
    let done = stage.does("bind echo wascc:keyvalue --set NAMESPACE=other");
    says(&done.stderr, &["echo goes on without the keys that it had", "provider store"]);
    counts_soon(&host, 1);
    stage.does("unbind echo wascc:keyvalue");
    let path = stage.site.path("a.redb").display().to_string();
    let to_file = format!("update provider store --to builtin:keyvalue-embedded --set PATH={path}");
    let done = stage.does(&format!("{to_file} --data copy"));
    assert!(done.stdout.contains("copied 2 keys"), "{done:#?}");
    stage.does("bind echo wascc:keyvalue --set NAMESPACE=other");
    counts_soon(&host, 2);
    stage.does("bind echo wascc:keyvalue --unset NAMESPACE");
    counts_soon(&host, 3);

    // And back, over what was left there.
    let done = stage.does("rollback store --data replace");
    assert!(done.stdout.contains("copied 2 keys"), "{done:#?}");
    counts_soon(&host, 4);
}

#[test]
fn keys_of_another_provider_of_the_same_store_are_not_thrown_away() {
    let (stage, url) = Stage::of_a_counter();
    let named = "capability: 'wascc:keyvalue', provider: store}";
    stage.site.put(MANIFEST, STORE.replace("capability: 'wascc:keyvalue'}", named));
    let host = stage.start();
    counts(&host, 1);
    stage.does(&format!("start provider cache --to builtin:keyvalue-redis --set URL={url}"));
    stage.does("bind echo wascc:keyvalue --name second --provider cache");
    let line = json!({"key": "k", "kind": "text", "count": 1, "values": ["v"]});
    stage.site.put("k.jsonl", format!("{line}\n"));
    stage.does("kv import echo/second k.jsonl --partial");
    let replace = format!("{} --data replace", to_redis(&url));
    let told = ["E_DATA", "also those of echo at provider cache", "none of them is thrown away"];
    stage.fails(&replace, 6, &told);
    // Nor are those of an actor that is stopped just now, or was bound to it.
    stage.does("unbind echo wascc:keyvalue --name second");
    stage.fails(&replace, 6, &told);
    // Nor those at a provider that nobody can ask.
    stage.does("stop provider cache");
    let told = ["E_DATA", "provider cache, which does not run", "trellis start provider cache"];
    stage.fails(&replace, 6, &told);
    stage.does("start provider cache");
    let redis = stage.redis.as_ref().expect("it runs");
    assert_eq!(redis.ask(&[b"DBSIZE"]), b"1");
    counts(&host, 2);
    stage.does(&format!("{replace} --set PREFIX=p:"));
    counts(&host, 3);
}

#[test]
fn a_manifest_that_ends_an_edit_after_a_move_says_where_the_keys_are() {
    let (stage, url) = Stage::of_a_counter();
    let host = stage.start();
    counts(&host, 1);
    stage.does(&format!("{} --data copy", to_redis(&url)));
    counts(&host, 2);
    assert_eq!(left_keys(&stage), Vec::<String>::new(), "they went along");
    stage
        .site
        .put(MANIFEST, STORE.replace("name: store}", "name: store, values: {OPERANDS_MAX: 77}}"));
    let log = host.log();
    let told = log
        .wait_for(0, |line| line.contains("without the keys that it had").then(|| line.to_owned()));
    let told = told.unwrap_or_else(|| panic!("{}", log.text()));
    says(
        &told,
        &["WARN", "store (keyvalue-embedded: memory)", "(keyvalue-redis)", "trellis kv export"],
    );
    let found = eventually(|| {
        let history = stage.does("history").stdout;
        if history.contains("without the keys that it had") { Ok(()) } else { Err(history) }
    });
    assert_eq!(found, Ok(()));
    let events = left_keys(&stage);
    assert_eq!(events.len(), 1, "{events:?}");
    says(&events[0], &["echo goes on without the keys", "provider store"]);
}

#[test]
fn what_is_in_memory_and_goes_with_its_provider_is_told() {
    let (stage, _) = Stage::of_a_counter();
    let host = stage.start();
    counts(&host, 1);
    // It is the same memory.
    let done = stage.does("update provider store --set OPERANDS_MAX=77 --no-wait");
    assert!(!done.stderr.contains("gone"), "{done:#?}");
    counts(&host, 2);
    let done = stage.does("update provider store --set SHARED=true --no-wait");
    says(&done.stderr, &["without the keys", "stay in the store that provider store was"]);
    let done = stage.does("rollback store --no-wait");
    assert!(!done.stderr.contains("without the keys"), "it held none: {done:#?}");
    counts(&host, 3);
    let path = stage.site.path("a.redb").display().to_string();
    let done = stage.does(&format!("update provider store --set PATH={path} --no-wait"));
    says(&done.stderr, &["without the keys", "were in memory and are gone", "a.redb)"]);
    stage.does("rollback store --no-wait");
    assert_eq!(answer(&host).0, 200, "it begins empty, or with what is still there");
    let done = stage.does("stop provider store");
    says(&done.stderr, &["what provider store kept for echo was in memory and is gone with it"]);
}

#[test]
fn what_is_stopped_is_not_looked_into_and_that_is_said() {
    let (stage, _) = Stage::of_a_counter();
    let host = stage.start();
    counts(&host, 1);
    stage.does("stop actor echo");
    let why = "actor echo was stopped by an edit; `trellis start actor echo` starts it again";
    stage.fails("kv list echo", 3, &[why]);
    stage.does("start actor echo");
    stage.does("stop provider store");
    let why = "provider store was stopped by an edit; `trellis start provider store` starts it";
    stage.fails("kv get echo :", 3, &[why]);
    stage.fails("kv get other :", 3, &["no actor other has a binding"]);
}

#[test]
fn long_names_and_values_of_a_redis_are_told_of_or_named() {
    let (stage, url) = Stage::of_a_counter();
    let host = stage.start();
    stage.does(&format!("{} --set SHARED=true --set PREFIX=p: --no-wait", to_redis(&url)));
    counts(&host, 1);
    let redis = stage.redis.as_ref().expect("it runs");
    // Together far more than a request may have.
    for at in 0..24 {
        let key = format!("p:{at}{}", "x".repeat(1 << 20));
        assert_eq!(redis.ask(&[b"SET", key.as_bytes(), b"v"]), b"OK");
    }
    let listed = stage.does("kv list echo").stdout;
    assert_eq!(listed.lines().count(), 25);
    assert_eq!(redis.ask(&[b"SET", b"p:large", &vec![b'v'; 17 << 20]]), b"OK");
    stage.fails("kv export echo", 6, &["E_TOO_LARGE", "the key \"large\"", "kv list"]);
}

#[test]
fn a_binding_that_was_away_is_told_that_it_has_other_keys() {
    let (stage, url) = Stage::of_a_counter();
    let in_file = "name: store, values: {PATH: kept.redb}}";
    stage.site.put(MANIFEST, STORE.replace("name: store}", in_file));
    let host = stage.start();
    counts(&host, 1);
    let to_redis = to_redis(&url);
    let elsewhere = "start provider two --to builtin:keyvalue-embedded";
    stage.does(elsewhere);
    for (away, meanwhile, back) in [
        ("unbind echo wascc:keyvalue", None, "bind echo wascc:keyvalue --provider two"),
        (
            "stop actor echo",
            Some("bind echo wascc:keyvalue --provider store --set NAMESPACE=green"),
            "start actor echo",
        ),
    ] {
        stage.does(away);
        meanwhile.into_iter().for_each(|edit| drop(stage.does(edit)));
        let told = stage.does(back);
        assert!(told.stderr.contains("goes on without the keys that it had"), "{told:#?}");
        counts(&host, 1);
    }
    stage.does("rollback echo --kind actor --to-manifest");
    counts(&host, 2);
    // What goes along is nothing that is left behind, also of who is away.
    stage.does("stop actor echo");
    stage.does(&format!("{to_redis} --data copy"));
    let told = stage.does("start actor echo");
    assert!(!told.stderr.contains("goes on without"), "{told:#?}");
    counts(&host, 3);
    stage.does("stop provider store");
    stage.does("start provider store");
    // The step before is the stop, which copies nothing.
    let says_no = ["E_DATA", "does not run, now or then", "--to REVISION"];
    stage.fails("rollback store --kind provider --data replace", 6, &says_no);
    counts_soon(&host, 4);
    stage.does("stop provider store");
    let path = stage.site.path("other.redb").display().to_string();
    stage.does(&format!("update provider store --to builtin:keyvalue-embedded --set PATH={path}"));
    let told = stage.does("start provider store");
    says(&told.stderr, &["echo goes on without the keys that it had", "keyvalue-redis"]);
    counts_soon(&host, 1);
}
