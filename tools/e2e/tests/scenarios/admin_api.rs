//! The admin socket, over the real command and over the wire.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use trellis_claims::ClaimsDraft;
use trellis_e2e::hostile::{harmless, hostile};
use trellis_testkit::guests::built;
use trellis_testkit::{Ended, HostProcess, PATIENCE, Signal, Site, eventually, run_to_end};

pub(super) const MANIFEST: &str = "app/shop.yaml";
/// A request on which the guests of `hostile` behave well, and one on which they do not.
pub(super) const GOOD: &str = r#"{"method":"GET"}"#;
pub(super) const BAD: &str = r#"{"method":"POST"}"#;

/// A site with two actors: one that is harmless and one that loops when it is asked to.
pub(super) fn site(port: u16) -> Site {
    let site = Site::new();
    for (name, module) in [("echo", harmless()), ("loops", hostile("loops"))] {
        let mut draft = site.account().draft(name);
        draft.caps = vec!["wascc:http_server".to_owned(), "wascc:keyvalue".to_owned()];
        site.put(&format!("app/{name}.wasm"), site.account().sign(&module, &draft));
    }
    let manifest = format!(
        "labels: {{zone: a}}
actors: [{{image: loops.wasm, name: loops}}, {{image: echo.wasm, name: echo}}]
providers:
  - {{builtin: http-server}}
  - {{builtin: keyvalue-redis, name: redis, values: {{URL: 'redis://me:canary@127.0.0.1:1'}}}}
bindings:
  - {{actor: echo, capability: 'wascc:http_server', values: {{PORT: {port}, ADDRESS: 127.0.0.1}}}}
  - {{actor: echo, capability: 'wascc:keyvalue', provider: redis}}
"
    );
    site.put(MANIFEST, manifest);
    site
}

pub(super) fn start(site: &Site) -> HostProcess {
    started(&mut site.host(MANIFEST))
}

pub(super) fn started(command: &mut std::process::Command) -> HostProcess {
    HostProcess::start(command).unwrap_or_else(|ended| panic!("{ended:#?}"))
}

pub(super) fn socket(site: &Site, host: &HostProcess) -> PathBuf {
    site.path(&format!("trellis/shop-{}.sock", host.process_id()))
}

pub(super) fn trellis(site: &Site, line: &str) -> Ended {
    run_to_end(&mut site.trellis(&line.split(' ').collect::<Vec<_>>()))
}

/// What a command prints that succeeds.
pub(super) fn prints(site: &Site, line: &str) -> String {
    let ended = trellis(site, line);
    assert_eq!(ended.code, Some(0), "{line}: {ended:#?}");
    ended.stdout
}

pub(super) fn document(site: &Site, line: &str) -> Value {
    let text = prints(site, line);
    let document: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{line}: {text}"));
    assert_eq!(document["schemaVersion"], 1, "{document:#}");
    document
}

/// A command fails with this exit code and says all of these texts.
pub(super) fn fails(site: &Site, line: &str, code: i32, says: &[&str]) {
    let ended = trellis(site, line);
    assert_eq!(ended.code, Some(code), "{line}: {ended:#?}");
    for said in says {
        assert!(ended.stderr.contains(said), "{line}: {said}: {ended:#?}");
    }
}

/// Sends bytes over a socket; the status and everything else that comes back.
pub(super) fn sends(socket: &PathBuf, request: &str) -> (u16, String) {
    let mut stream = UnixStream::connect(socket).expect("the host listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
    stream.write_all(request.as_bytes()).expect("the host reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer, and then the end");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("{answer}")), answer)
}

pub(super) fn posts(path: &str, header: &str, length: usize, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: a\r\n{header}content-length: {length}\r\n\r\n{body}")
}

#[test]
fn a_host_and_all_it_runs_are_listed() {
    let site = site(0);
    let host = start(&site);
    let hosts = document(&site, "get hosts -o json");
    let [entry] = &hosts["hosts"].as_array().expect("a list")[..] else { panic!("{hosts:#}") };
    assert_eq!((&entry["name"], &entry["pid"]), (&json!("shop"), &json!(host.process_id())));
    assert_eq!((&entry["phase"], &entry["labels"]), (&json!("ready"), &json!({"zone": "a"})));
    assert_eq!(entry["admin"], json!(host.admin().to_string()));

    let actors = document(&site, "get actors -o json");
    let names: Vec<_> = actors["actors"].as_array().expect("a list").iter().collect();
    let names: Vec<_> = names.iter().filter_map(|it| it["name"].as_str()).collect();
    assert_eq!(names, ["echo", "loops"]);
    assert_eq!(prints(&site, "get actors -o name"), "echo\nloops");
    let narrow = prints(&site, "get actors");
    assert!(narrow.starts_with("NAME ") && narrow.contains("\necho "), "{narrow}");
    assert!(prints(&site, "get actors -o wide").contains("http://127.0.0.1:"));
    let yaml = prints(&site, "get providers -o yaml");
    assert!(yaml.starts_with("schemaVersion: 1\nproviders:\n"), "{yaml}");
    let bindings = document(&site, "get bindings -o json");
    assert_eq!(bindings["bindings"][0]["contract"], "wascc:http_server", "{bindings:#}");
    assert_eq!(bindings["bindings"][0]["values"]["ADDRESS"], "127.0.0.1", "{bindings:#}");

    let all = [prints(&site, "get providers -o json"), prints(&site, "describe provider redis")];
    assert!(all.iter().all(|it| it.contains("***") && !it.contains("canary")), "{all:#?}");
    let described = prints(&site, "describe actor echo");
    for said in ["state", "ready", "wascc:keyvalue", "call_time_ms_max", "5000"] {
        assert!(described.contains(said), "{said}: {described}");
    }
}

#[test]
fn what_does_not_run_is_listed_with_its_reason() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a loopback interface");
    let site = site(taken.local_addr().expect("it is bound").port());
    let host = HostProcess::begin(site.host(MANIFEST).arg("--wait"));
    let _host = host.unwrap_or_else(|ended| panic!("{ended:#?}"));
    let down = eventually(|| {
        let bindings = document(&site, "get bindings -o json");
        let first = &bindings["bindings"][0];
        if first["state"] == "down" { Ok(first.clone()) } else { Err(bindings) }
    });
    let down = down.unwrap_or_else(|bindings| panic!("{bindings:#}"));
    assert_eq!(down["reasons"][0]["code"], "E_ADDRESS", "{down:#}");
    let degraded = eventually(|| {
        let redis = document(&site, "describe provider redis -o json");
        let is_so = redis["provider"]["state"] == "degraded";
        if is_so { Ok(redis) } else { Err(redis) }
    });
    let degraded = degraded.unwrap_or_else(|redis| panic!("{redis:#}"));
    assert_eq!(degraded["provider"]["reasons"][0]["code"], "E_PROVIDER", "{degraded:#}");
}

#[test]
fn what_waits_for_a_module_is_listed_with_its_reason() {
    let site = site(0);
    let module = fs::read(site.path("app/echo.wasm")).expect("it was put there");
    fs::remove_file(site.path("app/echo.wasm")).expect("it is ours");
    let host = HostProcess::begin(site.host(MANIFEST).arg("--wait"));
    let _host = host.unwrap_or_else(|ended| panic!("{ended:#?}"));
    let until = |state: &str| {
        let listed = eventually(|| {
            let list = |what: &str| document(&site, &format!("get {what} -o json"))[what].clone();
            let lists = ["actors", "providers", "bindings"].map(list);
            let all = lists.iter().filter_map(Value::as_array).flatten();
            let is_so = all.filter(|it| it["state"] == state).count() == 6;
            if is_so { Ok(lists) } else { Err(lists) }
        });
        listed.unwrap_or_else(|lists| panic!("{state}: {lists:#?}"))
    };
    let [actors, ..] = until("down");
    let why = &actors[0]["reasons"][0];
    assert_eq!(why["code"], "E_NOT_FOUND", "{actors:#}");
    assert!(why["why"].as_str().is_some_and(|why| why.contains("echo.wasm")), "{actors:#}");
    let narrow = prints(&site, "get actors");
    assert!(narrow.contains("\necho  ") && narrow.contains("down"), "{narrow}");
    site.put("app/echo.wasm", module);
    let running = eventually(|| {
        let actors = document(&site, "get actors -o json");
        if actors["actors"][0]["state"] == "ready" { Ok(()) } else { Err(actors) }
    });
    running.unwrap_or_else(|actors| panic!("{actors:#}"));
}

#[test]
fn an_actor_is_invoked_over_the_road() {
    let site = site(0);
    let host = start(&site);
    let reply = prints(&site, &format!("invoke echo HandleRequest --json {GOOD}"));
    let reply: Value = serde_json::from_str(&reply).expect("a message");
    assert_eq!(reply, json!({"statusCode": 200, "header": {}, "body": "ok"}));
    let whole = document(&site, &format!("invoke echo HandleRequest --json {GOOD} -o json"));
    assert_eq!((&whole["response"], &whole["actor"]), (&reply, &json!("echo")));
    let calls = "trellis_call_duration_seconds_count{target=\"echo\"}";
    assert!(host.metric(calls) >= 2.0, "{:?}", host.ask("/metrics").map(|page| page.text()));
    let late = format!("invoke loops HandleRequest --json {BAD} --timeout 300ms");
    fails(&site, &late, 5, &["E_TIMEOUT", "deadline"]);
    fails(&site, &late, 5, &["waited for", "--timeout"]);
    fails(&site, "invoke ecko HandleRequest", 3, &["E_NOT_FOUND", "ecko"]);
    let provider = &["`redis` is a provider", "bound to `redis`", "trellis get bindings"];
    fails(&site, "invoke redis HandleRequest", 3, provider);
    fails(&site, "invoke echo HandleRequest --json {", 2, &["not JSON"]);

    let path = "/v1/actors/echo/invoke/HandleRequest";
    let json = "content-type: application/json\r\n";
    let (status, answer) = sends(&socket(&site, &host), &posts(path, json, GOOD.len(), GOOD));
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains("application/json") && answer.contains(r#""body":"ok""#), "{answer}");
}

#[test]
fn a_host_is_found_or_it_is_said_why_not() {
    let site = site(0);
    fails(&site, "get actors", 5, &["E_NO_HOST", "no host of yours runs", "host --manifest FILE"]);
    fails(&site, "get actors --host ./none.sock", 5, &["E_NO_HOST", "there is no socket"]);
    let none = trellis(&site, "get hosts");
    assert_eq!((none.code, none.stdout.lines().count()), (Some(0), 1), "{none:#?}");
    let one = start(&site);
    fails(&site, "get actors --host shp", 3, &["no host `shp` runs", "--host shop"]);
    fails(&site, "describe actor ecko", 3, &["no actor `ecko`", "did you mean `echo`?"]);
    let two = start(&site);
    let label = |host: &HostProcess| format!("shop-{}", host.process_id());
    fails(&site, "get actors", 2, &["several hosts run", &label(&one), &label(&two)]);
    prints(&site, &format!("get actors --host {}", label(&two)));
    let path = socket(&site, &one);
    prints(&site, &format!("get actors --host {}", path.display()));
    fails(&site, "inspect app/echo.wasm -o name", 2, &["for the lists of"]);
}

#[test]
fn another_user_is_kept_out() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    const NOBODY: u32 = 65_534;
    let site = site(0);
    // What keeps others out is the socket, not the folders above it.
    let path = site.path("open.sock");
    let host = started(site.host(MANIFEST).arg("--socket").arg(&path));
    let open = |path: &std::path::Path, mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(path, mode).expect("it is ours");
    };
    open(site.folder(), 0o755);
    let program = site.path("trellis-copy");
    fs::copy(site.trellis(&[]).get_program(), &program).expect("there is room");
    let asks = || {
        let mut command = std::process::Command::new(&program);
        command.args(["get", "actors", "--host"]).arg(&path).env_clear();
        run_to_end(command.uid(NOBODY).gid(NOBODY))
    };
    let closed = asks();
    assert_eq!(closed.code, Some(4), "{closed:#?}");
    assert!(closed.stderr.contains("another user's"), "{closed:#?}");
    // And should its mode be another one, the host asks who comes in.
    open(&path, 0o666);
    let stranger = asks();
    assert_eq!(stranger.code, Some(4), "{stranger:#?}");
    drop(host);
}

#[test]
fn what_cannot_be_answered_is_refused_with_its_reason() {
    let site = site(0);
    let host = start(&site);
    let socket = socket(&site, &host);
    let invoke = "/v1/actors/echo/invoke/HandleRequest";
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
    let odd = "content-type: text/html\r\n";
    let soon = "trellis-timeout: soon\r\n";
    let json = "content-type: application/json\r\n";
    let many = format!("[{}0]", "0,".repeat(500_000));
    for (request, status, says) in [
        (get("/v1/nothing"), 404, "There are /v1/host"),
        (get("/v1/actors/none"), 404, "E_NOT_FOUND"),
        (get("/v1/actors/none"), 404, "trellis get actors"),
        (get("/v1/events?kind=a"), 400, "has the parameters of each path"),
        (posts("/v1/data/echo/default/export", "", 1, "{"), 400, "`DataQuery`"),
        (get(invoke), 405, "allow: POST"),
        (get(invoke), 405, "does not take this method"),
        (posts("/v1/actors", "", 0, ""), 405, "allow: GET"),
        (posts(invoke, odd, 2, "{}"), 415, "application/msgpack"),
        (posts(invoke, soon, 0, ""), 400, "500ms"),
        (posts(invoke, "content-type: application/json\r\n", 1, "{"), 400, "E_MESSAGE"),
        (posts(invoke, "", 1 << 40, ""), 413, "admin_body_bytes_max"),
        (posts(invoke, json, many.len(), &many), 413, "message_values_max"),
    ] {
        let (got, answer) = sends(&socket, &request);
        let request = &request[..request.len().min(300)];
        assert!(got == status && answer.contains(says), "{request}: {says}: {answer}");
        // What is wrong with a request is not told as what is wrong with a call.
        assert!(request.contains(json) || !answer.contains("contract"), "{request}: {answer}");
    }
    assert!(host.metric("trellis_admin_refused_total{code=\"E_TOO_LARGE\"}") >= 2.0);
    let over_tcp = host.ask("/v1/actors").expect("an answer");
    assert_eq!(over_tcp.status, 401, "{}", over_tcp.text());
    assert!(over_tcp.text().contains("trellis get hosts"), "{}", over_tcp.text());
}

#[test]
fn slow_clients_hold_up_nobody() {
    let site = site(0);
    let host = start(&site);
    let socket = socket(&site, &host);
    let path = "/v1/actors/loops/invoke/HandleRequest";
    let header = "content-type: application/json\r\ntrellis-timeout: 2s\r\n";
    let mut called = UnixStream::connect(&socket).expect("the host listens");
    called.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
    let call = posts(path, header, BAD.len(), BAD);
    called.write_all(call.as_bytes()).expect("the host reads");
    // More than may be connected: the oldest that are silent make way, and the call does not.
    let silent: Vec<_> = (0..200)
        .map(|_| {
            let mut stream = UnixStream::connect(&socket).expect("the host listens");
            stream.write_all(b"GET /v1/host").expect("the host reads");
            stream
        })
        .collect();
    prints(&site, "get actors");
    let mut answer = String::new();
    called.read_to_string(&mut answer).expect("an answer");
    assert!(answer.contains(" 504 ") && answer.contains("E_TIMEOUT"), "{answer}");
    drop(silent);
}

#[test]
fn calls_under_way_are_bounded_and_their_owner_can_look() {
    let site = site(0);
    let host = start(&site);
    let socket = socket(&site, &host);
    let path = "/v1/actors/loops/invoke/HandleRequest";
    let header = "content-type: application/json\r\ntrellis-timeout: 5s\r\n";
    let calls: Vec<_> = (0..16)
        .map(|_| {
            let mut stream = UnixStream::connect(&socket).expect("the host listens");
            let call = posts(path, header, BAD.len(), BAD);
            stream.write_all(call.as_bytes()).expect("the host reads");
            stream
        })
        .collect();
    let busy = eventually(|| {
        let ended = trellis(&site, "invoke echo HandleRequest --timeout 300ms");
        if ended.code == Some(1) { Ok(ended) } else { Err(ended) }
    });
    let busy = busy.unwrap_or_else(|ended| panic!("{ended:#?}"));
    assert!(busy.stderr.contains("admin_calls_max"), "{busy:#?}");
    prints(&site, "get actors");
    drop(calls);
}

/// An answer takes memory for as long as somebody has not taken it.
#[test]
fn a_call_keeps_its_place_until_its_answer_was_taken() {
    const PAYLOAD: usize = 4 << 20;
    let site = site(0);
    let echo = site.account().draft("echo");
    let echo = ClaimsDraft { caps: vec!["wascc:http_server".to_owned()], ..echo };
    site.put("app/echo.wasm", site.account().sign(&built("echo"), &echo));
    let text = fs::read_to_string(site.path(MANIFEST)).expect("it is there");
    let text =
        text.replace("  - {actor: echo, capability: 'wascc:keyvalue', provider: redis}\n", "");
    site.put(MANIFEST, text);
    let host = start(&site);
    let socket = socket(&site, &host);
    let call = posts("/v1/actors/echo/invoke/Echo", "", PAYLOAD, &"a".repeat(PAYLOAD));
    let unread: Vec<_> = (0..16)
        .map(|_| {
            let mut stream = UnixStream::connect(&socket).expect("the host listens");
            stream.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
            stream.write_all(call.as_bytes()).expect("the host reads");
            let mut status = [0; 12];
            stream.read_exact(&mut status).expect("the answer begins");
            assert_eq!(&status, b"HTTP/1.1 200");
            stream
        })
        .collect();
    let small = posts("/v1/actors/echo/invoke/Echo", "", 2, "ok");
    let (status, busy) = sends(&socket, &small);
    assert!(status == 503 && busy.contains("admin_calls_max"), "{busy}");
    drop(unread);
    let asked = || match sends(&socket, &small) {
        (200, _) => Ok(()),
        (_, answer) => Err(answer),
    };
    eventually(asked).unwrap_or_else(|answer| panic!("{answer}"));
}

#[test]
fn a_socket_is_there_for_as_long_as_its_host() {
    let site = site(0);
    let host = start(&site);
    let first = socket(&site, &host);
    assert!(first.exists());
    host.signal(Signal::KILL);
    let killed = host.wait();
    assert!(first.exists(), "nobody was left to remove it: {killed:#?}");
    let host = start(&site);
    let second = socket(&site, &host);
    assert!(!first.exists() && second.exists(), "one that was left behind is removed");
    host.signal(Signal::TERM);
    assert_eq!(host.wait().code, Some(0));
    assert!(!second.exists());

    let off = started(site.host(MANIFEST).args(["--socket", "off"]));
    fails(&site, "get actors", 5, &["no host of yours runs"]);
    drop(off);
    let text = fs::read_to_string(site.path(MANIFEST)).expect("it is there");
    site.put(MANIFEST, format!("{text}host: {{socket: own.sock}}\n"));
    let own = start(&site);
    prints(&site, "get actors --host ./app/own.sock");
    // It is found without its path as well, by a link that goes with it.
    let found = document(&site, "get hosts -o json");
    let path = site.path("app/own.sock").display().to_string();
    assert_eq!(found["hosts"][0]["socket"], path, "{found:#}");
    let link = socket(&site, &own);
    assert!(link.is_symlink());
    let again = run_to_end(&mut site.host(MANIFEST));
    assert_eq!(again.code, Some(1), "{again:#?}");
    assert!(again.stderr.contains("is served by another program"), "{again:#?}");
    prints(&site, "get actors --host ./app/own.sock");
    own.signal(Signal::TERM);
    assert_eq!(own.wait().code, Some(0));
    assert!(!link.is_symlink());
}

#[test]
fn a_host_that_is_silent_holds_up_nobody() {
    let site = site(0);
    let (frozen, well) = (start(&site), start(&site));
    frozen.signal(Signal::STOP);
    let since = Instant::now();
    let listed = trellis(&site, "get hosts -o name");
    let name = |host: &HostProcess| format!("shop-{}", host.process_id());
    assert_eq!((listed.code, listed.stdout.trim()), (Some(0), &*name(&well)), "{listed:#?}");
    assert!(listed.stderr.contains(&name(&frozen)), "{listed:#?}");
    // The one that answers is meant only where no other can be.
    prints(&site, "get actors");
    prints(&site, &format!("get actors --host {}", name(&well)));
    let silent = format!("get actors --host {}", name(&frozen));
    fails(&site, &silent, 5, &["E_NO_HOST", "did not answer", "SIGSTOP"]);
    let either = &["several hosts may be `shop`", &name(&frozen), "does not answer"];
    fails(&site, "get actors --host shop", 2, either);
    let path = socket(&site, &frozen);
    let in_time = format!("get actors --timeout 300ms --host {}", path.display());
    fails(&site, &in_time, 5, &["did not answer within", "SIGSTOP"]);
    // Each of them took ten seconds when one was waited for after the other.
    assert!(since.elapsed() < Duration::from_secs(30), "{:?}", since.elapsed());
    frozen.signal(Signal::CONT);
    prints(&site, &silent);
}

#[test]
fn what_changes_is_listed_again() {
    let site = site(0);
    let host = start(&site);
    let mut watching = site.trellis(&["get", "actors", "-w", "-o", "json"]);
    let mut watching = watching.stdout(Stdio::piped()).spawn().expect("it starts");
    let lists = BufReader::new(watching.stdout.take().expect("it is piped"));
    let mut lists = lists.lines().map(|line| {
        let list: Value = serde_json::from_str(&line.expect("text")).expect("a document in a line");
        let actors = list["actors"].as_array().expect("a list").clone();
        actors.iter().filter_map(|it| it["name"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    });
    assert_eq!(lists.next().expect("it is listed"), ["echo", "loops"]);
    let text = fs::read_to_string(site.path(MANIFEST)).expect("it is there");
    site.put(MANIFEST, text.replace("{image: loops.wasm, name: loops}, ", ""));
    assert!(lists.any(|names| names == ["echo"]), "it is listed again");
    drop(host);
    let ended = watching.wait().expect("it ends with its host");
    assert_eq!(ended.code(), Some(5));
    fails(&site, "get actors -w -o yaml", 2, &[]);
}

#[test]
fn what_is_answered_is_what_the_document_says() {
    let site = site(0);
    let host = start(&site);
    let socket = socket(&site, &host);
    let get = |path: &str| {
        let (status, answer) = sends(&socket, &format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
        let body = answer.split_once("\r\n\r\n").expect("a head and a body").1.to_owned();
        (status, serde_json::from_str::<Value>(&body).expect("JSON"))
    };
    let (_, openapi) = get("/v1/openapi.json");
    let mut checked = 0;
    for (path, item) in openapi["paths"].as_object().expect("paths") {
        let Some(schema) = item.pointer("/get/responses/200/content/application~1json/schema")
        else {
            continue;
        };
        let name = if path.contains("actors") { "echo" } else { "redis" };
        for (name, wanted, schema) in [
            (name, 200, schema),
            (
                "none",
                404,
                &item["get"]["responses"]["default"]["content"]["application/json"]["schema"],
            ),
        ] {
            if wanted == 404 && !path.contains('{') || wanted == 200 && path.contains("{trace}") {
                continue;
            }
            let mut root = schema.clone();
            root["components"] = openapi["components"].clone();
            let (status, answer) = get(&path.replace("{name}", name).replace("{trace}", name));
            assert_eq!(status, wanted, "{path}: {answer:#}");
            let validator = jsonschema::validator_for(&root).expect("a schema");
            if let Err(error) = validator.validate(&answer) {
                panic!("{path}: {error} at {}: {answer:#}", error.instance_path());
            }
            checked += 1;
        }
    }
    assert_eq!(checked, 17, "{openapi:#}");
}

#[test]
fn a_provider_that_is_signed_says_by_whom() {
    let site = Site::new();
    let mut draft = site.account().draft("geo");
    draft.provider = true;
    draft.revision = Some(7);
    site.put("app/geo.wasm", site.account().sign(&built("geo"), &draft));
    site.put(MANIFEST, "actors: []\nproviders: [{module: geo.wasm}]\n");
    let _host = start(&site);
    let described = document(&site, "describe provider geo -o json");
    let signed = &described["provider"]["signed"];
    assert_eq!((&signed["revision"], &signed["issuer"]), (&json!(7), &json!(site.issuer())));
    let shown = prints(&site, "describe provider geo");
    for said in ["key", "issuer", "revision", "sha-256", "expires", site.issuer()] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
}

#[test]
fn a_host_runs_without_a_socket_and_says_so() {
    let site = site(0);
    // Its folder is no folder.
    site.put("trellis", "");
    let host = start(&site);
    let told = host.log().wait_for(0, |line| {
        (line.contains("no admin socket") && line.contains("--socket PATH")).then_some(())
    });
    assert_eq!(told, Some(()), "{}", host.log().text());
}

/// Hosts that one user keeps apart do not see each other, and neither does who asks them.
#[test]
fn a_folder_of_its_own_keeps_a_host_apart() {
    let (site, other) = (site(0), site(0));
    // Where every host of the user is looked for that says nothing else.
    let usual = |mut command: std::process::Command| {
        command.env("XDG_RUNTIME_DIR", other.folder());
        command
    };
    let mut foreign = usual(other.host(MANIFEST));
    let foreign = started(foreign.env_remove("TRELLIS_RUNTIME_DIR"));
    let own = started(&mut usual(site.host(MANIFEST)));
    let pids = |mut command: std::process::Command| {
        let ended = run_to_end(&mut command);
        let listed: Value = serde_json::from_str(&ended.stdout).expect("a document");
        let hosts = listed["hosts"].as_array().expect("a list").iter();
        hosts.map(|host| host["pid"].as_u64()).collect::<Vec<_>>()
    };
    let lists = |site: &Site| usual(site.trellis(&["get", "hosts", "-o", "json"]));
    assert_eq!(pids(lists(&site)), [Some(own.process_id().into())]);
    let mut everywhere = lists(&site);
    everywhere.env_remove("TRELLIS_RUNTIME_DIR");
    let found = pids(everywhere);
    assert!(found.contains(&Some(foreign.process_id().into())), "{found:?}");
    assert!(!found.contains(&Some(own.process_id().into())), "{found:?}");
}
