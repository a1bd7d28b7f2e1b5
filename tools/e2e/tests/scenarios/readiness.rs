//! What `/readyz` says of a host that runs and cannot do all that is wanted.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use trellis_e2e::hostile::harmless;
use trellis_testkit::guests::{built, wasm};
use trellis_testkit::{Client, HostProcess, Signal, Site, eventually};

/// Its `_initialize` never ends.
const ENDLESS: &str = "(module (memory (export \"memory\") 1)
  (func (export \"_initialize\") (loop (br 0)))
  (func (export \"__guest_call\") (param i32 i32) (result i32) (i32.const 1)))";

fn put(site: &Site, module: &[u8], caps: &[&str]) {
    site.put("app/echo.wasm", signed(site, module, caps));
}

fn signed(site: &Site, module: &[u8], caps: &[&str]) -> Vec<u8> {
    let mut draft = site.account().draft("echo");
    draft.caps = caps.iter().map(|cap| (*cap).to_owned()).collect();
    site.account().sign(module, &draft)
}

/// A manifest of one actor behind HTTP.
fn echo(front: &str, entry: &str, port: u16) -> String {
    format!(
        "{front}actors: [{{image: echo.wasm, name: echo{entry}}}]
providers: [{{builtin: http-server}}]
bindings:
  - {{actor: echo, capability: 'wascc:http_server', values: {{PORT: {port}, ADDRESS: 127.0.0.1}}}}
"
    )
}

fn started(site: &Site) -> HostProcess {
    let host = HostProcess::start(&mut site.host("app/manifest.yaml"));
    host.unwrap_or_else(|ended| panic!("{ended:#?}"))
}

/// Waits until `/readyz` answers with this status and all of these texts.
fn says(host: &HostProcess, status: u16, texts: &[&str]) {
    let told = eventually(|| {
        let answer = host.ask("/readyz").map(|answer| (answer.status, answer.text()));
        let fits = answer.as_ref().is_some_and(|(got, text)| {
            *got == status && texts.iter().all(|wanted| text.contains(wanted))
        });
        if fits { Ok(()) } else { Err(answer) }
    });
    assert!(told.is_ok(), "{status} {texts:?}: {told:?}\n{}", host.log().text());
}

/// Waits until nothing is degraded.
fn is_well(host: &HostProcess) {
    let well = eventually(|| match host.ask("/readyz").map(|answer| answer.text()) {
        Some(text) if text == "ready\n" => Ok(()),
        told => Err(told),
    });
    assert_eq!(well, Ok(()), "{}", host.log().text());
}

#[test]
fn a_host_that_serves_nothing_is_not_ready() {
    let site = Site::new();
    put(&site, &harmless(), &["wascc:http_server"]);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a loopback interface");
    let port = taken.local_addr().expect("it is bound").port();
    site.put("app/manifest.yaml", echo("", "", port));
    let host = HostProcess::begin(site.host("app/manifest.yaml").arg("--wait"));
    let host = host.unwrap_or_else(|ended| panic!("{ended:#?}"));
    says(&host, 503, &["unserved\n", "degraded: binding of echo", "is in use", "E_ADDRESS"]);
    drop(taken);
    is_well(&host);

    let revoked = format!("trust: {{issuers: [{0}], revoked: [{0}]}}\n", site.issuer());
    site.put("app/manifest.yaml", echo(&revoked, "", port));
    says(&host, 503, &["unserved\n", "degraded: actor echo", "E_REVOKED"]);
}

#[test]
fn a_claim_that_nothing_binds_is_told() {
    let site = Site::new();
    put(&site, &harmless(), &["wascc:http_server", "wascc:keyvalue"]);
    site.put("app/manifest.yaml", echo("", "", 0));
    let host = started(&site);
    says(&host, 200, &["ready\ndegraded: ", "claims wascc:keyvalue", "keyvalue-embedded"]);
    put(&site, &built("echo"), &["wascc:http_server"]);
    is_well(&host);
}

#[test]
fn a_store_whose_file_is_moved_away_is_told_until_it_is_back() {
    let site = Site::new();
    let caps = ["wascc:http_server", "wascc:keyvalue"];
    put(&site, &built("kvcounter"), &caps);
    let store = "providers: [{builtin: keyvalue-embedded, values: {PATH: data/counts.redb}}, ";
    let manifest = echo("", "", 0).replace("providers: [", store)
        + "  - {actor: echo, capability: 'wascc:keyvalue'}\n";
    site.put("app/manifest.yaml", manifest);
    let host = started(&site);
    let mut client = Client::new(host.address_of("echo"));
    let mut count = || client.send("GET", "/", b"").expect("an answer").text();
    assert_eq!(count(), "{\"counter\": 1}");
    let (data, moved) = (site.path("app/data"), site.path("app/moved"));
    fs::rename(&data, &moved).expect("the site is writable");
    says(
        &host,
        200,
        &["ready\ndegraded: provider keyvalue-embedded", "moved away", "move it back"],
    );
    assert_eq!(count(), "{\"counter\": 2}", "it goes on meanwhile");
    fs::rename(&moved, &data).expect("the site is writable");
    is_well(&host);
    // Deleted, it is back by itself.
    fs::remove_dir_all(&data).expect("the site is writable");
    let back = eventually(|| fs::metadata(data.join("counts.redb")));
    assert!(back.is_ok(), "{back:?}\n{}", host.log().text());
    drop(host);
    let host = started(&site);
    let answer = Client::new(host.address_of("echo")).send("GET", "/", b"").expect("an answer");
    assert_eq!(answer.text(), "{\"counter\": 3}", "what was answered is kept");
}

/// How many threads a process has.
fn threads(process_id: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{process_id}/status")).expect("it runs");
    let threads = status.lines().find_map(|line| line.strip_prefix("Threads:"));
    threads.and_then(|count| count.trim().parse().ok()).expect("a number of threads")
}

#[test]
fn a_disk_that_hangs_costs_one_thread_and_is_told() {
    let site = Site::new();
    put(&site, &harmless(), &["wascc:http_server"]);
    site.put("app/manifest.yaml", echo("", "", 0));
    let host = started(&site);
    let before = threads(host.process_id());
    site.put("app/there", echo("", "", 0));
    let slow = Leased::open(&site.path("app/there"));
    fs::rename(site.path("app/there"), site.path("app/manifest.yaml")).expect("replaced");
    for _ in 0..100 {
        host.signal(Signal::HUP);
        assert!(host.ask("/livez").is_some(), "whoever asks is answered meanwhile");
    }
    says(&host, 200, &["ready\ndegraded: the manifest is still being read", "longer than 5 s"]);
    let now = threads(host.process_id());
    assert!(now <= before + 8, "{before} threads were {now} after a hundred signals");
    let answer = Client::new(host.address_of("echo")).send("GET", "/", b"").expect("an answer");
    assert_eq!(answer.text(), "ok", "what runs goes on");

    drop(slow);
    is_well(&host);
}

/// A file that whoever opens it waits for, as on a disk that hangs: this program has a lease of it
/// and does not give it up. The system takes it away after 45 s.
struct Leased(Child);

impl Leased {
    fn open(path: &Path) -> Self {
        // F_SETLEASE with F_WRLCK; see fcntl(2).
        let lease = "$SIG{IO} = 'IGNORE'; open(F, '+<', $ARGV[0]) or die; \
                     fcntl(F, 1024, 1) or die; $| = 1; print \"leased\\n\"; <STDIN>";
        let mut child = Command::new("perl")
            .args(["-e", lease])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("perl is installed");
        let mut said = String::new();
        let out = child.stdout.take().expect("it is piped");
        BufReader::new(out).read_line(&mut said).expect("it says something");
        assert_eq!(said, "leased\n");
        Self(child)
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        // An error means that it ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How often the log has a line with this text.
fn lines_with(host: &HostProcess, text: &str) -> usize {
    host.log().text().lines().filter(|line| line.contains(text)).count()
}

#[test]
fn a_change_that_takes_long_says_what_it_waits_for() {
    let site = Site::new();
    put(&site, &harmless(), &["wascc:http_server"]);
    site.put("app/manifest.yaml", echo("", "", 0));
    let host = started(&site);
    assert!(host.metric("trellis_change_seconds") <= 0.0);
    site.put("app/slow.wasm", signed(&site, &wasm(ENDLESS), &["wascc:http_server"]));
    let entry = ", instances: {min: 1, max: 2}, limits: {init_time: 60s}";
    let slow = echo("", entry, 0).replace("echo.wasm", "slow.wasm");
    site.put("app/manifest.yaml", slow);
    let told = "a change is under way for ";
    says(&host, 200, &["ready\nchanging: ", told, "until actor `echo` is compiled and started"]);
    assert!(host.metric("trellis_change_seconds") > 5.0);
    let logged = eventually(|| match lines_with(&host, told) {
        0 => Err(host.log().text()),
        lines => Ok(lines),
    });
    assert_eq!(logged, Ok(1));
    let answer = Client::new(host.address_of("echo")).send("GET", "/", b"").expect("an answer");
    assert_eq!(answer.text(), "ok", "what runs goes on");

    site.put("app/manifest.yaml", echo("", "", 0));
    is_well(&host);
    assert_eq!(lines_with(&host, told), 1, "{}", host.log().text());
    assert!(host.metric("trellis_change_seconds") <= 0.0);
}

#[test]
fn a_start_that_fails_fails_when_the_manifest_is_touched_meanwhile() {
    let site = Site::new();
    put(&site, &wasm(ENDLESS), &["wascc:http_server"]);
    let entry = ", instances: {min: 1, max: 2}, limits: {init_time: 60s}";
    site.put("app/manifest.yaml", echo("", entry, 0));
    let host = HostProcess::begin(&mut site.host("app/manifest.yaml"));
    let host = host.unwrap_or_else(|ended| panic!("{ended:#?}"));
    // Compiled is compiled: its first instance is being made now.
    let changing = eventually(|| match host.metric("trellis_modules_compiled_total") {
        compiled if compiled >= 1.0 => Ok(()),
        compiled => Err(compiled),
    });
    assert_eq!(changing, Ok(()), "{}", host.log().text());
    let taken = TcpListener::bind("127.0.0.1:0").expect("a loopback interface");
    let port = taken.local_addr().expect("it is bound").port();
    put(&site, &harmless(), &["wascc:http_server"]);
    site.put("app/manifest.yaml", echo("", "", port));
    let ended = host.wait();
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(ended.stderr.contains("E_ADDRESS"), "{ended:#?}");
}
