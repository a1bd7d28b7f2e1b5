//! The processes of providers, seen from outside: what is killed, and what is left.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use trellis_archive::Target;
use trellis_claims::token::Provider;
use trellis_testkit::guests::{built, by_hand};
use trellis_testkit::{
    Account, Client, HostProcess, Response, Signal, Site, eventually, example_program,
};

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
    let answered: [AtomicU64; CLIENTS] = Default::default();
    // Relaxed: nothing else is told by them.
    let counts = || answered.each_ref().map(|count| count.load(Ordering::Relaxed));
    std::thread::scope(|scope| {
        let clients: Vec<_> =
            answered.iter().map(|count| scope.spawn(|| ask(address, &stop, count))).collect();
        let stopping = Stop(&stop);
        for kill in 0..kills {
            times.push(kill_and_wait(&host, address));
            // A call is asked for once more, not twice: nobody's meets the next end as well.
            let before = counts();
            let all = || counts().iter().zip(&before).all(|(now, before)| now > before);
            let further = eventually(|| if all() { Ok(()) } else { Err(counts()) });
            assert!(further.is_ok(), "a client has no answer: {further:?}");
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

/// G3: what fails again and again is left alone, and its neighbor notices nothing.
#[test]
fn what_fails_again_and_again_is_quarantined_until_it_is_mended() {
    let site = Site::new();
    let account = Account::default();
    for name in ["steady", "shaky"] {
        let mut draft = account.draft(name);
        draft.caps = vec!["wascc:http_server".to_owned(), "demo:geo".to_owned()];
        site.put(&format!("{name}.wasm"), account.sign(&built("places"), &draft));
    }
    put_echo(&site, &account, "(func $breaks unreachable) (start $breaks)");
    put_program(&site);
    site.put("manifest.yaml", shaky(account.issuer().public().as_str()));
    let host = HostProcess::start(&mut site.host("manifest.yaml")).expect("it starts");
    let address_of = |actor| host.address_of(actor);
    let (steady, shaky, broken) = (address_of("steady"), address_of("shaky"), address_of("broken"));
    let answered: [AtomicU64; CLIENTS] = Default::default();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let clients: Vec<_> =
            answered.iter().map(|it| scope.spawn(|| ask(steady, &stop, it))).collect();
        let stopping = Stop(&stop);
        until_ready_says(&host, "quarantined: provider shaky: ", || kill(&host, SHAKY));
        until_ready_says(&host, "quarantined: actor broken: ", || drop(get(broken)));
        let refused = get(broken);
        assert_eq!(refused.status, 503);
        assert!(refused.text().contains("E_CRASH_LOOP"), "{}", refused.text());
        assert_eq!(get(shaky).status, 503);
        // Whoever is told to come back in a second comes in vain: it is tried once a minute.
        for actor in [broken, shaky] {
            let pause = get(actor).field("retry-after").and_then(|it| it.parse::<u32>().ok());
            assert!(pause.is_some_and(|seconds| (2..=60).contains(&seconds)), "{pause:?}");
        }
        for series in [
            "trellis_lifecycle_state{kind=\"provider\",name=\"shaky\",state=\"quarantined\"}",
            "trellis_lifecycle_state{kind=\"actor\",name=\"broken\",state=\"quarantined\"}",
            "trellis_lifecycle_components{kind=\"actor\",state=\"quarantined\"}",
        ] {
            assert!((host.metric(series) - 1.0).abs() < f64::EPSILON, "{series}");
        }
        let told = host.log().count_of("quarantined: no back-off helped");
        assert_eq!(told, 2, "once each:\n{}", host.log().text());

        put_program(&site);
        put_echo(&site, &account, "");
        host.signal(Signal::HUP);
        let mended = eventually(|| match (get(shaky), get(broken)) {
            (one, other) if (one.status, other.status) == (200, 200) => Ok(()),
            answers => Err(answers),
        });
        mended.expect("what was mended takes calls");
        // The change that brought it is told of once it is over.
        let forgotten = eventually(|| match host.ask("/readyz").expect("an answer").text() {
            ready if ready.contains("quarantined") => Err(ready),
            _ => Ok(()),
        });
        forgotten.expect("nothing is quarantined any more");
        drop(stopping);
        clients.into_iter().for_each(|client| client.join().expect("every answer was right"));
    });
}

/// The name of the program that is killed again and again.
const SHAKY: &str = "shaky-geo";

/// Puts the program in place, as a build does.
fn put_program(site: &Site) {
    fs::copy(example_program("geo"), site.path("next")).expect("the folder is writable");
    fs::rename(site.path("next"), site.path(SHAKY)).expect("it takes the place");
}

/// Puts an actor in place that answers everything with an empty page, unless it breaks first.
fn put_echo(site: &Site, account: &Account, breaks: &str) {
    let mut draft = account.draft("broken");
    draft.caps = vec!["wascc:http_server".to_owned()];
    let module = match breaks {
        "" => built("echo"),
        _ => by_hand(&format!("(memory (export \"memory\") 1) {breaks}"), "(i32.const 1)"),
    };
    site.put("broken.wasm", account.sign(&module, &draft));
}

fn shaky(issuer: &str) -> String {
    format!(
        "
trust: {{issuers: [{issuer}]}}
actors:
  - {{image: steady.wasm, name: steady}}
  - {{image: shaky.wasm, name: shaky}}
  - {{image: broken.wasm, name: broken, limits: {{start_backoffs: 0}}}}
providers:
  - builtin: http-server
  - {{process: {}, name: steady}}
  - {{process: {{command: ./{SHAKY}, limits: {{restart_backoffs: 0}}}}, name: shaky}}
bindings:
  - {{actor: steady, capability: 'wascc:http_server', values: {{PORT: 0}}}}
  - {{actor: shaky, capability: 'wascc:http_server', values: {{PORT: 0}}}}
  - {{actor: broken, capability: 'wascc:http_server', values: {{PORT: 0}}}}
  - {{actor: steady, capability: 'demo:geo', provider: steady}}
  - {{actor: shaky, capability: 'demo:geo', provider: shaky}}
",
        example_program("geo").display()
    )
}

/// Does something again and again until `/readyz` says this.
fn until_ready_says(host: &HostProcess, wanted: &str, again: impl Fn()) {
    let said = eventually(|| {
        let ready = host.ask("/readyz").expect("an answer").text();
        if ready.contains(wanted) {
            return Ok(());
        }
        again();
        Err(ready)
    });
    said.expect("it says so at last");
}

fn get(address: SocketAddr) -> Response {
    Client::new(address).send("GET", "/Lima", b"").expect("an answer")
}

/// Kills a provider's process, if it runs.
fn kill(host: &HostProcess, program: &str) {
    let children = children_of(host.process_id());
    if let Some(victim) = children.iter().find(|child| is(child, program)) {
        let id = victim.file_name().and_then(|id| id.to_str()).expect("a number");
        // It may have ended by itself.
        drop(Command::new("kill").args(["-KILL", id]).status());
    }
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
fn ask(address: SocketAddr, stop: &AtomicBool, answered: &AtomicU64) {
    let mut client = Client::new(address);
    // Relaxed: nothing else is told by it.
    while !stop.load(Ordering::Relaxed) {
        let response = client.send("GET", "/Oslo", b"").expect("an answer");
        assert_eq!(response.status, 200, "{}", response.text());
        assert!(response.text().contains("59.9139"), "{response:?}");
        answered.fetch_add(1, Ordering::Relaxed);
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
