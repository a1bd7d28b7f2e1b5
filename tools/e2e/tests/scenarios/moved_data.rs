//! What a provider keeps goes along to the one that follows it (`--data`), and is looked at, taken
//! out and put in (`trellis kv`).

use serde_json::{Value, json};
use trellis_e2e::Load;
use trellis_testkit::redis::free_port;
use trellis_testkit::{Client, HostProcess, Signal, eventually};

use crate::live_swap::{Stage, answer};

/// The counter is at that, and goes on from there.
fn counts(host: &HostProcess, count: u64) {
    assert_eq!(answer(host), (200, format!("{{\"counter\": {count}}}")), "{}", host.log().text());
}

/// The command that makes the store a file.
fn to_file(stage: &Stage, name: &str) -> String {
    let path = stage.site.path(name).display().to_string();
    format!("update provider store --to builtin:keyvalue-embedded --set PATH={path}")
}

fn to_redis(url: &str) -> String {
    format!("update provider store --to builtin:keyvalue-redis --set URL={url}")
}

#[test]
fn what_a_store_keeps_goes_along_under_load_and_back() {
    let (stage, url) = Stage::of_a_counter();
    let host = stage.start();
    let loads = [(); 2].map(|()| Load::start(host.address_of("echo"), "/").expect("it responds"));
    for (line, way) in [
        (to_redis(&url), "copy"),
        (to_file(&stage, "a.redb"), "copy"),
        (to_file(&stage, "b.redb"), "copy"),
        (to_redis(&url), "replace"),
        ("rollback store".to_owned(), "replace"),
    ] {
        let done = stage.does(&format!("{line} --data {way}"));
        assert!(done.stdout.contains("copied 1 keys"), "{line}: {done:#?}");
        for said in ["stays in the store before", "trellis rollback store --data replace"] {
            assert!(done.stderr.contains(said), "{said}: {done:#?}");
        }
        assert!(!done.stdout.contains("is watched"), "to take it back would lose what was written");
    }
    let acknowledged: u64 = loads.map(|load| load.end().expect("no request fails")).iter().sum();
    counts(&host, acknowledged + 1);
    assert_eq!(host.metric("trellis_data_moves_total{result=\"done\"}"), 5.0);
    // To what the manifest says, in memory: that has what it had at first.
    stage.does("rollback store --to 1 --data replace");
    counts(&host, acknowledged + 2);
    let provider = stage.document("describe provider store -o json")["provider"].clone();
    assert_eq!(
        (&provider["implementation"], &provider["edit"]),
        (&json!("keyvalue-embedded"), &Value::Null)
    );
}

#[test]
fn without_it_the_answer_says_that_the_data_stay() {
    let (stage, url) = Stage::of_a_counter();
    let host = stage.start();
    counts(&host, 1);
    let told = ["the data do not move", "`--data copy` copies them"];
    let done = stage.does(&format!("{} --no-wait", to_redis(&url)));
    assert!(told.iter().all(|told| done.stderr.contains(told)), "{done:#?}");
    counts(&host, 1);
    let dry = stage.does("rollback store --dry-run");
    assert!(told.iter().all(|told| dry.stderr.contains(told)), "{dry:#?}");
}

#[test]
fn what_cannot_be_copied_leaves_everything_as_it_was() {
    let (stage, url) = Stage::of_a_counter();
    let host = stage.start();
    counts(&host, 1);
    let same = "update provider store --set OPERANDS_MAX=7 --data replace";
    stage.fails(same, 6, &["E_DATA", "same store"]);
    counts(&host, 2);
    let file = |name: &str| format!("{} --data copy", to_file(&stage, name));
    stage.does(&file("a.redb"));
    counts(&host, 3);
    // Redis has a counter of its own by now.
    stage.does(&format!("{} --no-wait", to_redis(&url)));
    counts(&host, 1);
    stage.does("rollback store --no-wait");
    let down = format!("redis://127.0.0.1:{}", free_port());
    for (line, exit, says) in [
        (format!("{} --data copy", to_redis(&url)), 6, &["E_DATA", "--data replace"][..]),
        (format!("{} --data copy", to_redis(&down)), 1, &["E_PROVIDER"]),
        // It has the same file.
        (format!("{same} --set CACHE=8MiB"), 6, &["E_DATA", "same store"]),
        ("update actor echo app/echo.wasm --data copy".to_owned(), 2, &["--data"]),
        ("rollback store --data move".to_owned(), 2, &["copy", "replace"]),
    ] {
        stage.fails(&line, exit, says);
    }
    counts(&host, 4);
    assert_eq!(host.metric("trellis_data_moves_total{result=\"E_DATA\"}"), 3.0);
    // One actor alone loses nothing when it shares its keys from now on.
    let shared = format!("{} --set SHARED=true --set PREFIX=p:", to_redis(&url));
    stage.does(&format!("{shared} --data copy"));
    counts(&host, 5);
    stage.does(&file("b.redb"));
    counts(&host, 6);
}

#[test]
fn a_redis_that_dies_meanwhile_costs_nothing() {
    let (mut stage, url) = Stage::of_a_counter();
    let host = stage.start();
    counts(&host, 1);
    let redis = stage.redis.as_mut().expect("it runs");
    let stopped = redis.process_id().expect("it runs");
    // It takes connections and answers nothing.
    trellis_testkit::signal(stopped, Signal::STOP);
    stage.fails(
        &format!("{} --force --data copy --timeout 60s", to_redis(&url)),
        1,
        &["E_PROVIDER"],
    );
    counts(&host, 2);
    trellis_testkit::signal(stopped, Signal::CONT);
    let copied = eventually(|| match stage.trellis(&format!("{} --data copy", to_redis(&url))) {
        ended if ended.code == Some(0) => Ok(()),
        ended => Err(ended),
    });
    copied.unwrap_or_else(|ended| panic!("{ended:#?}"));
    counts(&host, 3);
}

#[test]
fn a_store_is_looked_at_taken_out_and_put_in() {
    let (stage, url) = Stage::of_a_counter();
    let host = stage.start();
    let mut client = Client::new(host.address_of("echo"));
    for path in ["/a", "/a", "/b"] {
        client.send("GET", path, b"").expect("an answer");
    }
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    assert_eq!(sorted(&stage.does("kv list echo").stdout), [":a  text", ":b  text"]);
    assert_eq!(stage.does("kv list echo --prefix :b").stdout, ":b  text");
    assert_eq!(stage.does("kv get echo/default :a").stdout, "2");
    let held = stage.document("kv get echo :a -o json");
    assert_eq!(held["values"], json!(["2"]));
    stage.fails("kv get echo :c", 3, &["no key \":c\"", "kv list"]);
    stage.fails("kv get ecko :a", 3, &["no actor ecko", "trellis get bindings"]);
    stage.fails("kv get echo/other :a", 3, &["binding `other`"]);

    let lines = stage.does("kv export echo").stdout;
    stage.site.put("all.jsonl", &lines);
    stage.fails("kv import echo all.jsonl", 6, &["E_DATA", "is there already", "--replace"]);
    let changed = lines.replace("\"2\"", "\"40\"")
        + "\n"
        + r#"{"key": "l", "kind": "list", "count": 2, "values": ["x", "y"]}"#;
    stage.site.put("more.jsonl", changed);
    assert_eq!(stage.does("kv import echo more.jsonl --replace").stdout, "put 3 keys there");
    assert_eq!(stage.does("kv get echo l").stdout, "x\ny");
    assert_eq!(client.send("GET", "/a", b"").expect("an answer").text(), "{\"counter\": 41}");
    stage.site.put("wrong.jsonl", "\n{\"key\": \"x\"}\n");
    stage.fails("kv import echo wrong.jsonl", 6, &["line 2", "missing field"]);
    let odd = r#"{"key": "x", "kind": "text", "count": 2, "values": ["a", "b"]}"#;
    stage.site.put("odd.jsonl", odd);
    stage.fails("kv import echo odd.jsonl", 6, &["a text is one value"]);

    // The same over another store, and from one to the other.
    let all = stage.does("kv export echo").stdout;
    stage.site.put("all.jsonl", &all);
    stage.does(&format!("{} --no-wait", to_redis(&url)));
    assert_eq!(stage.does("kv list echo").stdout, "");
    assert_eq!(stage.does("kv import echo all.jsonl").stdout, "put 3 keys there");
    assert_eq!(stage.does("kv get echo l").stdout, "x\ny");
    assert_eq!(sorted(&stage.does("kv export echo").stdout), sorted(&all));
    let log = host.log().text();
    assert!(log.contains("pieces for echo at default"), "{log}");
    assert!(!log.contains("\"40\""), "no value is told: {log}");
}
