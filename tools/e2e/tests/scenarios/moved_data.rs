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

/// The lines of an export that are keys.
fn keys(export: &str) -> String {
    let lines = export.lines().filter(|line| !line.starts_with("{\"end\""));
    lines.map(|line| format!("{line}\n")).collect()
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
    let meant = ["no actor ecko", "did you mean `echo`?", "trellis get bindings"];
    stage.fails("kv get ecko :a", 3, &meant);
    stage.fails("kv get echo/other :a", 3, &["binding `other`", "bound to stores are: echo"]);

    let lines = stage.does("kv export echo").stdout;
    stage.site.put("all.jsonl", &lines);
    let held = ["E_DATA", "is there already", "nothing was put there", "--replace"];
    stage.fails("kv import echo all.jsonl", 6, &held);
    let changed = keys(&lines).replace("\"2\"", "\"40\"")
        + r#"{"key": "l", "kind": "list", "count": 2, "values": ["x", "y"]}"#;
    stage.site.put("more.jsonl", changed);
    stage.fails("kv import echo more.jsonl --replace", 6, &["not whole", "--partial"]);
    let more = "kv import echo more.jsonl --replace --partial";
    assert_eq!(stage.does(more).stdout, "put 3 keys there");
    assert_eq!(stage.does("kv get echo l").stdout, "x\ny");
    assert_eq!(client.send("GET", "/a", b"").expect("an answer").text(), "{\"counter\": 41}");
    stage.site.put("wrong.jsonl", "\n{\"key\": \"x\"}\n");
    let line = ["line 2", "missing field", "nothing was put there"];
    stage.fails("kv import echo wrong.jsonl", 6, &line);
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
    assert_eq!(sorted(&keys(&stage.does("kv export echo").stdout)), sorted(&keys(&all)));
    let log = host.log().text();
    assert!(log.contains("pieces for echo at default"), "{log}");
    assert!(!log.contains("\"40\""), "no value is told: {log}");
}

/// One of the two begins the other, so to empty one would take from the other.
#[test]
fn a_part_of_the_same_redis_is_not_copied_over_the_rest_of_it() {
    let (stage, url) = Stage::of_a_counter();
    let host = stage.start();
    stage.does(&format!("{} --set SHARED=true --set PREFIX=a: --no-wait", to_redis(&url)));
    counts(&host, 1);
    for (prefix, way) in [("a:b:", "replace"), ("a", "replace"), ("a:b:", "copy")] {
        let line = format!("update provider store --set PREFIX={prefix} --data {way}");
        let says = ["E_DATA", "some keys would be both", "PREFIX of which neither begins"];
        stage.fails(&line, 6, &says);
    }
    counts(&host, 2);
    stage.does("update provider store --set PREFIX=b: --data replace");
    counts(&host, 3);
}

#[test]
fn a_redis_that_is_full_or_throws_keys_away_does_not_take_over() {
    let (stage, url) = Stage::of_a_counter();
    let host = stage.start();
    counts(&host, 1);
    let redis = stage.redis.as_ref().expect("it runs");
    // What it needs for its clients is little beside this.
    assert_eq!(redis.ask(&[b"SET", b"others", &vec![0; 16 << 20]]), b"OK");
    let bound = |policy: &str, most: u64| {
        for (key, value) in [("maxmemory", &*most.to_string()), ("maxmemory-policy", policy)] {
            let words = ["CONFIG", "SET", key, value].map(str::as_bytes);
            assert_eq!(redis.ask(&words), b"OK");
        }
    };
    let about = String::from_utf8(redis.ask(&[b"INFO", b"memory"])).expect("it is text");
    let used = about.lines().find_map(|line| line.strip_prefix("used_memory:"));
    let used: u64 = used.expect("it says so").trim().parse().expect("a number");
    let copy = format!("{} --data copy", to_redis(&url));
    for (policy, most, says) in [
        ("noeviction", 1, "its memory is full"),
        ("allkeys-lru", used * 21 / 20, "throws keys away"),
    ] {
        bound(policy, most);
        stage.fails(&copy, 1, &["E_PROVIDER", says]);
        assert_eq!(redis.ask(&[b"DBSIZE"]), b"1", "what was put there was taken away");
    }
    counts(&host, 2);
    bound("noeviction", 0);
    stage.does(&copy);
    counts(&host, 3);
}

/// Other clients of a Redis write what they like: it is shown, kept and copied as it is, and where
/// that cannot be, somebody is told what to do.
#[test]
fn what_is_no_text_is_shown_and_goes_along() {
    let (stage, url) = Stage::of_a_counter();
    let host = stage.start();
    stage.does(&format!("{} --set SHARED=true --set PREFIX=p: --no-wait", to_redis(&url)));
    counts(&host, 1);
    let redis = stage.redis.as_ref().expect("it runs");
    assert_eq!(redis.ask(&[b"SET", b"p:odd", b"a\xff\x1b"]), b"OK");
    assert_eq!(redis.ask(&[b"SET", b"p:\xfe", b"v"]), b"OK");
    let listed = stage.does("kv list echo").stdout;
    for line in [":  text", "odd  text", "\\xfe  text"] {
        assert!(listed.lines().any(|it| it == line), "{line}: {listed}");
    }
    assert_eq!(stage.document("kv get echo odd -o json")["values"][0], json!({"base64": "Yf8b"}));
    let lines = stage.does("kv export echo").stdout;
    assert!(lines.contains(r#""values":[{"base64":"Yf8b"}]"#), "{lines}");
    assert!(lines.contains(r#""key":{"base64":"/g=="}"#), "{lines}");

    // To another Redis, or another part of this one, byte for byte.
    stage.does("update provider store --set PREFIX=q: --data copy");
    assert_eq!(redis.ask(&[b"GET", b"q:odd"]), b"a\xff\x1b");
    assert_eq!(redis.ask(&[b"GET", b"q:\xfe"]), b"v");
    counts(&host, 2);
    assert_eq!(redis.ask(&[b"DEL", b"q:odd", b"q:\xfe"]), b"2");
    stage.site.put("all.jsonl", &lines);
    assert_eq!(stage.does("kv import echo all.jsonl --replace").stdout, "put 3 keys there");
    assert_eq!(redis.ask(&[b"GET", b"q:odd"]), b"a\xff\x1b");
    counts(&host, 2);

    // A store of texts cannot have it.
    let to_file = format!("{} --data copy", to_file(&stage, "a.redb"));
    stage.fails(&to_file, 6, &["E_DATA", "not UTF-8", "kv export", "base64"]);
    counts(&host, 3);
    assert_eq!(redis.ask(&[b"HSET", b"q:hash", b"f", b"v"]), b"1");
    let listed = stage.does("kv list echo --prefix hash").stdout;
    assert!(listed.starts_with("hash  other"), "{listed}");
    stage.fails("kv get echo hash", 6, &["E_WRONG_TYPE", "holds a hash"]);
}

#[test]
fn an_export_that_was_cut_is_known_before_anything_is_put_there() {
    let (stage, _) = Stage::of_a_counter();
    let host = stage.start();
    counts(&host, 1);
    let lines = stage.does("kv export echo").stdout;
    let lines = lines.replace(r#""key":":""#, r#""key":"new""#);
    let part = keys(&lines);
    for (text, says) in [(&*part, "may have been cut"), (&*lines, "were changed since")] {
        stage.site.put("cut.jsonl", text);
        stage.fails("kv import echo cut.jsonl", 6, &["not whole", says, "nothing was put there"]);
        stage.fails("kv import echo cut.jsonl --replace", 6, &["not whole", says]);
    }
    assert_eq!(stage.does("kv list echo").stdout, ":  text");
    stage.does("kv import echo cut.jsonl --partial");
    assert_eq!(stage.does("kv get echo new").stdout, "1");
}

/// A line of a list of three parts, each too long for two to be sent at once.
fn part(key: &str, part: u64) -> String {
    let value = "x".repeat(60_000);
    let (values, start) = (vec![value; 10], part * 10);
    json!({"key": key, "kind": "list", "count": 30, "start": start, "values": values}).to_string()
        + "\n"
}

#[test]
fn a_long_key_comes_in_parts_and_what_was_put_there_is_told_when_it_fails() {
    let (stage, _) = Stage::of_a_counter();
    let host = stage.start();
    counts(&host, 1);
    stage.site.put("long.jsonl", [0, 1, 2].map(|at| part("l", at)).concat());
    assert_eq!(stage.does("kv import echo long.jsonl --partial").stdout, "put 1 keys there");
    assert_eq!(stage.does("kv get echo l").stdout.lines().count(), 30);
    // A part alone goes on with nothing, and least of all with what is there.
    stage.site.put("rest.jsonl", part("l", 3));
    for replace in ["", " --replace"] {
        let line = format!("kv import echo rest.jsonl --partial{replace}");
        stage.fails(&line, 6, &["line 1", "did not come before it", "nothing was put there"]);
    }
    assert_eq!(stage.does("kv get echo l").stdout.lines().count(), 30);

    stage.does("update provider store --set MEMORY_MAX=2700KiB --no-wait");
    stage.site.put("two.jsonl", [part("m", 0), part("n", 0)].concat());
    let told = ["E_STORAGE", "lines 1 to 1 were put there, which begin 1 keys, and nothing of"];
    stage.fails("kv import echo two.jsonl --partial", 1, &told);
    assert_eq!(stage.does("kv list echo --prefix m").stdout, "m  list of 10");
    assert_eq!(stage.does("kv list echo --prefix n").stdout, "");
}

#[test]
fn keys_that_no_binding_sees_are_counted() {
    let (stage, _) = Stage::of_a_counter();
    let host = stage.start();
    counts(&host, 1);
    stage.does("update provider store --set SHARED=true --no-wait");
    counts(&host, 1);
    let done = stage.does(&format!("{} --data copy", to_file(&stage, "a.redb")));
    assert!(done.stdout.contains("copied 1 keys"), "{done:#?}");
    assert!(done.stderr.contains("keeps about 1 more keys"), "{done:#?}");
    counts(&host, 2);
}

/// A host that ends in the middle of a copy takes away what it put there.
#[test]
fn a_copy_that_a_stop_cuts_leaves_nothing_behind() {
    let (stage, url) = Stage::of_a_counter();
    let host = stage.start();
    let text = "x".repeat(1 << 20);
    let lines = (0..48).map(|at| {
        json!({"key": format!("k{at}"), "kind": "text", "count": 1, "values": [text]}).to_string()
            + "\n"
    });
    stage.site.put("large.jsonl", lines.collect::<String>());
    stage.does("kv import echo large.jsonl --partial");
    let redis = stage.redis.as_ref().expect("it runs");
    let copy = format!("{} --data copy", to_redis(&url));
    std::thread::scope(|scope| {
        let copying = scope.spawn(|| stage.trellis(&copy));
        let begun = eventually(|| match redis.ask(&[b"DBSIZE"]) {
            none if none == b"0" => Err(none),
            _ => Ok(()),
        });
        assert_eq!(begun, Ok(()), "it never began: {}", host.log().text());
        host.signal(Signal::TERM);
        let ended = copying.join().expect("it ends");
        assert_ne!(ended.code, Some(0), "it was through before it was cut: {ended:#?}");
    });
    let log = host.log().text();
    assert_eq!(host.wait().code, Some(0), "{log}");
    assert_eq!(redis.ask(&[b"DBSIZE"]), b"0");
}
