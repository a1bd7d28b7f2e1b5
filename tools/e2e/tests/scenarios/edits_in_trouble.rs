//! Edits amid trouble: files that are gone, keys that are revoked, registries that are slow.

use std::net::TcpListener;
use std::thread::{JoinHandle, spawn};

use serde_json::Value;
use trellis_testkit::guests::{built, by_hand};
use trellis_testkit::{Ended, HostProcess, Signal, eventually, run_to_end};

use super::live_swap::{
    ECHO, HTTP, KEYVALUE, MANIFEST, STORE, Stage, WATCHED, answer, answers, broken,
};

/// Runs a command aside.
fn aside(stage: &Stage, line: &str) -> JoinHandle<Ended> {
    let mut command = stage.site.trellis(&line.split(' ').collect::<Vec<_>>());
    spawn(move || run_to_end(&mut command))
}

/// Waits until the log says all of these in one line.
fn says(host: &HostProcess, from: usize, all: &[&str]) {
    let line = |line: &str| all.iter().all(|said| line.contains(said)).then_some(());
    assert!(host.log().wait_for(from, line).is_some(), "{all:?}:\n{}", host.log().text());
}

/// The last change, once its outcome is this one.
fn becomes(stage: &Stage, revision: u64, outcome: &str) -> Value {
    let found = eventually(|| {
        let history = stage.document("history -o json");
        let rows = history["history"].as_array().cloned().unwrap_or_default();
        let own = rows.into_iter().find(|row| row["revision"] == revision).unwrap_or_default();
        if own["outcome"] == outcome { Ok(own) } else { Err(own) }
    });
    found.unwrap_or_else(|other| panic!("{revision} is not {outcome}: {other:#}"))
}

fn ready(host: &HostProcess) -> String {
    host.ask("/readyz").expect("an answer").text()
}

#[test]
fn what_is_gone_back_to_needs_no_file() {
    let stage = Stage::new(ECHO);
    stage.put("two.wasm", &built("echo"), |draft| draft.revision = Some(2));
    stage.put("bad.wasm", &broken(), |draft| draft.revision = Some(3));
    let host = stage.start();
    stage.does("update actor echo two.wasm --no-wait --watch-calls 0");
    stage.does(&format!("update actor echo bad.wasm --no-wait {WATCHED}"));
    let from = host.log().count();
    std::fs::remove_file(stage.site.path("app/echo.wasm")).expect("it is there");
    host.signal(Signal::HUP);
    // The manifest's entry is an edit's by now, which is in memory.
    eventually(|| {
        if host.metric("trellis_reloads_total{result=\"applied\"}") >= 2.0 {
            Ok(())
        } else {
            Err(())
        }
    })
    .unwrap_or_else(|()| panic!("{}", host.log().text()));
    for _ in 0..5 {
        answer(&host);
    }
    says(&host, from, &["revision 3", "was taken back"]);
    answers(&host, 200, "hello");
    stage.does("rollback echo");
    answers(&host, 200, "ok");
}

#[test]
fn what_is_broken_elsewhere_is_in_no_edits_way() {
    let both = ECHO.replace("actors: [", "actors: [{image: other.wasm, name: other}, ");
    let stage = Stage::new(&both);
    let other = stage.site.account().subject("other");
    let more = |draft: &mut trellis_claims::ClaimsDraft| draft.subject = other.clone();
    stage.put("app/other.wasm", &built("echo"), more);
    stage.put("new.wasm", &built("echo"), |draft| draft.revision = Some(2));
    let host = stage.start();
    let from = host.log().count();
    stage.put("app/other.wasm", &built("echo"), |draft| {
        more(draft);
        draft.revision = Some(9);
    });
    // Released elsewhere, and then damaged: neither comes in with an edit of something else.
    let revision = || stage.document("describe actor other -o json")["actor"]["revision"].clone();
    eventually(|| if revision() == 9 { Ok(()) } else { Err(()) }).expect("it is reloaded");
    stage.site.put("app/other.wasm", "no module");
    says(&host, from, &["the manifest was not applied"]);
    stage.does("update actor echo new.wasm --no-wait");
    answers(&host, 200, "hello");
    stage.does("rollback echo");
    answers(&host, 200, "ok");
    assert_eq!(revision(), 9);
}

#[test]
fn what_cannot_be_taken_back_stays_and_everybody_is_told() {
    let stage = Stage::new(ECHO);
    let (own, other) =
        (stage.site.account().subject("echo"), stage.site.account().subject("other"));
    stage.put("bad.wasm", &broken(), |draft| draft.subject = other);
    let host = stage.start();
    stage.does(&format!("update actor echo bad.wasm --force --no-wait {WATCHED}"));
    let applied = "trellis_reloads_total{result=\"applied\"}";
    let trust = format!("trust: {{issuers: ['${{ISSUER}}'], revoked: ['{own}']}}\n");
    stage.site.put(MANIFEST, format!("{trust}{ECHO}"));
    eventually(|| if host.metric(applied) >= 2.0 { Ok(()) } else { Err(()) })
        .unwrap_or_else(|()| panic!("{}", host.log().text()));
    for _ in 0..5 {
        assert_eq!(answer(&host).0, 502);
    }
    let told = becomes(&stage, 2, "not_taken_back");
    for said in ["5 of its first 5 calls failed", "stays", "revoked", "trellis rollback echo --to"]
    {
        assert!(told["why"].as_str().unwrap_or_default().contains(said), "{said}: {told:#}");
        assert!(ready(&host).contains(said), "{said}: {}", ready(&host));
    }
    assert_eq!(told["seen"]["failed"], 5);
    let edits = &stage.document("get actors -o json")["actors"][0]["edit"];
    assert_eq!(edits["revision"], 2, "what is told is what runs");
    assert_eq!(host.metric("trellis_edits_taken_back_total"), 0.0);
    stage.fails("rollback echo", 4, &["E_REVOKED"]);
    // Nothing else is held up by it.
    stage.put("new.wasm", &built("echo"), |draft| {
        draft.subject = stage.site.account().subject("other");
        draft.revision = Some(3);
    });
    stage.does("update actor echo new.wasm --no-wait");
    answers(&host, 200, "hello");
    assert!(!ready(&host).contains("stays"), "{}", ready(&host));
}

#[test]
fn a_rollback_waits_for_no_registry() {
    let stage = Stage::new(ECHO);
    stage.put("two.wasm", &built("echo"), |draft| draft.revision = Some(2));
    let host = stage.start();
    stage.does("update actor echo two.wasm --no-wait");
    // It takes connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let registry = silent.local_addr().expect("it is bound");
    let slow = aside(&stage, &format!("update actor echo {registry}/echo:1 --no-wait"));
    drop(silent.accept().map(|(stream, _)| std::mem::forget(stream)));
    stage.does("rollback echo --no-wait");
    answers(&host, 200, "ok");
    // It had not failed yet, and what it was made for is not what is wanted any more.
    let ended = slow.join().expect("it ends");
    assert_eq!(ended.code, Some(6), "{ended:#?}");
    assert!(ended.stderr.contains("E_CONFLICT"), "{ended:#?}");
}

#[test]
fn a_mistyped_call_by_hand_is_not_held_against_a_version() {
    let stage = Stage::new(ECHO);
    stage.put("new.wasm", &built("echo"), |draft| draft.revision = Some(2));
    let host = stage.start();
    let update = aside(&stage, "update actor echo new.wasm --watch-calls 8 --watch-time 60s");
    answers(&host, 200, "hello");
    for _ in 0..8 {
        stage.fails("invoke echo Nothing", 1, &["E_GUEST"]);
    }
    let ended = update.join().expect("it ends");
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.stdout.contains("of which 0 failed"), "{ended:#?}");
}

#[test]
fn a_version_whose_calls_never_end_is_taken_back() {
    let slow = ECHO.replace("instances:", "limits: {call_time: 4s}, instances:");
    let stage = Stage::new(&slow);
    let hangs = by_hand("(memory (export \"memory\") 1)", "(loop $on (br $on)) (i32.const 0)");
    stage.put("bad.wasm", &hangs, |draft| draft.revision = Some(2));
    let host = stage.start();
    let update = aside(&stage, "update actor echo bad.wasm --watch-time 2s");
    let switched = |line: &str| line.contains("replaced actor echo").then_some(());
    assert!(host.log().wait_for(0, switched).is_some(), "{}", host.log().text());
    // It is under way when the watch would be over.
    assert_eq!(answer(&host).0, 504);
    let ended = update.join().expect("it ends");
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(ended.stderr.contains("none of its 1 calls went well"), "{ended:#?}");
    answers(&host, 200, "ok");
}

#[test]
fn that_nobody_called_is_told() {
    let stage = Stage::new(ECHO);
    stage.put("new.wasm", &built("echo"), |draft| draft.revision = Some(2));
    let _host = stage.start();
    let done = stage.does("update actor echo new.wasm --watch-time 200ms");
    assert!(done.stdout.contains("no call came while it was watched"), "{done:#?}");
    assert!(stage.does("history echo").stdout.contains("no call came"), "{done:#?}");
}

#[test]
fn the_history_says_who_wanted_what_and_names_are_checked() {
    let stage = Stage::new(ECHO);
    stage.put("new.wasm", &built("echo"), |draft| draft.revision = Some(7));
    let _host = stage.start();
    stage.does("update actor echo new.wasm --no-wait");
    let row = stage.document("history -o json")["history"][1].clone();
    assert_eq!(row["who"], "socket");
    let version = row["version"].as_str().unwrap_or_default();
    assert!(version.contains("new.wasm (claims revision 7"), "{row:#}");
    assert!(stage.does("history -o wide").stdout.contains("claims revision 7"));
    let near = ["E_NOT_FOUND", "no actor or provider `ecko`", "did you mean `echo`?"];
    stage.fails("history ecko", 3, &near);
    stage.fails("rollback ecko", 3, &near);
    stage.fails(
        "rollback htp-server",
        3,
        &["did you mean `http-server`?", "trellis get providers"],
    );
    let done = stage.does("history http-server");
    assert!(done.stdout.starts_with("REVISION"), "{done:#?}");
}

#[test]
fn what_was_made_for_an_earlier_start_is_refused() {
    let stage = Stage::new(ECHO);
    stage.put("new.wasm", &built("echo"), |draft| draft.revision = Some(2));
    let tag = |host: &HostProcess| {
        let answer = asks(&stage, host, "GET", "", "");
        let tag = answer.lines().find_map(|line| line.strip_prefix("etag: "));
        tag.unwrap_or_else(|| panic!("{answer}")).trim_matches('"').to_owned()
    };
    let host = stage.start();
    let before = tag(&host);
    stage.does(&format!("update actor echo new.wasm --no-wait --dry-run --if-revision {before}"));
    host.signal(Signal::TERM);
    assert_eq!(host.wait().code, Some(0));
    let host = stage.start();
    assert_ne!(tag(&host), before, "though both are revision 1");
    let body = r#"{"edit": {"rollback": {"name": "echo"}}}"#;
    let answer = asks(&stage, &host, "POST", &format!("if-match: \"{before}\"\r\n"), body);
    assert!(answer.starts_with("HTTP/1.1 409") && answer.contains("started anew"), "{answer}");
    let says = ["E_CONFLICT", "started anew"];
    stage.fails(&format!("update actor echo new.wasm --if-revision {before}"), 6, &says);
    let typed = "content-type: application/x-www-form-urlencoded\r\n";
    let answer = asks(&stage, &host, "POST", typed, body);
    assert!(answer.starts_with("HTTP/1.1 415"), "{answer}");
}

/// What the socket answers to a request for `/v1/edits`.
fn asks(stage: &Stage, host: &HostProcess, method: &str, header: &str, body: &str) -> String {
    let socket = stage.site.path(&format!("trellis/shop-{}.sock", host.process_id()));
    let mut stream = std::os::unix::net::UnixStream::connect(&socket).expect("the host listens");
    let length = body.len();
    let head = format!("{method} /v1/edits HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{header}");
    let request = format!("{head}content-length: {length}\r\n\r\n{body}");
    std::io::Write::write_all(&mut stream, request.as_bytes()).expect("the host reads");
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).expect("an answer");
    answer
}

#[test]
fn another_key_is_remembered_once_it_stood_its_watch() {
    let stage = Stage::new(STORE);
    let counter = built("kvcounter");
    let caps = || vec![HTTP.to_owned(), KEYVALUE.to_owned()];
    let other = stage.site.account().subject("other");
    stage.put("app/echo.wasm", &counter, |draft| draft.caps = caps());
    stage.put("other.wasm", &counter, |draft| {
        (draft.caps, draft.subject) = (caps(), other.clone());
    });
    let host = stage.start();
    assert_eq!(answer(&host).1, "{\"counter\": 1}");
    let done = stage.does(&format!("update actor echo other.wasm --force --no-wait {WATCHED}"));
    for said in ["another key", "`host --force`", "trellis rollback echo"] {
        assert!(done.stderr.contains(said), "{said}: {done:#?}");
    }
    assert_eq!(answer(&host).1, "{\"counter\": 1}", "its own data");
    host.signal(Signal::TERM);
    assert_eq!(host.wait().code, Some(0));
    // Nobody knows yet whether it stays, so the host knows the key of before.
    let host = stage.start();
    answers(&host, 200, "{\"counter\": 1}");
    stage.does("update actor echo other.wasm --force --watch-calls 2 --watch-time 60s --no-wait");
    for _ in 0..2 {
        answer(&host);
    }
    becomes(&stage, 2, "applied");
    host.signal(Signal::TERM);
    assert_eq!(host.wait().code, Some(0));
    let refused = HostProcess::start(&mut stage.site.host(MANIFEST)).err();
    let refused = refused.expect("the host remembers the other key");
    assert!(refused.stderr.contains("E_ACTOR_KEY"), "{refused:#?}");
}

#[test]
fn a_reference_in_a_value_is_taken_as_it_is_and_that_is_said() {
    let stage = Stage::new(STORE);
    let caps = vec![HTTP.to_owned(), KEYVALUE.to_owned()];
    stage.put("app/echo.wasm", &built("kvcounter"), |draft| draft.caps = caps);
    let _host = stage.start();
    let line = "update provider store --set PATH=${CANARY}.redb --dry-run";
    let told = stage.does(line).stderr;
    assert!(told.contains("in the value of PATH is taken as it is"), "{told}");
    assert!(!told.contains("CANARY"), "{told}");
}
