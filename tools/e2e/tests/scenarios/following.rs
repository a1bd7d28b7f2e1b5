//! What happens on a host, followed by those who may: events, the log, calls as they go on.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};
use trellis_claims::Scope;
use trellis_e2e::forms::counting;
use trellis_testkit::{HostProcess, PATIENCE, Signal, Site, eventually, run_to_end};

use super::admin_api::{
    MANIFEST, document, fails, posts, prints, sends, site, socket, start, trellis,
};
use super::admin_tokens::{allow, ask, key_of, shown, site_of, token, token_for};

/// Server-sent events, as they come.
struct Stream(Box<dyn BufRead>);

/// One of them.
#[derive(Debug)]
struct Sent {
    id: String,
    name: String,
    data: Value,
}

impl Stream {
    /// Asks for a stream, which begins.
    fn of(connection: impl Read + Write + 'static, path: &str, headers: &str) -> Self {
        let mut stream = Self::asked(connection, path, headers);
        let status = stream.line();
        assert!(status.contains(" 200 "), "{path}: {status}");
        while !stream.line().is_empty() {}
        stream
    }

    fn asked(mut connection: impl Read + Write + 'static, path: &str, headers: &str) -> Self {
        let accept = "accept: text/event-stream\r\n";
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n{accept}{headers}\r\n");
        connection.write_all(request.as_bytes()).expect("the host reads");
        Self(Box::new(BufReader::new(connection)))
    }

    /// A stream at the socket of a host.
    fn at(site: &Site, host: &HostProcess, path: &str) -> Self {
        Self::of(connection(site, host), path, "")
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.0.read_line(&mut line).expect("the host answers in time");
        assert!(read > 0, "the stream ended without a word");
        line.trim_end_matches(['\r', '\n']).to_owned()
    }

    /// The next event. The sizes of chunks stand between the lines, and are of no event.
    fn next(&mut self) -> Sent {
        let mut sent = Sent { id: String::new(), name: String::new(), data: Value::Null };
        loop {
            let line = self.line();
            if let Some(data) = line.strip_prefix("data: ") {
                sent.data = serde_json::from_str(data).expect("it is JSON");
                return sent;
            }
            match line.split_once(": ") {
                Some(("id", id)) => id.clone_into(&mut sent.id),
                Some(("event", name)) => name.clone_into(&mut sent.name),
                _ => {}
            }
        }
    }

    /// The next one of which this is true.
    fn find(&mut self, is_meant: impl Fn(&Sent) -> bool) -> Sent {
        loop {
            let sent = self.next();
            if is_meant(&sent) {
                return sent;
            }
            assert_ne!(sent.name, "end", "{sent:?}");
        }
    }

    /// The next event of that type.
    fn event(&mut self, kind: &str) -> Sent {
        self.find(|sent| sent.data["type"] == format!("io.trellis.host.{kind}"))
    }

    /// The end, and why.
    fn end(&mut self) -> Value {
        self.find_end().data["error"].clone()
    }

    fn find_end(&mut self) -> Sent {
        loop {
            let sent = self.next();
            if sent.name == "end" {
                return sent;
            }
        }
    }
}

fn connection(site: &Site, host: &HostProcess) -> UnixStream {
    let connection = UnixStream::connect(socket(site, host)).expect("the host listens");
    connection.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
    connection
}

fn over_network(host: &HostProcess, path: &str, token: &str) -> Stream {
    let connection = TcpStream::connect(host.admin()).expect("the host listens");
    connection.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
    Stream::of(connection, path, &shown(token))
}

#[test]
fn what_happens_is_told_until_the_host_stops() {
    let site = site(0);
    let host = start(&site);
    let mut stream = Stream::at(&site, &host, "/v1/events");
    let started = stream.event("actor.started");
    assert_eq!(started.data["specversion"], "1.0");
    assert_eq!(started.data["data"]["component"]["state"], "ready");
    assert_eq!(started.id, started.data["id"]);
    let source = started.data["source"].as_str().expect("a text");
    assert_eq!(source, format!("urn:trellis:host:{}", key_of(&site)));
    stream.event("ready");

    let text = std::fs::read_to_string(site.path(MANIFEST)).expect("it is there");
    site.put(MANIFEST, format!("{text}nonsense: 1\n"));
    let refused = stream.event("manifest.refused");
    assert_eq!(refused.data["data"]["code"], "E_MANIFEST", "{refused:?}");
    site.put(MANIFEST, text.replace("{image: loops.wasm, name: loops}, ", ""));
    let applying = stream.event("revision.applying");
    let steps = applying.data["data"]["revision"]["what"].to_string();
    assert!(steps.contains("stop actor loops"), "{steps}");
    stream.event("actor.stopped");

    // Who was away goes on where it was.
    let mut again = Stream::of(
        connection(&site, &host),
        "/v1/events",
        &format!("last-event-id: {}\r\n", refused.id),
    );
    assert_eq!(again.next().data["type"], "io.trellis.host.revision.applying");
    let mut none = Stream::at(&site, &host, "/v1/events?tail=0&type=io.trellis.host.stopping");

    let listed = document(&site, "events --type actor.s -o json");
    let kinds: Vec<_> = listed["events"].as_array().expect("a list").iter().collect();
    assert!(kinds.len() >= 3, "{listed:#}");
    let wide = prints(&site, "events --tail 1 -o wide");
    assert_eq!(wide.lines().count(), 2, "{wide}");
    fails(&site, "events --since soon", 2, &["no time"]);
    let (status, answer) =
        sends(&socket(&site, &host), "GET /v1/events?a=b HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(status == 400 && answer.contains("tail, since, type"), "{answer}");

    let log = prints(&site, "logs -o json");
    assert!(!log.contains("canary") && log.contains("manifest was not applied"), "{log}");

    let mut follows = site.trellis(&["events", "-f", "-o", "json"]);
    let follower = std::thread::spawn(move || run_to_end(&mut follows));
    eventually(|| if host.metric("trellis_streams") >= 4.0 { Ok(()) } else { Err(()) })
        .expect("it follows");
    host.signal(Signal::TERM);
    none.event("stopping");
    stream.event("stopping");
    assert_eq!(stream.end()["code"], "E_STOPPING");
    assert_eq!(host.wait().code, Some(0));
    let follower = follower.join().expect("it ends");
    assert_eq!(follower.code, Some(5), "{follower:#?}");
    let last = follower.stdout.lines().rev().find(|line| line.contains("specversion"));
    assert!(
        last.is_some() && follower.stdout.contains("io.trellis.host.stopping"),
        "{follower:#?}"
    );
    assert!(!follower.stdout.contains("canary"), "a provider's value");
}

#[test]
fn a_stream_ends_with_its_token_and_with_what_its_user_may() {
    let (site, user) = site_of("operate");
    let host = start(&site);
    let key = key_of(&site);
    let mut soon_over = over_network(&host, "/v1/events", &token_for(&user, &key, Scope::Read, 2));
    assert_eq!(soon_over.end()["code"], "E_EXPIRED");
    let operate = token(&user, &key, Scope::Operate);
    let mut logs = over_network(&host, "/v1/logs", &operate);
    let mut events = over_network(&host, "/v1/events", &operate);
    let mut looks = over_network(&host, "/v1/events", &token(&user, &key, Scope::Read));
    let read = shown(&token(&user, &key, Scope::Read));
    for path in ["/v1/logs", "/v1/calls", "/v1/calls/1", "/v1/actors/echo/calls"] {
        let refused = ask(&host, "GET", path, &read);
        assert!(refused.status == 403 && refused.text().contains("operate"), "{refused:?}");
    }
    let payloads = ask(&host, "GET", "/v1/actors/echo/calls?payload=true", &shown(&operate));
    assert!(payloads.status == 403 && payloads.text().contains("admin"), "{payloads:?}");

    allow(&site, &[(user.public().as_str(), "read")]);
    assert_eq!(logs.end()["code"], "E_DENIED");
    assert_eq!(events.find_end().data["error"]["code"], json!("E_DENIED"), "it had more");
    allow(&site, &[]);
    assert_eq!(looks.end()["code"], "E_DENIED");
}

#[test]
fn few_streams_are_open_at_once() {
    let site = site(0);
    let host = start(&site);
    let mut open: Vec<_> = (0..16).map(|_| Stream::at(&site, &host, "/v1/events")).collect();
    let full = || Stream::asked(connection(&site, &host), "/v1/logs", "").line();
    assert!(full().contains(" 503 "), "{}", full());
    fails(&site, "logs -f", 1, &["E_BUSY", "streams_max"]);
    assert_eq!(host.metric("trellis_streams"), 16.0);
    prints(&site, "logs --tail 1");
    open.pop();
    eventually(|| if full().contains(" 200 ") { Ok(()) } else { Err(()) })
        .expect("there is room again");
}

/// However many streams a user wants, the host's own user still gets one, and so do others.
#[test]
fn one_user_has_a_share_of_the_streams() {
    let (site, user) = site_of("read");
    let host = start(&site);
    let shown = shown(&token(&user, &key_of(&site), Scope::Read));
    let asks = || {
        let connection = TcpStream::connect(host.admin()).expect("the host listens");
        connection.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
        Stream::asked(connection, "/v1/events", &shown)
    };
    let mut open: Vec<_> = (0..4).map(|_| asks()).collect();
    assert!(open.iter_mut().all(|stream| stream.line().contains(" 200 ")));
    assert!(asks().line().contains(" 503 "), "the fifth");
    let refused = ask(&host, "GET", "/v1/events", &format!("accept: text/event-stream\r\n{shown}"));
    assert!(refused.text().contains("streams_of_user_max"), "{refused:?}");
    let listed = ask(&host, "GET", "/v1/events", &shown);
    assert_eq!(listed.status, 200, "what is kept is no stream: {listed:?}");
    Stream::at(&site, &host, "/v1/events").event("ready");
    open.pop();
    eventually(|| if asks().line().contains(" 200 ") { Ok(()) } else { Err(()) })
        .expect("there is room again");
}

/// A stream whose client takes nothing gives its place back.
#[test]
fn who_takes_nothing_is_let_go() {
    let site = counting_site();
    let host = start(&site);
    let silent = Stream::at(&site, &host, "/v1/actors/eight/calls?payload=true");
    assert_eq!(host.metric("trellis_streams"), 1.0);
    let body = "a".repeat(8 << 10);
    let message = format!("{{\"method\":\"GET\",\"path\":\"/{body}\"}}");
    let invoke = posts(
        "/v1/actors/eight/invoke/HandleRequest",
        "content-type: application/json\r\n",
        message.len(),
        &message,
    );
    // More than fits on the way: 4 KiB of each message are shown, as hex digits.
    for _ in 0..80 {
        sends(&socket(&site, &host), &invoke);
    }
    eventually(|| match host.metric("trellis_streams") {
        0.0 => Ok(()),
        streams => Err(streams),
    })
    .expect("it has its place back");
    assert_eq!(host.metric("trellis_admin_clients_late_total"), 1.0);
    drop(silent);
}

/// Two actors that ask for a store, of which one may.
fn counting_site() -> Site {
    let site = Site::new();
    for (name, caps) in [("eight", &["wascc:keyvalue"][..]), ("unclaimed", &[])] {
        let mut draft = site.account().draft(name);
        draft.caps = caps.iter().map(ToString::to_string).collect();
        site.put(&format!("app/{name}.wasm"), site.account().sign(&counting(8), &draft));
    }
    let manifest = "
actors: [{image: eight.wasm, name: eight}, {image: unclaimed.wasm, name: unclaimed}]
providers: [{builtin: keyvalue-embedded, name: store}]
bindings: [{actor: eight, capability: 'wascc:keyvalue', provider: store}]
";
    site.put(MANIFEST, manifest);
    site
}

const INVOKE: &str = "HandleRequest --json {\"method\":\"GET\"}";

#[test]
fn the_log_is_shown_by_whom_it_is_of() {
    let site = counting_site();
    let host = start(&site);
    let mut stream = Stream::at(&site, &host, "/v1/logs?about=unclaimed&level=warn");
    let ended = trellis(&site, &format!("invoke unclaimed {INVOKE}"));
    assert_ne!(ended.code, Some(0), "{ended:#?}");
    let failed = stream.find(|sent| sent.data["target"] == "call").data;
    assert_eq!(
        (&failed["fields"]["callee"], &failed["level"]),
        (&json!("unclaimed"), &json!("warn"))
    );
    // What the host says of it in a sentence is of it as well.
    let started = prints(&site, "logs unclaimed --level info");
    assert!(started.contains("started actor unclaimed"), "{started}");
    assert!(!started.contains("actor eight"), "{started}");
    let lines = prints(&site, "logs unclaimed --level warn --since 5m");
    assert!(lines.contains(" warn unclaimed: failed"), "{lines}");
    assert_eq!(prints(&site, "logs eight --level error"), "");
    // What is asked for and not there is told from what is mistyped.
    fails(&site, "logs eigth", 3, &["E_NOT_FOUND", "did you mean `eight`"]);
    for (line, says) in [
        ("logs eight --level error", "no line that is kept"),
        ("events --type nope", "begins like `nope`"),
    ] {
        let ended = trellis(&site, line);
        assert!(ended.code == Some(0) && ended.stderr.contains(says), "{line}: {ended:#?}");
    }
    let all = document(&site, "logs -o json");
    let lines = all["logs"].as_array().expect("a list");
    let denied = lines.iter().find(|line| line["fields"]["event"] == "denied").expect("it is told");
    // From the line of the log to the reason.
    let trace = denied["fields"]["trace_id"].as_str().expect("a trace");
    let why = document(&site, &format!("why {trace} -o json"));
    let [first, rest @ ..] = &why["decisions"].as_array().expect("a list")[..] else {
        panic!("{why:#}")
    };
    assert_eq!((&first["verdict"], &first["by"]), (&json!("denied"), &json!("claims")), "{why:#}");
    assert_eq!((&first["callee"], &first["code"]), (&json!("wascc:keyvalue"), &json!("E_DENIED")));
    assert!(
        rest.iter().any(|it| it["verdict"] == "failed" && it["callee"] == "unclaimed"),
        "{why:#}"
    );
    let told = &["nothing is known", "trellis spy", "(since 2", "a restart forgets them"];
    fails(&site, "why 4bf92f3577b34da6a3ce929d0e0e4736", 3, told);
    let table = prints(&site, &format!("why {trace}"));
    let rows: Vec<_> = table.lines().skip(1).collect();
    assert!(rows.first().is_some_and(|row| row.contains("refused by claims")), "{table}");
    assert!(rows.last().is_some_and(|row| row.contains("let through > failed")), "{table}");
}

#[test]
fn calls_are_shown_as_they_go_on() {
    let site = counting_site();
    let host = start(&site);
    let path = "/v1/actors/eight/calls";
    let mut blind = Stream::at(&site, &host, path);
    let mut open = Stream::at(&site, &host, &format!("{path}?payload=true"));
    let invoke = "invoke eight HandleRequest --json {\"method\":\"GET\",\"path\":\"/canary\"}";
    trellis(&site, invoke);
    let inner = blind.next().data;
    assert_eq!(
        (&inner["caller"], &inner["callee"]),
        (&json!("eight"), &json!("store")),
        "{inner:#}"
    );
    assert_eq!((&inner["outcome"], &inner["depth"]), (&json!("answered"), &json!(1)));
    assert!(inner["reply_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{inner:#}");
    let outer = blind.find(|sent| sent.data["callee"] == "eight").data;
    assert_eq!(
        (&outer["caller"], &outer["operation"]),
        (&json!("system"), &json!("HandleRequest"))
    );
    assert_eq!(outer["trace_id"], inner["trace_id"]);
    assert!(outer["payload"].is_null() && inner["payload"].is_null(), "{outer:#}");
    let shown = open.find(|sent| sent.data["callee"] == "eight").data;
    let request = shown["payload"]["request_hex"].as_str().expect("it is shown");
    let canary = "/canary".bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert!(request.contains(&canary), "{shown:#}");

    let trace = inner["trace_id"].as_str().expect("a trace");
    let why = prints(&site, &format!("why {trace}"));
    assert!(why.contains("allowed") && why.contains("binding default leads to store"), "{why}");
    fails(&site, "spy eigth", 3, &["did you mean `eight`"]);
    let (status, answer) =
        sends(&socket(&site, &host), &format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
    assert!(status == 406 && answer.contains("text/event-stream"), "{answer}");
    // Nobody looks any more: nothing is kept of what goes well.
    drop((blind, open));
    eventually(|| if host.metric("trellis_streams") == 0.0 { Ok(()) } else { Err(()) })
        .expect("they have ended");
    let known = || document(&site, "why -o json")["decisions"].as_array().map(Vec::len);
    let before = known();
    trellis(&site, invoke);
    assert_eq!(known(), before);
}

#[test]
fn what_there_is_to_do_is_shown() {
    let site = counting_site();
    let _host = start(&site);
    for actor in ["eight", "eight", "eight", "unclaimed"] {
        trellis(&site, &format!("invoke {actor} {INVOKE}"));
    }
    let loads = document(&site, "top -o json");
    let load = |name: &str| {
        let loads = loads["loads"].as_array().expect("a list");
        loads.iter().find(|it| it["name"] == name).unwrap_or_else(|| panic!("{loads:#?}")).clone()
    };
    for (name, kind, calls, failures) in
        [("eight", "actor", 3, 0), ("unclaimed", "actor", 1, 1), ("store", "provider", 3, 0)]
    {
        let load = load(name);
        assert_eq!((&load["kind"], &load["calls"]), (&json!(kind), &json!(calls)), "{load:#}");
        assert_eq!(load["failures"], json!(failures), "{load:#}");
    }
    assert!(load("eight")["p99_us"].as_u64().is_some_and(|us| us > 0), "{:#}", load("eight"));
    assert_eq!(load("eight")["instances"], json!(1));
    let table = prints(&site, "top --once");
    assert!(table.starts_with("NAME ") && table.lines().count() == 4, "{table}");
    site.put(MANIFEST, "actors: []\n");
    let nothing = eventually(|| {
        let shown = trellis(&site, "top --once");
        if shown.stderr.contains("nothing runs on this host") { Ok(()) } else { Err(shown) }
    });
    nothing.expect("it says so");
}

#[test]
fn a_host_is_asked_by_the_name_that_its_user_gave_it() {
    let (site, user) = site_of("read");
    let host = start(&site);
    site.put("t.jwt", token(&user, &key_of(&site), Scope::Read));
    let url = format!("http://{}", host.admin());
    let create = format!("context create far --host {url} --token-file t.jwt");
    assert!(prints(&site, &create).contains("far: made"), "{create}");
    assert!(prints(&site, &create).contains("unchanged"), "once more");
    prints(&site, "context create near --host shop");
    fails(&site, "context create near --host other", 2, &["another context", "--force"]);
    fails(&site, "context create a/b --host shop", 2, &["no name of a context"]);
    fails(&site, "context create b --host shop --token-file t.jwt", 2, &["a URL"]);
    fails(&site, "context create b --host https://127.0.0.1:1", 2, &["HTTPS is not spoken"]);
    let warned = |mode: u32| {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(site.path("t.jwt"), permissions).expect("it is ours");
        let listed = trellis(&site, "get actors --context far");
        assert_eq!(listed.code, Some(0), "{listed:#?}");
        listed.stderr.contains("others may read") && listed.stderr.contains("chmod 600")
    };
    assert!(warned(0o644) && warned(0o640) && !warned(0o600));
    fails(&site, "context use fra", 3, &["no context `fra`", "Did you mean `far`?"]);
    fails(&site, "context show", 3, &["no context is in use"]);

    // By its address it says who it is for; an invocation is not for who may only read.
    let invoke = "invoke echo HandleRequest --json {\"method\":\"GET\"}";
    let too_little = &["needs a token for operate"];
    fails(&site, &format!("{invoke} --context far"), 4, too_little);
    prints(&site, &format!("{invoke} --context near"));
    prints(&site, "context use far");
    fails(&site, invoke, 4, too_little);
    prints(&site, &format!("{invoke} --host shop"));
    let mut by_variable = site.trellis(&invoke.split(' ').collect::<Vec<_>>());
    let near = run_to_end(by_variable.env("TRELLIS_CONTEXT", "near"));
    assert_eq!(near.code, Some(0), "{near:#?}");
    fails(&site, &format!("{invoke} --host shop --context far"), 2, &["one is meant"]);
    let listed = document(&site, "context list -o json");
    assert_eq!(listed["contexts"][0]["inUse"], json!(true), "{listed:#}");
    assert!(prints(&site, "context show").contains(&url));
    // Who makes a token says for which host, whatever context is in use.
    prints(&site, "token create --quiet");
    assert_eq!(document(&site, "get hosts -o json")["hosts"].as_array().map(Vec::len), Some(1));
    prints(&site, "context use --none");
    prints(&site, invoke);
    prints(&site, "context delete far");
    fails(&site, "get actors --context far", 3, &["no context `far`"]);
}
