//! The processes of providers, seen from outside: what is killed, and what is left.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use trellis_archive::Target;
use trellis_claims::token::Provider;
use trellis_testkit::guests::built;
use trellis_testkit::{Account, Client, HostProcess, Signal, Site, eventually, example_program};

/// How much of its program's name a process is known by, in bytes (`proc_pid_comm(5)`).
const COMM_BYTES: usize = 15;
/// Clients that ask all the time.
const CLIENTS: usize = 4;
/// What is started again at once: as many ends within that time, and no more.
const AT_ONCE: (usize, Duration) = (3, Duration::from_secs(5));

#[test]
fn a_process_dies_with_its_host() {
    let site = Site::new();
    let geo = example_program("geo");
    let manifest = format!("actors: []\nproviders: [{{process: {}}}]\n", geo.display());
    site.put("manifest.yaml", manifest);
    let host = HostProcess::start(&mut site.host("manifest.yaml")).expect("it starts");
    let children = children_of(host.process_id());
    let mut running = children.iter().filter(|child| is(child, "geo"));
    let (Some(provider), None) = (running.next(), running.next()) else {
        panic!("of {children:?} one is the provider");
    };
    host.signal(Signal::KILL);
    let gone = eventually(|| if is(provider, "geo") { Err(()) } else { Ok(()) });
    gone.expect("it was killed with its host");
}

#[test]
fn one_that_is_killed_is_back_and_no_call_fails() {
    let kills = if std::env::var_os("TRELLIS_THOROUGH").is_some() { 200 } else { AT_ONCE.0 };
    let site = Site::new();
    let account = Account::default();
    let mut draft = account.draft("places");
    draft.caps = vec!["wascc:http_server".to_owned(), "demo:geo".to_owned()];
    site.put("places.wasm", account.sign(&built("places"), &draft));
    let geo = format!("process: {}", example_program("geo").display());
    site.put("manifest.yaml", places(account.issuer().public().as_str(), &geo));
    let host = HostProcess::start(&mut site.host("manifest.yaml")).expect("it starts");
    let address = host.address_of("places");
    let stop = AtomicBool::new(false);
    let mut times = Vec::new();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| ask(address, &stop))).collect();
        let stopping = Stop(&stop);
        for kill in 0..kills {
            times.push(kill_and_wait(&host, address));
            // More of them at once, and it is left alone for longer.
            let rest = if kills > AT_ONCE.0 { AT_ONCE.1.mul_f64(0.35) } else { Duration::ZERO };
            let since = Instant::now();
            let mut client = Client::new(address);
            while since.elapsed() < rest && kill + 1 < kills {
                assert_eq!(client.send("GET", "/Lima", b"").expect("an answer").status, 200);
            }
        }
        drop(stopping);
        clients.into_iter().for_each(|client| client.join().expect("every answer was right"));
    });
    times.sort();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    println!("killed {kills} times: back after {median:?} (median), {worst:?} (worst)");
    assert!(median < Duration::from_millis(200) && worst < Duration::from_secs(2), "{times:?}");
}

#[test]
fn what_was_changed_in_the_cache_is_not_started() {
    let site = Site::new();
    let mut draft = site.account().draft("places");
    draft.caps = vec!["wascc:http_server".to_owned(), "demo:geo".to_owned()];
    site.put("places.wasm", site.account().sign(&built("places"), &draft));
    let claims = Provider {
        name: Some("geo".to_owned()),
        contract: Some("demo:geo".to_owned()),
        vendor: "Acme".to_owned(),
        revision: None,
        version: None,
        target_hashes: [].into(),
        config_schema: None,
    };
    let program = fs::read(example_program("geo")).expect("it was built");
    let archive = site.account().seal(("geo", claims), (Target::here(), program), None);
    site.put("geo.par", archive);
    site.put("manifest.yaml", places(site.issuer(), "archive: geo.par"));
    let host = HostProcess::start(&mut site.host("manifest.yaml")).expect("it starts");
    let mut client = Client::new(host.address_of("places"));
    let mut ask = || client.send("GET", "/Oslo", b"").expect("an answer").status;
    assert_eq!(ask(), 200);

    let cache = fs::read_dir(site.path("cache/programs")).expect("a folder");
    let cached: Vec<_> = cache.map(|entry| entry.expect("an entry").path()).collect();
    let [cached] = &cached[..] else { panic!("one program: {cached:?}") };
    fs::remove_file(cached).expect("it is ours");
    fs::copy("/bin/true", cached).expect("it is ours");
    let name = cached.file_name().and_then(|name| name.to_str()).expect("digits");
    let children = children_of(host.process_id());
    let runs = |child: &&PathBuf| is(child, &name[..COMM_BYTES]);
    let victim = children.iter().find(runs).expect("it runs");
    let id = victim.file_name().and_then(|id| id.to_str()).expect("a number");
    assert!(Command::new("kill").args(["-KILL", id]).status().expect("it runs").success());
    let refused = |line: &str| line.contains("is not the program that was signed").then_some(());
    assert!(host.log().wait_for(0, refused).is_some(), "{}", host.log().text());
    let lines = host.log().count();
    host.signal(Signal::HUP);
    let replaced = |line: &str| line.contains("replaced provider geo").then_some(());
    assert!(host.log().wait_for(lines, replaced).is_some(), "{}", host.log().text());
    assert_eq!(ask(), 200, "it was unpacked anew");
}

/// Tells the clients to stop when it is dropped: also when the test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn places(issuer: &str, provider: &str) -> String {
    format!(
        "
trust: {{issuers: [{issuer}]}}
actors: [{{image: places.wasm, name: places}}]
providers: [{{builtin: http-server}}, {{{provider}}}]
bindings:
  - {{actor: places, capability: 'wascc:http_server', values: {{PORT: 0}}}}
  - {{actor: places, capability: 'demo:geo'}}
"
    )
}

/// Asks until it is told to stop. Every answer is the right one: where a place is may be asked
/// twice, so a process that ends is noticed by nobody.
fn ask(address: SocketAddr, stop: &AtomicBool) {
    let mut client = Client::new(address);
    // Relaxed: nothing else is told by it.
    while !stop.load(Ordering::Relaxed) {
        let response = client.send("GET", "/Oslo", b"").expect("an answer");
        assert_eq!(response.status, 200, "{}", response.text());
        assert!(response.text().contains("59.9139"), "{response:?}");
    }
}

/// Kills the provider's process; how long it takes until another one has answered.
fn kill_and_wait(host: &HostProcess, address: SocketAddr) -> Duration {
    let children = children_of(host.process_id());
    let victim = children.iter().find(|child| is(child, "geo")).expect("it runs");
    let id = victim.file_name().and_then(|id| id.to_str()).expect("a number");
    let since = Instant::now();
    let killed = Command::new("kill").args(["-KILL", id]).status().expect("it runs");
    assert!(killed.success());
    while is(victim, "geo") {
        std::thread::yield_now();
    }
    // One that is sent before the host has noticed fails like those under way.
    let mut client = Client::new(address);
    let back = eventually(|| match client.send("GET", "/Lima", b"").expect("an answer") {
        response if response.status == 200 => Ok(()),
        response => Err(response.text()),
    });
    back.expect("another one was started");
    since.elapsed()
}

/// The processes that this one started, by their folders under `/proc`.
fn children_of(process: u32) -> Vec<PathBuf> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("it runs");
    let lists = threads.filter_map(|it| fs::read_to_string(it.ok()?.path().join("children")).ok());
    let lists: Vec<_> = lists.collect();
    let ids = lists.iter().flat_map(|list| list.split_whitespace());
    ids.map(|id| PathBuf::from("/proc").join(id)).collect()
}

/// True while the process runs a program of this name.
fn is(process: &Path, program: &str) -> bool {
    let name = fs::read_to_string(process.join("comm")).is_ok_and(|name| name.trim() == program);
    // One that was killed stays as a zombie until it is waited for.
    let stat = fs::read_to_string(process.join("stat")).unwrap_or_default();
    name && !stat.contains(") Z ")
}
