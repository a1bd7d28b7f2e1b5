//! What a host runs is stopped, started, scaled and bound by command.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::fs::{CWD, Mode, mkfifoat};
use serde_json::Value;
use trellis_testkit::guests::built;
use trellis_testkit::{Client, HostProcess, Signal, eventually, run_to_end};

use crate::live_swap::{ECHO, HTTP, KEYVALUE, MANIFEST, STORE, Stage, answer};

/// A counter whose store keeps what it has when it is stopped.
const KEPT: &str = "
actors: [{image: echo.wasm, name: echo}]
providers:
  - {builtin: http-server}
  - {builtin: keyvalue-embedded, name: store, values: {PATH: store.redb}}
bindings:
  - {actor: echo, capability: 'wascc:http_server', values: {PORT: 0, ADDRESS: 127.0.0.1}}
  - {actor: echo, capability: 'wascc:keyvalue'}
";

fn counter(stage: &Stage) {
    let caps = vec![HTTP.to_owned(), KEYVALUE.to_owned()];
    stage.put("app/echo.wasm", &built("kvcounter"), |draft| draft.caps = caps);
}

/// Waits until an actor answers anything at the address that the host printed last.
fn serves(host: &HostProcess, status: u16) -> String {
    let served = eventually(|| {
        let answer = Client::new(host.address_of("echo")).send("GET", "/", b"");
        match answer {
            Ok(answer) if answer.status == status => Ok(answer.text()),
            other => Err(format!("{other:?}")),
        }
    });
    served.unwrap_or_else(|other| panic!("{other}, not {status}:\n{}", host.log().text()))
}

fn state(stage: &Stage, what: &str) -> Value {
    let (kind, _) = what.split_once(' ').expect("a kind and a name");
    stage.document(&format!("describe {what} -o json"))[kind]["state"].clone()
}

fn unchanged(stage: &Stage, line: &str) {
    let done = stage.does(line);
    assert!(done.stdout.starts_with("unchanged (revision "), "{line}: {done:#?}");
}

#[test]
fn an_actor_is_stopped_and_started_and_everybody_is_told() {
    let stage = Stage::new(ECHO);
    let host = stage.start();
    assert_eq!(answer(&host).1, "ok");
    let dry = stage.does("stop actor echo --dry-run");
    assert_eq!(dry.stdout, "would stop actor echo");
    assert_eq!(answer(&host).1, "ok");
    let done = stage.does("stop actor echo");
    assert!(done.stdout.contains("stopped actor echo\nrevision 2"), "{done:#?}");
    for said in ["a restart of the host forgets", "take actor echo out of the manifest"] {
        assert!(done.stderr.contains(said), "{said}: {done:#?}");
    }
    unchanged(&stage, "stop actor echo");
    // Who calls it by its name, or by the key, is told what to do.
    let key = stage.site.account().subject("echo");
    for name in ["echo", key.as_str()] {
        let says = ["was stopped by an edit", "`trellis start actor echo`"];
        stage.fails(&format!("invoke {name} HandleRequest"), 3, &says);
    }
    // Nobody takes a stop for a failure.
    let ready = host.ask("/readyz").expect("an answer");
    let note = "note: actor echo is stopped by an edit (revision 2)";
    assert!(ready.status == 200 && ready.text().contains(note), "{}", ready.text());
    assert!(!ready.text().contains("degraded"), "{}", ready.text());
    assert_eq!(state(&stage, "actor echo"), "stopped");
    assert!(stage.does("get actors").stdout.contains("stopped (edit)"));
    assert!(stage.does("describe actor echo").stdout.contains("stopped (edit)"));
    let bindings = stage.document("get bindings -o json")["bindings"].clone();
    assert_eq!(
        (&bindings[0]["state"], bindings.as_array().map(Vec::len)),
        (&"stopped".into(), Some(1))
    );
    // A version that is put in place of one that is stopped waits for its start.
    stage.put("new.wasm", &built("echo"), |draft| draft.revision = Some(2));
    let done = stage.does("update actor echo new.wasm --watch-time 100ms");
    assert!(done.stderr.contains("actor echo is stopped; `trellis start actor echo`"), "{done:#?}");
    unchanged(&stage, "update actor echo new.wasm");
    let done = stage.does("start actor echo");
    assert!(done.stdout.contains("started actor echo"), "{done:#?}");
    assert_eq!(serves(&host, 200), "hello");
    unchanged(&stage, "start actor echo");
    stage.does("rollback echo --no-wait");
    assert_eq!(state(&stage, "actor echo"), "stopped", "that is what was before");
    stage.does("rollback echo --to 1 --no-wait");
    assert_eq!(serves(&host, 200), "ok");
    assert_eq!(host.metric("trellis_edits"), 0.0);
    unchanged(&stage, "start actor echo");
    stage.fails("stop actor ecko", 3, &["no actor `ecko`", "did you mean `echo`?"]);
}

#[test]
fn a_restart_or_the_manifest_ends_a_stop() {
    let stage = Stage::new(ECHO);
    let host = stage.start();
    assert_eq!(answer(&host).1, "ok");
    stage.does("stop actor echo");
    let from = host.log().count();
    // Another entry beside it leaves it alone.
    stage.site.put(MANIFEST, format!("labels: {{a: b}}\n{ECHO}"));
    let reloaded = "trellis_reloads_total{result=\"applied\"}";
    eventually(|| if host.metric(reloaded) >= 2.0 { Ok(()) } else { Err(()) }).expect("it reloads");
    assert_eq!(state(&stage, "actor echo"), "stopped");
    stage.site.put(MANIFEST, ECHO.replace("min: 1", "min: 2"));
    let ended = host.log().wait_for(from, |line| {
        line.contains("the edit of actor echo (revision 2) ended").then_some(())
    });
    assert!(ended.is_some(), "{}", host.log().text());
    assert_eq!(serves(&host, 200), "ok");
    stage.does("stop actor echo");
    host.signal(Signal::TERM);
    assert_eq!(host.wait().code, Some(0));
    let host = stage.start();
    assert_eq!(answer(&host).1, "ok");
}

#[test]
fn a_stopped_server_lets_its_port_go_and_a_stopped_store_is_told_of() {
    let stage = Stage::new(KEPT);
    counter(&stage);
    let host = stage.start();
    assert_eq!(answer(&host).1, "{\"counter\": 1}");
    let address = host.address_of("echo");
    stage.does("stop provider store");
    assert_eq!(answer(&host).0, 503);
    // A stranger is told no more than that; the host's owner is.
    let says = ["provider store was stopped by an edit", "`trellis start provider store`"];
    let log =
        host.log().wait_for(0, |line| says.iter().all(|said| line.contains(said)).then_some(()));
    assert!(log.is_some(), "{}", host.log().text());
    let ready = host.ask("/readyz").expect("an answer");
    assert!(ready.status == 200 && !ready.text().contains("degraded"), "{}", ready.text());
    stage.does("start provider store");
    assert_eq!(answer(&host).1, "{\"counter\": 2}", "what it keeps was kept");
    stage.does("stop provider http-server");
    let gone = eventually(|| match Client::new(address).send("GET", "/", b"") {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        other => Err(format!("{other:?}")),
    });
    gone.unwrap_or_else(|other| panic!("{other}"));
    std::net::TcpListener::bind(address).expect("its port is free");
    assert_eq!(host.ask("/readyz").expect("an answer").status, 200);
    stage.does("start provider http-server");
    assert_eq!(serves(&host, 200), "{\"counter\": 3}");
}

/// Somebody who asks without a pause, also while nobody answers.
fn ask(host: &HostProcess) -> impl FnOnce() -> u64 + use<> {
    let (stop, counted) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let (ends, acknowledged, address) =
        (Arc::clone(&stop), Arc::clone(&counted), host.address_of("echo"));
    let asking = std::thread::spawn(move || {
        let mut client = Client::new(address);
        // Relaxed: joining orders what was counted.
        while !ends.load(Ordering::Relaxed) {
            if client.send("GET", "/", b"").is_ok_and(|answer| answer.status == 200) {
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let enough = counted.load(Ordering::Relaxed) + 50;
    let begun =
        eventually(|| if counted.load(Ordering::Relaxed) >= enough { Ok(()) } else { Err(()) });
    begun.expect("it answers");
    move || {
        stop.store(true, Ordering::Relaxed);
        asking.join().expect("it asks");
        counted.load(Ordering::Relaxed)
    }
}

#[test]
fn a_stop_under_load_loses_no_acknowledged_call() {
    let stage = Stage::new(KEPT);
    counter(&stage);
    let host = stage.start();
    let before = host.address_of("echo");
    let loads = [(); 2].map(|()| ask(&host));
    stage.does("stop actor echo");
    stage.does("stop provider store");
    let acknowledged: u64 = loads.map(|end| end()).iter().sum();
    stage.does("start provider store");
    stage.does("start actor echo");
    let counted = serves(&host, 200);
    let counted: u64 = counted
        .trim_start_matches("{\"counter\": ")
        .trim_end_matches('}')
        .parse()
        .expect("a number");
    // One that was done and not answered any more counts as well.
    assert!(
        counted > acknowledged && counted <= acknowledged + 3,
        "{counted}, {acknowledged}, {before}"
    );
}

#[test]
fn a_binding_is_made_changed_and_taken_away() {
    let unbound = STORE.replace("  - {actor: echo, capability: 'wascc:keyvalue'}\n", "");
    let stage = Stage::new(&unbound);
    counter(&stage);
    let host = stage.start();
    assert_eq!(answer(&host).0, 502, "it has no store");
    let dry = stage.does("bind echo wascc:keyvalue --dry-run");
    assert!(dry.stdout.starts_with("would bind echo to wascc:keyvalue"), "{dry:#?}");
    let done = stage.does("bind echo wascc:keyvalue");
    let keeps = "`{actor: echo, capability: wascc:keyvalue, provider: store}`";
    assert!(done.stderr.contains(keeps), "{done:#?}");
    assert_eq!(answer(&host).1, "{\"counter\": 1}");
    unchanged(&stage, "bind echo wascc:keyvalue");
    // A value that nobody knows is refused with those that are, and a value is never told.
    let says = ["E_CONFIG", "SECRETT"];
    stage.fails("bind echo wascc:keyvalue --set SECRETT=canary", 6, &says);
    stage.fails("bind echo wascc:keyvalu", 3, &["did you mean `wascc:keyvalue`?"]);
    stage.fails("bind echo wascc:blobstore", 3, &["no provider here serves wascc:blobstore"]);
    stage.does("unbind echo wascc:keyvalue");
    assert_eq!(answer(&host).0, 502);
    unchanged(&stage, "unbind echo wascc:keyvalue");
    stage.does("rollback echo --to 2 --no-wait");
    assert_eq!(answer(&host).0, 200, "that was before");
    stage.does("rollback echo --to 1 --no-wait");
    // One of the manifest gets other values, and goes.
    let text = stage.document("get bindings -o json")["bindings"].to_string();
    assert!(!text.contains("wascc:keyvalue"), "{text}");
    let done = stage.does("bind echo wascc:http_server --set PATH=/app");
    assert!(done.stderr.contains("PATH: …") && !done.stderr.contains("/app"), "{done:#?}");
    let at = |path| {
        let answer = Client::new(host.address_of("echo")).send("GET", path, b"");
        answer.map(|answer| answer.status).ok()
    };
    let moved = eventually(|| match (at("/"), at("/app")) {
        (Some(404), Some(502)) => Ok(()),
        other => Err(other),
    });
    moved.unwrap_or_else(|other| panic!("{other:?}"));
    stage.does("unbind echo wascc:http_server");
    assert_eq!(host.ask("/readyz").expect("an answer").status, 200, "it wants no calls");
    // The manifest's own binding becomes another one: it has its say.
    let from = host.log().count();
    stage.site.put(MANIFEST, unbound.replace("PORT: 0", "PATH: /new, PORT: 0"));
    let ended =
        host.log().wait_for(from, |line| line.contains("the edit of actor echo").then_some(()));
    assert!(ended.is_some(), "{}", host.log().text());
    let served = eventually(|| match at("/new") {
        Some(502) => Ok(()),
        other => Err(other),
    });
    served.unwrap_or_else(|other| panic!("{other:?}"));
    for secret in ["canary", "=/app"] {
        assert!(!host.log().text().contains(secret), "{}", host.log().text());
        assert!(!stage.does("history -o json").stdout.contains(secret));
        assert!(!stage.does("events -o json").stdout.contains(secret));
    }
}

#[test]
fn claims_decide_what_is_bound() {
    let stage = Stage::new(ECHO);
    let _host = stage.start();
    stage.does("start provider store --to builtin:keyvalue-embedded");
    let says = ["E_DENIED", "not authorized to use capability wascc:keyvalue"];
    stage.fails("bind echo wascc:keyvalue", 4, &says);
    assert_eq!(
        stage.document("get bindings -o json")["bindings"].as_array().map(Vec::len),
        Some(1)
    );
}

#[test]
fn an_actor_gets_more_and_fewer_instances() {
    let stage = Stage::new(ECHO);
    let host = stage.start();
    assert_eq!(answer(&host).1, "ok");
    let most = || {
        let actor = &stage.document("describe actor echo -o json")["actor"];
        actor["limits"]["instances_max"].clone()
    };
    assert_eq!(most(), 64);
    let done = stage.does("scale actor echo --instances 3");
    assert!(done.stderr.contains("`instances: {max: 3}`"), "{done:#?}");
    assert_eq!((most(), answer(&host).1), (3.into(), "ok".to_owned()));
    unchanged(&stage, "scale actor echo --instances 3");
    stage.fails("scale actor echo --instances 0", 2, &["`trellis stop actor echo`"]);
    stage.fails("scale actor echo --instances 5000", 6, &["1000 instances at most"]);
    // What is other besides stays other.
    stage.put("new.wasm", &built("echo"), |draft| draft.revision = Some(2));
    stage.does("update actor echo new.wasm --no-wait");
    assert_eq!((most(), answer(&host).1), (3.into(), "hello".to_owned()));
    stage.does("scale actor echo --instances 64");
    assert_eq!((most(), answer(&host).1), (64.into(), "hello".to_owned()));
    assert_eq!(host.metric("trellis_edits"), 1.0, "another version is left");
    stage.does("rollback echo --to 1 --no-wait");
    assert_eq!(answer(&host).1, "ok");
}

#[test]
fn what_the_manifest_lacks_is_started_bound_and_forgotten() {
    let stage = Stage::new(ECHO);
    let caps = || vec![HTTP.to_owned(), KEYVALUE.to_owned()];
    stage.put("counter.wasm", &built("kvcounter"), |draft| {
        *draft = stage.site.account().draft("counter");
        draft.caps = caps();
    });
    let host = stage.start();
    assert_eq!(answer(&host).1, "ok");
    stage.does("start provider store --to builtin:keyvalue-embedded");
    stage.does("start actor counter counter.wasm");
    stage.does("bind counter wascc:keyvalue");
    stage.does("bind counter wascc:http_server --set PORT=0 --set ADDRESS=127.0.0.1");
    let counts = || {
        let answer = Client::new(host.address_of("counter")).send("GET", "/", b"");
        answer.expect("an answer").text()
    };
    assert_eq!(counts(), "{\"counter\": 1}");
    unchanged(&stage, "start actor counter counter.wasm");
    unchanged(&stage, "start actor counter");
    unchanged(&stage, "start provider store --to builtin:keyvalue-embedded");
    // What else there is stays as it is when something comes between.
    stage.put("before.wasm", &built("echo"), |draft| {
        *draft = stage.site.account().draft("before");
        draft.caps = caps();
    });
    stage.does("start actor before before.wasm");
    assert_eq!((answer(&host).1, counts()), ("ok".to_owned(), "{\"counter\": 2}".to_owned()));
    stage.does("rollback before --no-wait");
    assert_eq!((answer(&host).1, counts()), ("ok".to_owned(), "{\"counter\": 3}".to_owned()));
    stage.fails("describe actor before", 3, &[]);
    // Other things of the same name are updates.
    let says = ["is there already", "trellis update actor counter"];
    stage.fails("start actor counter before.wasm", 6, &says);
    let says = ["the manifest has actor echo", "trellis update actor echo"];
    stage.fails("start actor echo counter.wasm", 6, &says);
    // A provider goes after what is bound to it.
    stage.fails("rollback store --kind provider", 6, &["`trellis unbind counter wascc:keyvalue`"]);
    // The manifest has another one of that name by now.
    let from = host.log().count();
    let own = "providers: [{builtin: keyvalue-embedded, name: store}, ";
    stage.site.put(MANIFEST, ECHO.replace("providers: [", own));
    let ended =
        host.log().wait_for(from, |line| line.contains("the edit of provider store").then_some(()));
    assert!(ended.is_some(), "{}", host.log().text());
    assert_eq!(state(&stage, "actor counter"), "ready");
    host.signal(Signal::TERM);
    assert_eq!(host.wait().code, Some(0));
    let _host = stage.start();
    let actors = stage.document("get actors -o json")["actors"].clone();
    assert_eq!(actors.as_array().map(Vec::len), Some(1), "a restart forgets it: {actors:#}");
}

#[test]
fn what_cannot_be_started_leaves_nothing() {
    let stage = Stage::new(ECHO);
    let host = stage.start();
    stage.site.put("none.wasm", "no module");
    stage.fails("start actor none none.wasm", 6, &["E_MODULE_INVALID", "none.wasm"]);
    stage.fails("start actor none gone.wasm", 3, &["E_NOT_FOUND", "gone.wasm"]);
    stage.fails("start actor none", 3, &["no actor `none`"]);
    stage.fails("start provider none --to builtin:nothing", 3, &["nothing"]);
    stage.fails("start provider none --to nothing", 6, &["builtin:NAME"]);
    stage.fails("start provider none --set A=b", 2, &["--to"]);
    // It has the key of another one.
    stage.put("same.wasm", &built("echo"), |draft| draft.revision = Some(2));
    stage.fails("start actor same same.wasm", 6, &["is already the actor of"]);
    assert_eq!((answer(&host).1, host.metric("trellis_edits")), ("ok".to_owned(), 0.0));
}

/// Signs at which words end for bash, which are words of their own then.
const SIGNS: [char; 2] = [':', '='];

/// The words of a line, as bash has them.
fn words_of(line: &str) -> Vec<String> {
    let word = |word: &str| {
        let mut pieces = vec![String::new()];
        for letter in word.chars() {
            let last = pieces.last_mut().expect("there is one");
            if last.is_empty() || last.ends_with(SIGNS) == SIGNS.contains(&letter) {
                last.push(letter);
            } else {
                pieces.push(letter.to_string());
            }
        }
        pieces
    };
    line.split(' ').flat_map(word).collect()
}

/// What bash offers for a line, of whose last word some letters are there.
fn completes(stage: &Stage, line: &str) -> Vec<String> {
    let words = words_of(line);
    let (last, typed) = (words.len() - 1, &words[words.len() - 1]);
    // Behind a sign a word begins that has nothing yet.
    let typed = if typed.ends_with(SIGNS) { "" } else { typed };
    let words: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
    let words = words.join(" ");
    let script = format!(
        "source <(trellis completions bash)\nCOMP_WORDS=({words})\nCOMP_CWORD={last}\n\
         COMP_LINE='{line}'\n_trellis trellis '{typed}'\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
    );
    let trellis = stage.site.trellis(&[]);
    let mut command = Command::new("bash");
    command.args(["--norc", "-c", &script]).env_clear().current_dir(stage.site.folder());
    command.envs(trellis.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let folder = Path::new(trellis.get_program()).parent().expect("it is in a folder").display();
    let path = std::env::var("PATH").unwrap_or_default();
    let ended = run_to_end(command.env("PATH", format!("{folder}:{path}")));
    assert_eq!(ended.stderr, "", "{line}: nothing else is said: {ended:#?}");
    // bash has them one after the other, and the options of the command last.
    let offered = ended.stdout.lines().filter(|it| !it.is_empty() && !it.starts_with("--"));
    offered.map(str::to_owned).collect()
}

#[test]
fn a_shell_completes_the_names_of_what_runs() {
    let stage = Stage::new(STORE);
    counter(&stage);
    assert!(completes(&stage, "trellis sto").contains(&"stop".to_owned()));
    assert_eq!(completes(&stage, "trellis stop actor "), [""; 0], "nobody is there to ask");
    let _host = stage.start();
    stage.does("context create here --host shop");
    for (line, names) in [
        ("trellis stop actor ", &["echo"][..]),
        ("trellis start provider s", &["store"]),
        ("trellis rollback ", &["echo", "http-server", "store"]),
        ("trellis describe provider ht", &["http-server"]),
        ("trellis unbind echo wascc:keyvalue --name ", &["default"]),
        ("trellis bind echo ", &["wascc:http_server", "wascc:keyvalue"]),
        ("trellis kv list ", &["echo"]),
        ("trellis context use ", &["here"]),
        ("trellis --quiet stop actor --context here ", &["echo"]),
        ("trellis stop actor --host nobody ", &[]),
        ("trellis get actors --host ", &["shop"]),
        // Of a word with such signs, bash has only what is behind them.
        ("trellis bind echo wascc:", &["http_server", "keyvalue"]),
        ("trellis bind echo wascc:k", &["keyvalue"]),
        ("trellis get actors --host=", &["shop"]),
        ("trellis stop actor --host=shop ", &["echo"]),
    ] {
        assert_eq!(completes(&stage, line), names, "{line}");
    }
    // Nobody writes to that pipe, and whoever read it would take the token away.
    let pipe = |name: &str| {
        let mode = Mode::RUSR | Mode::WUSR;
        mkfifoat(CWD, stage.site.path(name), mode).expect("it is ours");
    };
    pipe("token");
    let line = "trellis stop actor --host http://127.0.0.1:1 --token-file token ";
    assert_eq!(completes(&stage, line), [""; 0]);
    stage.does("context create far --host http://127.0.0.1:1 --token-file token");
    assert_eq!(completes(&stage, "trellis stop actor --context far "), [""; 0]);
    // Wherever it hangs, whoever pressed the key does not wait for it.
    let contexts = ".config/trellis/contexts.json";
    std::fs::rename(stage.site.path(contexts), stage.site.path("kept")).expect("it is there");
    pipe(contexts);
    assert_eq!(completes(&stage, "trellis context use "), [""; 0]);
    std::fs::rename(stage.site.path("kept"), stage.site.path(contexts)).expect("it is ours");
    assert!(!completes(&stage, "trellis stop actor ").contains(&"store".to_owned()));
    assert_eq!(completes(&stage, "trellis stop actor e"), ["echo"]);
}
