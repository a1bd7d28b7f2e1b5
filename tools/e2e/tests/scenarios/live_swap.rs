//! What a host runs is changed by command: `trellis update`, `rollback` and `history`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use serde_json::{Value, json};
use trellis_claims::ClaimsDraft;
use trellis_e2e::Load;
use trellis_e2e::hostile::{harmless, hostile};
use trellis_testkit::guests::{built, by_hand};
use trellis_testkit::redis::RedisServer;
use trellis_testkit::{Client, Ended, HostProcess, Signal, Site, eventually, run_to_end};

pub(super) const MANIFEST: &str = "app/shop.yaml";
pub(super) const HTTP: &str = "wascc:http_server";
pub(super) const KEYVALUE: &str = "wascc:keyvalue";

/// A site with the actor `echo`, which answers `ok`, and whatever else is put there.
pub(crate) struct Stage {
    pub(crate) site: Site,
    pub(crate) redis: Option<RedisServer>,
}

impl Stage {
    pub(super) fn new(manifest: &str) -> Self {
        let stage = Self { site: Site::new(), redis: None };
        stage.put("app/echo.wasm", &harmless(), |draft| draft.revision = Some(1));
        stage.site.put(MANIFEST, manifest);
        stage
    }

    /// A counter with a store, and the address of a Redis that may become its store.
    pub(crate) fn of_a_counter() -> (Self, String) {
        let mut stage = Self::new(STORE);
        let redis = RedisServer::start();
        let url = redis.url();
        stage.redis = Some(redis);
        let caps = vec![HTTP.to_owned(), KEYVALUE.to_owned()];
        stage.put("app/echo.wasm", &built("kvcounter"), |draft| draft.caps = caps);
        (stage, url)
    }

    /// Writes a version of the actor `echo`.
    pub(super) fn put(&self, path: &str, module: &[u8], change: impl FnOnce(&mut ClaimsDraft)) {
        let mut draft = self.site.account().draft("echo");
        draft.caps = vec![HTTP.to_owned()];
        draft.revision = Some(2);
        change(&mut draft);
        self.site.put(path, self.site.account().sign(module, &draft));
    }

    pub(crate) fn start(&self) -> HostProcess {
        let mut command = self.site.host(MANIFEST);
        command.envs(self.redis.as_ref().map(|redis| ("REDIS_URL", redis.url())));
        HostProcess::start(&mut command).unwrap_or_else(|ended| panic!("{ended:#?}"))
    }

    pub(crate) fn trellis(&self, line: &str) -> Ended {
        run_to_end(&mut self.site.trellis(&line.split(' ').collect::<Vec<_>>()))
    }

    /// What a command says that succeeds.
    pub(crate) fn does(&self, line: &str) -> Ended {
        let ended = self.trellis(line);
        assert_eq!(ended.code, Some(0), "{line}: {ended:#?}");
        ended
    }

    /// A command fails with this exit code and says all of these texts.
    pub(crate) fn fails(&self, line: &str, code: i32, says: &[&str]) {
        let ended = self.trellis(line);
        assert_eq!(ended.code, Some(code), "{line}: {ended:#?}");
        for said in says {
            assert!(ended.stderr.contains(said), "{line}: {said}: {ended:#?}");
        }
    }

    pub(crate) fn document(&self, line: &str) -> Value {
        let text = self.does(line).stdout;
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{line}: {text}"))
    }

    /// The outcomes of all changes so far.
    fn outcomes(&self) -> Vec<(String, String)> {
        let history = self.document("history -o json");
        let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
        let rows = history["history"].as_array().cloned().unwrap_or_default();
        rows.iter().map(|row| (text(&row["by"]), text(&row["outcome"]))).collect()
    }
}

/// What the actor `echo` answers.
pub(crate) fn answer(host: &HostProcess) -> (u16, String) {
    let answer = Client::new(host.address_of("echo")).send("GET", "/", b"");
    let answer = answer.expect("an answer");
    (answer.status, answer.text())
}

/// Waits until `echo` answers so.
pub(super) fn answers(host: &HostProcess, status: u16, text: &str) {
    let found = eventually(|| match answer(host) {
        found if found == (status, text.to_owned()) => Ok(()),
        other => Err(other),
    });
    found.unwrap_or_else(|other| panic!("{other:?}, not {text}:\n{}", host.log().text()));
}

/// Waits until the host says that the edit of `echo` ended.
fn ended(host: &HostProcess, from: usize) {
    let says = "the edit of actor echo";
    let found = host.log().wait_for(from, |line| line.contains(says).then_some(()));
    assert!(found.is_some(), "{}", host.log().text());
}

/// Somebody who asks `echo` without a pause, whatever it answers.
struct Asking {
    stop: Arc<AtomicBool>,
    client: JoinHandle<u64>,
}

impl Asking {
    fn start(host: &HostProcess) -> Self {
        let (stop, address) = (Arc::<AtomicBool>::default(), host.address_of("echo"));
        let stopped = Arc::clone(&stop);
        let client = std::thread::spawn(move || {
            let mut client = Client::new(address);
            let mut failed = 0;
            // Relaxed: joining orders what the client returns.
            while !stopped.load(Ordering::Relaxed) {
                let answer = client.send("GET", "/", b"").expect("an answer");
                failed += u64::from(answer.status != 200);
            }
            failed
        });
        Self { stop, client }
    }

    /// How many of its requests failed.
    fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.client.join().expect("each request is answered")
    }
}

/// A guest that traps whenever it is called.
pub(super) fn broken() -> Vec<u8> {
    by_hand("(memory (export \"memory\") 1)", "(unreachable)")
}

/// A guest that traps when it starts.
fn unstartable() -> Vec<u8> {
    let items = "(memory (export \"memory\") 1) (func $begin (unreachable)) (start $begin)";
    by_hand(items, "(i32.const 0)")
}

pub(super) const ECHO: &str = "
actors: [{image: echo.wasm, name: echo, instances: {min: 1}}]
providers: [{builtin: http-server}]
bindings: [{actor: echo, capability: 'wascc:http_server', values: {PORT: 0, ADDRESS: 127.0.0.1}}]
";

/// Long enough to be judged by its calls alone.
pub(super) const WATCHED: &str = "--watch-time 60s --watch-calls 1000000";

#[test]
fn a_new_version_runs_until_the_host_ends_and_everybody_is_told() {
    let stage = Stage::new(ECHO);
    stage.put("later/echo.wasm", &built("echo"), |draft| draft.revision = Some(2));
    let host = stage.start();
    assert_eq!(answer(&host), (200, "ok".to_owned()));
    let dry = stage.does("update actor echo later/echo.wasm --dry-run");
    assert_eq!(dry.stdout, "would replace actor echo");
    assert_eq!(answer(&host).1, "ok");
    let done = stage.does("update actor echo later/echo.wasm --no-wait");
    assert!(done.stdout.contains("replaced actor echo\nrevision 2"), "{done:#?}");
    let file = stage.site.path("later/echo.wasm").display().to_string();
    for said in ["a restart of the host forgets", &format!("`image: {file}`")] {
        assert!(done.stderr.contains(said), "{said}: {done:#?}");
    }
    assert_eq!(answer(&host).1, "hello");
    // What was named may become something else; what was checked runs.
    stage.site.put("later/echo.wasm", "no module");
    host.signal(Signal::HUP);
    let reloaded = "trellis_reloads_total{result=\"applied\"}";
    eventually(|| if host.metric(reloaded) >= 2.0 { Ok(()) } else { Err(()) }).expect("it reloads");
    assert_eq!(answer(&host).1, "hello");

    let ready = host.ask("/readyz").expect("an answer");
    let told = format!("note: actor echo is {file} by an edit (revision 2)");
    assert!(ready.status == 200 && ready.text().contains(&told), "{}", ready.text());
    assert!(!ready.text().contains("degraded"), "{}", ready.text());
    assert!(stage.does("describe actor echo").stdout.contains("(revision 2); a restart forgets"));
    assert!(stage.does("get actors").stderr.contains("by an edit (revision 2)"));
    assert_eq!(host.metric("trellis_edits"), 1.0);
    let history = stage.does("history echo").stdout;
    assert!(history.contains("edit") && history.contains("replace actor echo"), "{history}");

    host.signal(Signal::TERM);
    assert_eq!(host.wait().code, Some(0));
    let host = stage.start();
    assert_eq!(answer(&host).1, "ok", "a restart forgets it");
    assert_eq!(host.metric("trellis_edits"), 0.0);
}

#[test]
fn updates_under_load_lose_nothing() {
    let stage = Stage::new(STORE);
    let kvcounter = built("kvcounter");
    let caps = || vec![HTTP.to_owned(), KEYVALUE.to_owned()];
    stage.put("app/echo.wasm", &kvcounter, |draft| {
        draft.caps = caps();
        draft.revision = Some(0);
    });
    let host = stage.start();
    let loads = [(); 2].map(|()| Load::start(host.address_of("echo"), "/").expect("it responds"));
    let updates = if std::env::var_os("TRELLIS_THOROUGH").is_some() { 200 } else { 8 };
    for update in 1..=updates {
        stage.put("new.wasm", &kvcounter, |draft| {
            draft.caps = caps();
            draft.tags = vec![format!("v{update}")];
            draft.revision = Some(update);
        });
        stage.does("update actor echo new.wasm --no-wait");
        if update % 4 == 0 {
            stage.does("rollback echo --no-wait");
        }
    }
    let acknowledged: u64 = loads.map(|load| load.end().expect("no request fails")).iter().sum();
    assert_eq!(answer(&host).1, format!("{{\"counter\": {}}}", acknowledged + 1));
}

#[test]
fn a_version_that_fails_is_taken_back_by_itself() {
    let stage = Stage::new(ECHO);
    stage.put("bad.wasm", &broken(), |draft| draft.revision = Some(2));
    let host = stage.start();
    let asking = Asking::start(&host);
    let says = ["was taken back", "of its first", "calls failed", "trellis history"];
    stage.fails(&format!("update actor echo bad.wasm {WATCHED}"), 1, &says);
    answers(&host, 200, "ok");
    assert!(asking.end() >= 3, "that many calls have to fail before it is known");
    let by = |by: &str, outcome: &str| (by.to_owned(), outcome.to_owned());
    let all = [by("manifest", "applied"), by("edit", "taken_back"), by("automatic", "applied")];
    assert_eq!(stage.outcomes(), all);
    let ready = host.ask("/readyz").expect("an answer");
    assert!(ready.status == 200 && ready.text().contains("was taken back"), "{}", ready.text());
    let dry = stage.does("update actor echo bad.wasm --dry-run");
    assert!(dry.stderr.contains("the same failed before: revision 2"), "{dry:#?}");
    let logged = host.log().wait_for(0, |line| line.contains("was taken back").then_some(()));
    assert!(logged.is_some(), "{}", host.log().text());
    assert_eq!(host.metric("trellis_edits_taken_back_total"), 1.0);
    assert_eq!(host.metric("trellis_edits"), 0.0);
    // What is released next runs as ever.
    stage.put("app/echo.wasm", &built("echo"), |draft| draft.revision = Some(3));
    answers(&host, 200, "hello");
}

#[test]
fn a_version_that_fails_is_taken_back_whatever_is_wrong_with_the_manifest_by_then() {
    let stage = Stage::new(ECHO);
    stage.put("bad.wasm", &broken(), |_| {});
    let host = stage.start();
    stage.site.put(MANIFEST, "actors: [");
    let refused = "the manifest was not applied";
    host.log().wait_for(0, |line| line.contains(refused).then_some(())).expect("it is refused");
    let asking = Asking::start(&host);
    stage.fails(&format!("update actor echo bad.wasm {WATCHED}"), 1, &["was taken back"]);
    answers(&host, 200, "ok");
    asking.end();
    let ready = host.ask("/readyz").expect("an answer").text();
    assert!(ready.contains(refused), "that is as true as before: {ready}");
}

#[test]
fn a_version_that_cannot_start_never_serves() {
    let stage = Stage::new(ECHO);
    stage.put("bad.wasm", &unstartable(), |draft| draft.revision = Some(2));
    let host = stage.start();
    let load = Load::start(host.address_of("echo"), "/").expect("it responds");
    stage.fails("update actor echo bad.wasm", 1, &["was taken back", "trapped"]);
    load.end().expect("nobody notices");
    assert_eq!(answer(&host).1, "ok");
    assert_eq!(stage.document("get actors -o json")["actors"][0]["state"], "ready");
}

#[test]
fn the_next_version_is_watched_for_the_one_before_that_was_not_judged() {
    let stage = Stage::new(ECHO);
    stage.put("bad.wasm", &broken(), |_| {});
    stage.put("worse.wasm", &broken(), |draft| draft.revision = Some(3));
    let host = stage.start();
    answers(&host, 200, "ok");
    stage.does(&format!("update actor echo bad.wasm --no-wait {WATCHED}"));
    assert_eq!(answer(&host).0, 502);
    stage.does(&format!("update actor echo worse.wasm --no-wait {WATCHED}"));
    for _ in 0..5 {
        answer(&host);
    }
    // Not to the first of the two.
    answers(&host, 200, "ok");
    assert_eq!(host.metric("trellis_edits"), 0.0);
}

#[test]
fn a_watch_goes_on_whatever_else_is_asked_of_the_same_actor() {
    let stage = Stage::new(ECHO);
    stage.put("bad.wasm", &broken(), |_| {});
    let host = stage.start();
    answers(&host, 200, "ok");
    stage.does(&format!("update actor echo bad.wasm --no-wait {WATCHED}"));
    stage.does("scale actor echo --instances 3 --no-wait");
    for _ in 0..5 {
        answer(&host);
    }
    answers(&host, 200, "ok");
    assert_eq!(host.metric("trellis_edits"), 1.0, "what was asked for since stays");
}

#[test]
fn a_right_that_is_taken_away_during_a_watch_stays_away() {
    let (stage, _) = Stage::of_a_counter();
    stage.put("bad.wasm", &broken(), |draft| draft.caps.push(KEYVALUE.to_owned()));
    let host = stage.start();
    answers(&host, 200, "{\"counter\": 1}");
    stage.does(&format!("update actor echo bad.wasm --no-wait {WATCHED}"));
    stage.does("unbind echo wascc:keyvalue --no-wait");
    for _ in 0..5 {
        answer(&host);
    }
    let taken = || stage.outcomes().iter().any(|(_, outcome)| outcome == "taken_back");
    let found = eventually(|| if taken() { Ok(()) } else { Err(stage.outcomes()) });
    assert_eq!(found, Ok(()));
    let serves = || answer(&host).1.contains("counter");
    assert!(!serves(), "the version from before has no store either: {:?}", answer(&host));
    let bound = stage.document("get bindings -o json");
    let capabilities = bound["bindings"].as_array().expect("a list").iter();
    let mut kept = capabilities.filter(|it| it["contract"] == KEYVALUE);
    assert!(kept.next().is_none(), "{bound:#}");
}

#[test]
fn a_version_whose_calls_go_well_stays() {
    let stage = Stage::new(ECHO);
    stage.put("new.wasm", &hostile("traps"), |_| {});
    let host = stage.start();
    let asking = Asking::start(&host);
    stage.does("update actor echo new.wasm --watch-calls 50 --watch-time 60s");
    assert_eq!(asking.end(), 0);
    let done = stage.does("update actor echo new.wasm");
    assert_eq!(done.stdout, "unchanged (revision 2)", "it is there already");
    let last = stage.outcomes().pop();
    assert_eq!(last, Some(("edit".to_owned(), "applied".to_owned())));
}

#[test]
fn of_two_admins_the_second_is_told_what_changed() {
    let stage = Stage::new(ECHO);
    stage.put("one.wasm", &built("echo"), |_| {});
    stage.put("two.wasm", &harmless(), |draft| draft.version = Some("2".to_owned()));
    let host = stage.start();
    stage.does("update actor echo one.wasm --if-revision 1 --no-wait");
    let says = ["E_CONFLICT", "at revision 2", "made for 1", "2 by edit: replace actor echo"];
    stage.fails("update actor echo two.wasm --if-revision 1", 6, &says);
    assert_eq!(answer(&host).1, "hello", "the first one's");
    stage.does("update actor echo two.wasm --no-wait");
    assert_eq!(answer(&host).1, "ok");
}

#[test]
fn what_is_no_successor_is_refused_unless_it_is_meant() {
    let stage = Stage::new(ECHO);
    let host = stage.start();
    let other = stage.site.account().subject("other");
    stage.put("old.wasm", &built("echo"), |draft| draft.revision = Some(0));
    stage.put("other.wasm", &built("echo"), |draft| draft.subject = other);
    stage.put("more.wasm", &built("echo"), |draft| {
        draft.revision = Some(2);
        draft.caps.push(KEYVALUE.to_owned());
    });
    stage.site.put("none.wasm", "no module");
    for (file, exit, says) in [
        ("old.wasm", 4, &["E_REVISION", "revision 0 is older than 1", "--force"][..]),
        ("other.wasm", 4, &["E_ACTOR_KEY", "it is another actor", "--force"]),
        ("more.wasm", 4, &["E_DENIED", "use wascc:keyvalue", "--allow-more-capabilities"]),
        ("none.wasm", 6, &["E_MODULE_INVALID", "none.wasm"]),
        ("gone.wasm", 3, &["E_NOT_FOUND", "gone.wasm"]),
    ] {
        stage.fails(&format!("update actor echo {file}"), exit, says);
    }
    stage.fails("update actor ecko old.wasm", 3, &["no actor `ecko`", "did you mean `echo`?"]);
    assert_eq!((answer(&host).1, stage.outcomes().len()), ("ok".to_owned(), 1));
    stage.does("update actor echo more.wasm --allow-more-capabilities --no-wait");
    assert_eq!(answer(&host).1, "hello");
    stage.does("update actor echo old.wasm --force --no-wait");
    let actor = || stage.document("describe actor echo -o json")["actor"].clone();
    assert_eq!(actor()["revision"], 0);
    stage.does("update actor echo other.wasm --force --no-wait");
    assert_eq!(actor()["key"], stage.site.account().subject("other").to_string());
    stage.does("rollback echo --to 1 --no-wait");
    assert_eq!(actor()["revision"], 1);
}

#[test]
fn what_the_manifest_says_anew_ends_an_edit() {
    let stage = Stage::new(ECHO);
    stage.put("new.wasm", &built("echo"), |draft| draft.revision = Some(1));
    let host = stage.start();
    // Another entry beside it, and the same one elsewhere: it holds.
    stage.does("update actor echo new.wasm --no-wait");
    stage.site.put(MANIFEST, format!("labels: {{a: b}}\n{ECHO}"));
    eventually(|| match &stage.document("get hosts -o json")["hosts"][0]["labels"] {
        labels if *labels == json!({"a": "b"}) => Ok(()),
        _ => Err(()),
    })
    .expect("it is reloaded");
    assert_eq!(answer(&host).1, "hello");
    // Its own entry is another one.
    let from = host.log().count();
    stage.site.put(MANIFEST, ECHO.replace("min: 1", "min: 2"));
    ended(&host, from);
    answers(&host, 200, "ok");
    assert_eq!(stage.document("history -o json")["history"][2]["by"], "manifest");
    // Its file is.
    stage.does("update actor echo new.wasm --no-wait");
    let from = host.log().count();
    stage.put("app/echo.wasm", &harmless(), |draft| draft.revision = Some(5));
    ended(&host, from);
    answers(&host, 200, "ok");
    assert_eq!(stage.document("describe actor echo -o json")["actor"]["revision"], 5);
}

#[test]
fn the_manifest_has_its_say_again_with_an_older_revision_than_the_edits() {
    let stage = Stage::new(ECHO);
    stage.put("new.wasm", &built("echo"), |draft| draft.revision = Some(2));
    let host = stage.start();
    stage.does("update actor echo new.wasm --no-wait");
    answers(&host, 200, "hello");
    let from = host.log().count();
    stage.site.put(MANIFEST, ECHO.replace("min: 1", "min: 2"));
    ended(&host, from);
    answers(&host, 200, "ok");
    let actor = &stage.document("describe actor echo -o json")["actor"];
    assert_eq!((&actor["revision"], &actor["reasons"]), (&json!(1), &json!([])), "{actor:#}");
}

#[test]
fn an_edit_in_the_way_of_a_manifest_is_named() {
    let stage = Stage::new(ECHO);
    let other = stage.site.account().subject("other");
    stage.put("new.wasm", &built("echo"), |draft| draft.subject = other.clone());
    let host = stage.start();
    // Unwatched: what stops running is else taken back by itself, which may be sooner.
    stage.does("update actor echo new.wasm --force --no-wait --watch-calls 0");
    let trust = format!("trust: {{issuers: ['${{ISSUER}}'], revoked: ['{other}']}}\n");
    stage.site.put(MANIFEST, format!("{trust}{ECHO}"));
    let told = ["E_REVOKED", "new.wasm", "trellis rollback echo"];
    let found =
        host.log().wait_for(0, |line| told.iter().all(|told| line.contains(told)).then_some(()));
    assert!(found.is_some(), "{}", host.log().text());
    stage.does("rollback echo --no-wait");
    answers(&host, 200, "ok");
    let applied = eventually(|| match host.ask("/readyz").expect("an answer").text() {
        text if text.contains("was not applied") => Err(text),
        _ => Ok(()),
    });
    applied.expect("then the manifest has its say");
}

#[test]
fn updates_are_taken_back_one_by_one_or_to_a_revision() {
    let stage = Stage::new(ECHO);
    stage.put("two.wasm", &built("echo"), |draft| draft.revision = Some(2));
    stage.put("three.wasm", &harmless(), |draft| draft.revision = Some(3));
    let host = stage.start();
    let revision = || stage.document("describe actor echo -o json")["actor"]["revision"].clone();
    stage.fails("rollback echo", 3, &["E_NOT_FOUND", "there is no edit of it"]);
    stage.does("update actor echo two.wasm --no-wait");
    stage.does("update actor echo three.wasm --no-wait");
    for wanted in [2, 1] {
        stage.does("rollback echo");
        assert_eq!(revision(), wanted);
    }
    assert_eq!(host.metric("trellis_edits"), 0.0);
    stage.does("rollback echo --to 3");
    assert_eq!(revision(), 3);
    stage.fails("rollback echo --to 99", 3, &["revision 99 is not known"]);
    assert_eq!(stage.does("rollback echo --to 3").stdout, "unchanged (revision 6)");
}

#[test]
fn what_the_history_has_forgotten_is_still_gone_back_to() {
    let stage = Stage::new(STORE);
    for (path, revision) in [("app/echo.wasm", 1), ("two.wasm", 2), ("three.wasm", 3)] {
        stage.put(path, &harmless(), |draft| {
            draft.revision = Some(revision);
            draft.caps.push(KEYVALUE.to_owned());
        });
    }
    let _host = stage.start();
    let revision = || stage.document("describe actor echo -o json")["actor"]["revision"].clone();
    stage.does("update actor echo two.wasm --no-wait");
    stage.does("update actor echo three.wasm --no-wait");
    // As many as the history holds.
    for operands in 1..=20 {
        stage.does(&format!("update provider store --set OPERANDS_MAX=10{operands:02} --no-wait"));
    }
    stage.does("rollback echo --to 10");
    assert_eq!(revision(), 3, "that was it then");
    stage.does("rollback echo");
    assert_eq!(revision(), 2);
    stage.does("rollback echo");
    assert_eq!(revision(), 1);
}

#[test]
fn going_back_with_one_thing_forces_nothing_else() {
    let stage = Stage::new(STORE);
    let counter = built("kvcounter");
    let sign = |seed: &str| {
        let mut draft = stage.site.account().draft(seed);
        draft.caps = [HTTP, KEYVALUE].map(str::to_owned).to_vec();
        stage.site.account().sign(&counter, &draft)
    };
    stage.site.put("app/echo.wasm", sign("echo"));
    let host = stage.start();
    assert_eq!(answer(&host).1, "{\"counter\": 1}");
    stage.does("update provider store --set OPERANDS_MAX=100 --no-wait");
    // Another actor in its file, whose data would be others': the manifest is refused.
    let from = host.log().count();
    stage.site.put("app/echo.wasm", sign("another"));
    let refused = |line: &str| line.contains("E_ACTOR_KEY").then_some(());
    assert!(host.log().wait_for(from, refused).is_some(), "{}", host.log().text());
    stage.does("rollback store");
    assert_eq!(answer(&host).1, "{\"counter\": 2}", "it is the actor that it was");
    let ready = host.ask("/readyz").expect("an answer").text();
    assert!(ready.contains("was not applied"), "{ready}");
}

pub(super) const STORE: &str = "
actors: [{image: echo.wasm, name: echo}]
providers: [{builtin: http-server}, {builtin: keyvalue-embedded, name: store}]
bindings:
  - {actor: echo, capability: 'wascc:http_server', values: {PORT: 0, ADDRESS: 127.0.0.1}}
  - {actor: echo, capability: 'wascc:keyvalue'}
";

#[test]
fn a_provider_becomes_another_one_under_load_and_is_itself_again() {
    let (stage, url) = Stage::of_a_counter();
    let host = stage.start();
    let implementation = || {
        let provider = stage.document("describe provider store -o json");
        provider["provider"]["implementation"].clone()
    };
    let load = Load::start(host.address_of("echo"), "/").expect("it responds");
    let to_redis = format!("update provider store --to builtin:keyvalue-redis --set URL={url}");
    let done = stage.does(&format!("{to_redis} --no-wait"));
    assert!(done.stderr.contains("`builtin: keyvalue-redis`"), "{done:#?}");
    assert_eq!(implementation(), "keyvalue-redis");
    assert_eq!(stage.does(&to_redis).stdout, "unchanged (revision 2)");
    stage.does("update provider store --set TIMEOUT=3s --no-wait");
    let described = stage.does("describe provider store").stdout;
    assert!(described.contains("TIMEOUT") && described.contains("edit"), "{described}");
    // One that is down does not take over, and is not left behind.
    let canary = "redis://me:canary@127.0.0.1:1";
    stage.fails(&format!("update provider store --set URL={canary}"), 1, &["was taken back"]);
    stage.fails("update provider store --set UR=x", 6, &["E_CONFIG", "UR"]);
    stage.fails("update provider store --unset PATH", 6, &["no value `PATH`"]);
    stage.fails("update provider store --to redis", 6, &["builtin:NAME"]);
    stage.fails("update provider store", 2, &["--to"]);
    assert_eq!(implementation(), "keyvalue-redis");
    stage.does("rollback store --to 1 --no-wait");
    assert_eq!(implementation(), "keyvalue-embedded");
    load.end().expect("no request fails");
    let all = [
        stage.does("history -o json").stdout,
        host.ask("/readyz").expect("an answer").text(),
        host.log().text(),
    ];
    assert!(all.iter().all(|it| !it.contains("canary")), "{all:#?}");
}

#[test]
fn a_provider_that_is_not_well_any_more_is_taken_back() {
    let (mut stage, url) = Stage::of_a_counter();
    let host = stage.start();
    assert_eq!(answer(&host), (200, "{\"counter\": 1}".to_owned()));
    let line =
        format!("update provider store --to builtin:keyvalue-redis --set URL={url} {WATCHED}");
    let mut update = stage.site.trellis(&line.split(' ').collect::<Vec<_>>());
    let update = std::thread::spawn(move || run_to_end(&mut update));
    let replaced = "replaced provider store";
    host.log().wait_for(0, |line| line.contains(replaced).then_some(())).expect("it serves");
    stage.redis.as_mut().expect("it runs").kill();
    let ended = update.join().expect("it ends");
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(ended.stderr.contains("was taken back"), "{ended:#?}");
    let served = eventually(|| match answer(&host) {
        (200, _) => Ok(()),
        other => Err(other),
    });
    served.unwrap_or_else(|other| panic!("{other:?}:\n{}", host.log().text()));
    let provider = stage.document("describe provider store -o json")["provider"].clone();
    assert_eq!(provider["implementation"], "keyvalue-embedded");
}

#[test]
fn what_is_no_edit_is_refused_over_http() {
    let stage = Stage::new(ECHO);
    let host = stage.start();
    let socket = stage.site.path(&format!("trellis/shop-{}.sock", host.process_id()));
    let sends = |header: &str, body: &str| {
        let length = body.len();
        let head =
            format!("POST /v1/edits HTTP/1.1\r\nhost: a\r\n{header}content-length: {length}");
        let mut stream =
            std::os::unix::net::UnixStream::connect(&socket).expect("the host listens");
        std::io::Write::write_all(&mut stream, format!("{head}\r\n\r\n{body}").as_bytes())
            .expect("the host reads");
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut stream, &mut answer).expect("an answer");
        answer
    };
    let rollback = r#"{"edit": {"rollback": {"name": "echo"}}}"#;
    for (header, body, status, says) in [
        ("", "", "400", "the body is no edit"),
        ("", "{\"edit\": {\"actor\": {\"name\": \"echo\"}}}", "400", "missing field `image`"),
        (
            "",
            "{\"edit\": {\"actor\": {\"name\": \"echo\", \"image\": \"e.wasm\"}}}",
            "400",
            "no absolute",
        ),
        ("if-match: x\r\n", rollback, "400", "if-match must be"),
        ("if-match: \"7\"\r\n", rollback, "400", "if-match must be"),
        ("if-match: \"ab-7\"\r\n", rollback, "409", "E_CONFLICT"),
        ("if-match: \"1\"\r\nif-match: \"7\"\r\n", rollback, "400", "two headers if-match"),
        ("", rollback, "404", "there is no edit of it"),
    ] {
        let answer = sends(header, body);
        let is_so = answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(says);
        assert!(is_so, "{body}: {says}: {answer}");
    }
    // Refused by what its header says.
    let answer = sends("content-length: 65537\r\nx-", "");
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("edit_bytes_max"), "{answer}");
    assert_eq!(stage.outcomes().len(), 1);
    let log = host.log().text();
    let audited = log.lines().filter(|line| line.contains("audit") && line.contains("goes back"));
    // Who asked is told before anything is done, and what was refused besides.
    assert_eq!(audited.count(), 4, "{log}");
    assert!(log.contains("the host's user"), "{log}");
}
