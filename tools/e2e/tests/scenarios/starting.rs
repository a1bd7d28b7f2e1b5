//! How a host starts, what it waits for, and what it tells meanwhile.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, mkfifoat};
use trellis_e2e::hostile::{harmless, hostile};
use trellis_testkit::guests::{built, wasm};
use trellis_testkit::{HostProcess, Signal, Site, eventually, host_binary, signal};

/// The longest a signal may take while a disk or a module does not answer.
const AT_ONCE: Duration = Duration::from_secs(5);

const ECHO: &str = "actors: [{image: echo.wasm, name: echo}]
providers: [{builtin: http-server}]
bindings: [{actor: echo, capability: 'wascc:http_server', values: {PORT: 0, ADDRESS: 127.0.0.1}}]
";

/// Its `_initialize` never ends.
const ENDLESS: &str = "(module (memory (export \"memory\") 1)
  (func (export \"_initialize\") (loop (br 0)))
  (func (export \"__guest_call\") (param i32 i32) (result i32) (i32.const 1)))";

const SLOW: &str = "actors:
  - {image: echo.wasm, name: echo, instances: {min: 1, max: 2}, limits: {init_time: 60s}}
";

fn put(site: &Site, module: &[u8]) {
    let mut draft = site.account().draft("echo");
    draft.caps = vec!["wascc:http_server".to_owned()];
    site.put("app/echo.wasm", site.account().sign(module, &draft));
}

/// A host that runs the echo actor.
fn echoing() -> (Site, HostProcess) {
    let site = Site::new();
    put(&site, &built("echo"));
    site.put("app/manifest.yaml", ECHO);
    let host = HostProcess::start(&mut site.host("app/manifest.yaml"));
    let host = host.unwrap_or_else(|ended| panic!("{ended:#?}"));
    (site, host)
}

fn says(host: &HostProcess, from: usize, says: &[&str]) {
    let all = |line: &str| says.iter().all(|says| line.contains(says)).then_some(());
    assert!(host.log().wait_for(from, all).is_some(), "{says:?} not in\n{}", host.log().text());
}

/// What a host says of itself, as the header `accept` asks for.
fn ready(admin: SocketAddr, accept: &str) -> String {
    let mut stream = TcpStream::connect(admin).expect("the admin address");
    let request = format!("GET /readyz HTTP/1.1\r\nhost: h\r\naccept: {accept}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn ends_soon(mut child: Child) -> Option<i32> {
    let asked = Instant::now();
    let ended = eventually(|| match child.try_wait() {
        Ok(Some(status)) => Ok(status),
        _ => Err(()),
    });
    if ended.is_err() {
        child.kill().expect("it is our own child");
    }
    assert!(ended.is_ok() && asked.elapsed() < AT_ONCE, "it took {:?}", asked.elapsed());
    ended.ok().and_then(|status| status.code())
}

#[test]
fn clients_that_say_nothing_do_not_hold_the_admin_address() {
    let (_site, host) = echoing();
    let connect = |_| TcpStream::connect(host.admin()).expect("a connection");
    // Four times as many as are served at once, each of which may wait five seconds for its head.
    let silent: Vec<TcpStream> = (0..256).map(connect).collect();
    let asked = Instant::now();
    let answer = host.ask("/livez").expect("an answer");
    assert_eq!(answer.status, 200);
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    drop(silent);
}

#[test]
fn a_signal_is_answered_while_an_actor_initializes() {
    let site = Site::new();
    put(&site, &wasm(ENDLESS));
    site.put("app/manifest.yaml", SLOW);
    for signals in [1, 2] {
        let host = HostProcess::begin(&mut site.host("app/manifest.yaml"));
        let host = host.unwrap_or_else(|ended| panic!("{ended:#?}"));
        let starting = ready(host.admin(), "text/plain");
        assert!(starting.contains("503") && starting.ends_with("starting\n"), "{starting}");
        // The compiled module is in the cache from the second start on; either way it is busy now.
        let asked = Instant::now();
        for _ in 0..signals {
            host.signal(Signal::TERM);
        }
        let ended = host.wait();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert!(asked.elapsed() < AT_ONCE, "{signals} signals: {:?}", asked.elapsed());
    }
}

#[test]
fn a_signal_is_answered_while_a_reload_initializes() {
    let (site, host) = echoing();
    put(&site, &wasm(ENDLESS));
    site.put("app/manifest.yaml", SLOW);
    // Compiled is compiled: its first instance is being made now.
    let changing = eventually(|| match host.metric("trellis_modules_compiled_total") {
        compiled if compiled >= 2.0 => Ok(()),
        compiled => Err(compiled),
    });
    assert_eq!(changing, Ok(()), "{}", host.log().text());
    let asked = Instant::now();
    host.signal(Signal::TERM);
    assert_eq!(host.wait().code, Some(0));
    assert!(asked.elapsed() < AT_ONCE, "{:?}", asked.elapsed());
}

#[test]
fn a_signal_is_answered_while_a_disk_does_not_answer() {
    let site = Site::new();
    put(&site, &built("echo"));
    // Reading a pipe that nobody writes to is as slow as a disk can be.
    mkfifoat(CWD, site.path("app/slow.yaml"), Mode::RUSR | Mode::WUSR).expect("a pipe");
    let mut command = site.host("app/slow.yaml");
    let child = command.stderr(Stdio::null()).spawn().expect("the host");
    handles_signals(child.id());
    signal(child.id(), Signal::HUP);
    signal(child.id(), Signal::TERM);
    assert_eq!(ends_soon(child), Some(0));
}

/// Waits until a process has a handler for TERM.
fn handles_signals(process_id: u32) {
    let caught = || {
        let status = fs::read_to_string(format!("/proc/{process_id}/status")).ok()?;
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
        let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
        (mask & (1 << (Signal::TERM.as_raw() - 1)) != 0).then_some(())
    };
    eventually(|| caught().ok_or(())).expect("it listens to signals");
}

#[test]
fn a_host_that_waits_starts_when_its_modules_come() {
    let site = Site::new();
    site.put("app/manifest.yaml", ECHO);
    let host = HostProcess::begin(site.host("app/manifest.yaml").arg("--wait"));
    let host = host.unwrap_or_else(|ended| panic!("{ended:#?}"));
    says(&host, 0, &["waiting for a change", "echo.wasm", "sign the actor first"]);
    let told = ready(host.admin(), "application/json");
    assert!(told.contains("503") && told.contains("\"phase\":\"waiting\""), "{told}");
    assert!(told.contains("echo.wasm"), "{told}");
    put(&site, &built("echo"));
    let answer = trellis_testkit::Client::new(host.address_of("echo")).send("GET", "/", b"");
    assert_eq!(answer.expect("it runs").text(), "hello");
    assert!(ready(host.admin(), "*/*").ends_with("\r\n\r\nready\n"));
}

#[test]
fn a_host_that_waits_reads_a_text_that_is_mended() {
    let site = Site::new();
    put(&site, &built("echo"));
    site.put("app/manifest.yaml", "actors: [\n");
    let (out, log) = (site.path("out"), site.path("log"));
    let file = |path| fs::File::create(path).expect("the site is writable");
    let mut command = site.host("app/manifest.yaml");
    let child = command.env("TRELLIS_WAIT", "yes").stdout(file(&out)).stderr(file(&log)).spawn();
    let child = child.expect("the host");
    let holds = |path, text: &str| {
        let found = eventually(|| {
            let held = fs::read_to_string(path).is_ok_and(|held| held.contains(text));
            if held { Ok(()) } else { Err(()) }
        });
        assert!(found.is_ok(), "{text}: {:?}", fs::read_to_string(&log));
    };
    holds(&log, "waiting for a change");
    site.put("app/manifest.yaml", ECHO);
    holds(&out, "listening http://");
    signal(child.id(), Signal::TERM);
    assert_eq!(ends_soon(child), Some(0));
}

#[test]
fn what_does_not_work_is_told_to_whoever_asks() {
    let (site, host) = echoing();
    site.put("app/manifest.yaml", "actors: [{imagee: x}]\n");
    says(&host, 0, &["the manifest was not applied"]);
    let text = ready(host.admin(), "text/plain");
    assert!(text.contains("200 OK") && text.contains("\r\n\r\nready\ndegraded: "), "{text}");
    assert!(text.contains("imagee") && text.contains("E_MANIFEST"), "{text}");
    let json = ready(host.admin(), "application/json");
    let body = json.split("\r\n\r\n").nth(1).expect("a body");
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    assert_eq!((&body["ready"], &body["phase"]), (&true.into(), &"ready".into()), "{body:#}");
    assert_eq!(body["degraded"][0]["what"], "the manifest was not applied", "{body:#}");

    let from = host.log().count();
    site.put("app/manifest.yaml", ECHO);
    says(&host, from, &["unchanged"]);
    assert!(ready(host.admin(), "*/*").ends_with("\r\n\r\nready\n"));
}

#[test]
fn clients_that_never_read_do_not_hold_the_admin_address() {
    let (_site, host) = echoing();
    let request = "GET /metrics HTTP/1.1\r\nhost: h\r\n\r\n".repeat(2_000);
    let silent: Vec<TcpStream> = (0..128)
        .map(|_| {
            let mut stream = TcpStream::connect(host.admin()).expect("a connection");
            stream.set_nonblocking(true).expect("a socket");
            // As much as it takes; the answers stay unread.
            let _ = stream.write(request.as_bytes());
            stream
        })
        .collect();
    let answered =
        eventually(|| host.ask("/livez").filter(|answer| answer.status == 200).ok_or(()));
    assert!(answered.is_ok(), "the admin address answers");
    drop(silent);
}

#[test]
fn a_signal_is_answered_while_nobody_reads_the_log() {
    let site = Site::new();
    let mut draft = site.account().draft("floods");
    draft.caps = vec!["wascc:http_server".to_owned()];
    site.put("app/echo.wasm", site.account().sign(&hostile("floods-the-log"), &draft));
    site.put("app/manifest.yaml", ECHO);
    let mut command = site.host("app/manifest.yaml");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the host");
    let printed = BufReader::new(child.stdout.take().expect("it is piped"));
    let listening = |line: io::Result<String>| {
        let line = line.ok()?;
        let url = line.strip_prefix("listening http://")?;
        url.split('/').next().and_then(|text| text.split(' ').next())?.parse::<SocketAddr>().ok()
    };
    let address = printed.lines().find_map(listening).expect("it listens");
    // More than a pipe holds. Nobody reads it.
    let answer = trellis_testkit::Client::new(address).send("POST", "/", b"");
    assert_eq!(answer.expect("it runs").status, 200);
    signal(child.id(), Signal::HUP);
    signal(child.id(), Signal::TERM);
    let unread = child.stderr.take();
    assert_eq!(ends_soon(child), Some(0));
    drop(unread);
}

#[test]
fn modules_compile_after_the_binary_was_upgraded() {
    let site = Site::new();
    put(&site, &built("echo"));
    site.put("app/manifest.yaml", ECHO);
    let program = site.path("host");
    fs::copy(host_binary(), &program).expect("a copy");
    let given = site.host("app/manifest.yaml");
    let mut command = Command::new(&program);
    command.args(given.get_args()).current_dir(site.folder()).env_clear();
    let variables = given.get_envs().filter_map(|(name, value)| Some((name, value?)));
    command.envs(variables);
    let host = HostProcess::start(&mut command).unwrap_or_else(|ended| panic!("{ended:#?}"));
    let from = host.log().count();
    fs::remove_file(&program).expect("removed");
    site.put("host", "#!/bin/sh\nexit 2\n");
    put(&site, &harmless());
    says(&host, from, &["replaced actor echo"]);
}
