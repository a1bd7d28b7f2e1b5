//! Another version of an actor answers its latest calls before it serves.

use trellis_claims::ClaimsDraft;
use trellis_e2e::Load;
use trellis_testkit::guests::{built, by_hand};
use trellis_testkit::{Client, Ended, HostProcess, Site, eventually, run_to_end};

const MANIFEST: &str = "app/shop.yaml";

/// A site with the actor `counter`, whose latest calls are kept.
struct Stage(Site);

impl Stage {
    fn new(limits: &str) -> Self {
        let stage = Self(Site::new());
        stage.put("app/counter.wasm", &built("kvcounter"), 1);
        let manifest = format!(
            "actors: [{{image: counter.wasm, name: counter, limits: {{{limits}}}}}]
providers: [{{builtin: http-server}}, {{builtin: keyvalue-embedded}}]
bindings:
  - {{actor: counter, capability: 'wascc:http_server', values: {{PORT: 0, ADDRESS: 127.0.0.1}}}}
  - {{actor: counter, capability: 'wascc:keyvalue'}}
"
        );
        stage.0.put(MANIFEST, manifest);
        stage
    }

    /// Writes a version of the actor.
    fn put(&self, path: &str, module: &[u8], revision: i32) {
        let caps = ["wascc:http_server", "wascc:keyvalue"].map(str::to_owned).to_vec();
        let draft =
            ClaimsDraft { caps, revision: Some(revision), ..self.0.account().draft("counter") };
        self.0.put(path, self.0.account().sign(module, &draft));
    }

    fn start(&self) -> HostProcess {
        HostProcess::start(&mut self.0.host(MANIFEST)).unwrap_or_else(|ended| panic!("{ended:#?}"))
    }

    fn trellis(&self, line: &str) -> Ended {
        run_to_end(&mut self.0.trellis(&line.split(' ').collect::<Vec<_>>()))
    }

    fn does(&self, line: &str) -> Ended {
        let ended = self.trellis(line);
        assert_eq!(ended.code, Some(0), "{line}: {ended:#?}");
        ended
    }

    fn fails(&self, line: &str, says: &[&str]) {
        let ended = self.trellis(line);
        assert_eq!(ended.code, Some(1), "{line}: {ended:#?}");
        for said in says {
            assert!(ended.stderr.contains(said), "{line}: {said}: {ended:#?}");
        }
    }
}

fn count(host: &HostProcess) -> String {
    Client::new(host.address_of("counter")).send("GET", "/", b"").expect("an answer").text()
}

/// A guest that traps whenever it is called.
fn broken() -> Vec<u8> {
    by_hand("(memory (export \"memory\") 1)", "(unreachable)")
}

#[test]
fn a_version_that_fails_on_kept_calls_never_serves() {
    let stage = Stage::new("replay_calls: 5");
    stage.put("bad.wasm", &broken(), 2);
    let host = stage.start();
    (0..7).for_each(|_| drop(count(&host)));
    let load = Load::start(host.address_of("counter"), "/").expect("it responds");
    let says =
        ["it fails on 5 of 5 calls that the version before answered", "E_TRAP", "taken back"];
    stage.fails("update actor counter bad.wasm", &says);
    load.end().expect("nobody notices");
    assert_eq!(host.metric("trellis_replays_total{result=\"failed\"}"), 1.0);
    // By the manifest as well.
    stage.put("app/counter.wasm", &broken(), 3);
    let told = eventually(|| {
        let body = host.ask("/readyz").expect("an answer").text();
        if body.contains("E_REPLAY") { Ok(()) } else { Err(body) }
    });
    told.unwrap_or_else(|body| panic!("{body}"));
    assert!(count(&host).starts_with("{\"counter\": "));
    // Who means it gets it.
    stage.put("worse.wasm", &broken(), 4);
    stage.does("update actor counter worse.wasm --replay 0 --watch-calls 0");
    assert_eq!(
        Client::new(host.address_of("counter")).send("GET", "/", b"").expect("one").status,
        502
    );
}

#[test]
fn a_replay_has_no_effects_and_says_what_differs() {
    let stage = Stage::new("replay_calls: 100, replay_bytes: 64KiB");
    stage.put("same.wasm", &built("kvcounter"), 2);
    stage.put("other.wasm", &built("echo"), 3);
    let host = stage.start();
    for expected in 1..=4 {
        assert_eq!(count(&host), format!("{{\"counter\": {expected}}}"));
    }
    let done = stage.does("update actor counter same.wasm --no-wait");
    let said = "actor counter: of 4 calls that were kept it answers 4 as before";
    assert!(done.stderr.contains(said), "{done:#?}");
    assert_eq!(count(&host), "{\"counter\": 5}", "what was replayed happened once");
    let done = stage.does("update actor counter other.wasm --replay 2 --no-wait");
    let said = "actor counter: of 2 calls that were kept it answers 0 as before, 2 otherwise";
    assert!(done.stderr.contains(said), "{done:#?}");
    assert_eq!(count(&host), "hello");
    // Back is not asked.
    stage.does("rollback counter");
    assert_eq!(count(&host), "{\"counter\": 6}");
    // A manifest that ends an edit is.
    stage.put("app/counter.wasm", &broken(), 9);
    let told = eventually(|| {
        let body = host.ask("/readyz").expect("an answer").text();
        if body.contains("E_REPLAY") { Ok(()) } else { Err(body) }
    });
    told.unwrap_or_else(|body| panic!("{body}"));
    assert_eq!(count(&host), "{\"counter\": 7}");
}

#[test]
fn who_asks_for_a_replay_is_not_to_believe_that_there_was_one() {
    let stage = Stage::new("");
    stage.put("same.wasm", &built("kvcounter"), 2);
    let host = stage.start();
    assert_eq!(count(&host), "{\"counter\": 1}");
    let says = ["no calls were kept", "limits: {replay_calls: 100}"];
    for dry in [" --dry-run", ""] {
        stage.fails(&format!("update actor counter same.wasm --replay 10{dry}"), &says);
    }
    stage.does("update actor counter same.wasm --no-wait");
}

#[test]
fn what_never_ran_says_nothing_of_what_follows() {
    let stage = Stage::new("replay_calls: 5");
    stage.put("app/nine.wasm", &broken(), 9);
    stage.put("two.wasm", &built("echo"), 2);
    let host = stage.start();
    assert_eq!(count(&host), "{\"counter\": 1}");
    let manifest = std::fs::read_to_string(stage.0.path(MANIFEST)).expect("it is there");
    stage.0.put(MANIFEST, manifest.replace("counter.wasm", "nine.wasm"));
    let told = eventually(|| {
        let body = host.ask("/readyz").expect("an answer").text();
        if body.contains("E_REPLAY") { Ok(()) } else { Err(body) }
    });
    told.unwrap_or_else(|body| panic!("{body}"));
    // Nine is what is wanted, and one runs.
    let done = stage.does("update actor counter two.wasm --no-wait");
    assert!(done.stderr.contains("goes back to what runs now"), "{done:#?}");
    assert_eq!(count(&host), "hello");
    stage.does("rollback counter");
    assert_eq!(count(&host), "{\"counter\": 2}", "not to what was refused");
}

#[test]
fn a_dry_run_says_how_many_calls_would_be_answered() {
    let stage = Stage::new("replay_calls: 5");
    stage.put("same.wasm", &built("kvcounter"), 2);
    let host = stage.start();
    (0..3).for_each(|_| drop(count(&host)));
    for (ask, answers) in [("", 3), ("--replay 2 ", 2), ("--force ", 0)] {
        let done = stage.does(&format!("update actor counter same.wasm {ask}--dry-run"));
        let said = format!("whether it answers the latest {answers} calls that are kept");
        assert_eq!(done.stderr.contains(&said), answers > 0, "{done:#?}");
        assert!(done.stdout.contains("would replace actor counter"), "{done:#?}");
    }
}
