//! Hundreds of changes while clients never stop: no request fails, and every acknowledged request
//! was counted.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};

use trellis_claims::ClaimsDraft;
use trellis_e2e::Load;
use trellis_e2e::hostile::harmless;
use trellis_testkit::guests::built;
use trellis_testkit::redis::RedisServer;
use trellis_testkit::{Client, HostProcess, Site, eventually};

/// How many changes to make: the promised number with `TRELLIS_THOROUGH=1`.
fn changes(quick: usize, thorough: usize) -> usize {
    if std::env::var_os("TRELLIS_THOROUGH").is_some() { thorough } else { quick }
}

/// What a host needs.
struct Stage {
    site: Site,
    redis: RedisServer,
    port: u16,
}

impl Stage {
    fn new() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a loopback interface");
        let port = free.local_addr().expect("it is bound").port();
        Self { site: Site::new(), redis: RedisServer::start(), port }
    }

    fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Writes a version of a module: the same code and key with other claims.
    fn put(&self, name: &str, module: &[u8], version: usize) {
        let caps = ["wascc:http_server", "wascc:keyvalue"].map(str::to_owned).to_vec();
        let tags = vec![format!("v{version}")];
        let draft = ClaimsDraft { caps, tags, ..self.site.account().draft(name) };
        self.site.put(&format!("app/{name}.wasm"), self.site.account().sign(module, &draft));
    }

    fn manifest(&self, text: &str) {
        self.site.put("app/manifest.yaml", text);
    }

    fn start(&self) -> HostProcess {
        let mut command = self.site.host("app/manifest.yaml");
        command.env("REDIS_URL", self.redis.url()).env("PORT", self.port.to_string());
        HostProcess::start(&mut command).expect("it starts")
    }

    fn counter(&self) -> String {
        let answer = Client::new(self.address()).send("GET", "/", b"").expect("it responds");
        answer.text()
    }
}

/// Waits until a line of the log, from number `from` on, says that the change was applied.
fn applied(host: &HostProcess, from: usize, says: &str) {
    let found = host.log().wait_for(from, |line| line.contains(says).then_some(()));
    assert!(found.is_some(), "the log does not say {says:?}:\n{}", host.log().text());
}

const BINDINGS: &str = "
  - {actor: kvcounter, capability: 'wascc:keyvalue'}
  - actor: kvcounter
    capability: wascc:http_server
    values: {PORT: '${PORT}', ADDRESS: 127.0.0.1, BODY_BYTES_MAX: ";

/// What differs from one manifest to the next.
#[derive(Clone, Copy)]
struct Wanted {
    /// A value of the store.
    timeout_s: usize,
    /// A value of the server.
    idle_s: usize,
    /// A value of the counter's binding.
    body_kib: usize,
    /// Whether there is another actor with a binding.
    other: bool,
}

impl Wanted {
    fn manifest(self) -> String {
        let Self { timeout_s, idle_s, body_kib, other } = self;
        let (image, binding) = if other {
            let binding = "\n  - {actor: other, capability: 'wascc:keyvalue'}";
            (", {image: other.wasm, name: other}", binding)
        } else {
            ("", "")
        };
        format!(
            "actors: [{{image: kvcounter.wasm, name: kvcounter}}{image}]
providers:
  - {{builtin: http-server, values: {{IDLE_TIME_MAX: {idle_s}s}}}}
  - {{builtin: keyvalue-redis, values: {{URL: '${{REDIS_URL}}', TIMEOUT: {timeout_s}s}}}}
bindings:{BINDINGS}{body_kib}KiB}}{binding}
"
        )
    }
}

#[test]
fn changes_under_load_lose_nothing() {
    let stage = Stage::new();
    let kvcounter = built("kvcounter");
    stage.put("kvcounter", &kvcounter, 0);
    stage.put("other", &harmless(), 0);
    let mut wanted = Wanted { timeout_s: 5, idle_s: 60, body_kib: 64, other: false };
    stage.manifest(&wanted.manifest());
    let host = stage.start();
    let loads = [(); 2].map(|()| Load::start(stage.address(), "/").expect("it responds"));
    for change in 1..=changes(25, 500) {
        let from = host.log().count();
        let says = match change % 5 {
            0 => {
                stage.put("kvcounter", &kvcounter, change);
                "replaced actor kvcounter"
            }
            1 => {
                wanted.body_kib += 1;
                "rebound kvcounter to wascc:http_server"
            }
            2 => {
                wanted.timeout_s = 5 + change % 7;
                "replaced provider keyvalue-redis"
            }
            3 => {
                wanted.idle_s = 60 + change % 7;
                "replaced provider http-server"
            }
            _ => {
                wanted.other = !wanted.other;
                if wanted.other { "bound other" } else { "stopped actor other" }
            }
        };
        stage.manifest(&wanted.manifest());
        applied(&host, from, says);
    }
    let acknowledged: u64 = loads.map(|load| load.end().expect("no request fails")).iter().sum();
    assert_eq!(stage.counter(), format!("{{\"counter\": {}}}", acknowledged + 1));
}

#[test]
fn swaps_of_the_store_under_load_fail_nobody() {
    let stage = Stage::new();
    stage.put("kvcounter", &built("kvcounter"), 0);
    let stores = [
        "{builtin: keyvalue-embedded}",
        "{builtin: keyvalue-redis, values: {URL: '${REDIS_URL}'}}",
    ];
    let manifest = |store: &str| {
        format!(
            "actors: [{{image: kvcounter.wasm, name: kvcounter}}]
providers: [{{builtin: http-server}}, {store}]
bindings:{BINDINGS}64KiB}}
"
        )
    };
    stage.manifest(&manifest(stores[0]));
    let host = stage.start();
    let loads = [(); 2].map(|()| Load::start(stage.address(), "/").expect("it responds"));
    for change in 1..=changes(8, 54) {
        let from = host.log().count();
        stage.manifest(&manifest(stores[change % 2]));
        applied(&host, from, "rebound kvcounter to wascc:keyvalue");
    }
    let answered = loads.map(|load| load.end().expect("no request fails"));
    assert!(answered.iter().all(|answered| *answered > 0));
}

const TWO: &str = "
actors: [{image: kvcounter.wasm, name: kvcounter}, {image: other.wasm, name: other}]
providers: [{builtin: http-server}, {builtin: keyvalue-embedded}]
bindings:
  - actor: kvcounter
    capability: wascc:http_server
    values: {PORT: '${PORT}', ADDRESS: 127.0.0.1}
  - {actor: kvcounter, capability: 'wascc:keyvalue'}
  - {actor: other, capability: 'wascc:keyvalue'}
";

/// A manifest of `other` alone.
const ONE: &str = "
actors: [{image: other.wasm, name: other}]
providers: [{builtin: http-server}, {builtin: keyvalue-embedded}]
bindings:
  - {actor: other, capability: 'wascc:keyvalue'}
";

/// A client that falls silent in the middle of its request only blocks its own connection.
#[test]
fn a_silent_client_delays_no_change_and_no_revocation() {
    let stage = Stage::new();
    stage.put("kvcounter", &built("kvcounter"), 0);
    stage.put("other", &harmless(), 0);
    stage.manifest(TWO);
    let host = stage.start();
    let mut silent = TcpStream::connect(stage.address()).expect("it listens");
    let half = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf ";
    silent.write_all(half).expect("it reads");
    assert!(stage.counter().contains('1'), "others are served");

    let started = std::time::Instant::now();
    let from = host.log().count();
    let key = stage.site.account().subject("kvcounter");
    let trust = format!("trust: {{issuers: ['${{ISSUER}}'], revoked: ['{key}']}}\n");
    stage.manifest(&format!("{trust}{TWO}"));
    applied(&host, from, "E_REVOKED");
    stage.put("other", &harmless(), 1);
    stage.manifest(ONE);
    applied(&host, from, "replaced actor other");
    let took = started.elapsed();
    assert!(took.as_secs() < 15, "both took {took:?}, so they waited for the silent client");
}

/// A port in use is taken when it becomes free.
#[test]
fn a_port_that_becomes_free_is_taken() {
    let stage = Stage::new();
    stage.put("kvcounter", &built("kvcounter"), 0);
    stage.put("other", &harmless(), 0);
    stage.manifest(TWO);
    let host = stage.start();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a loopback interface");
    let address = taken.local_addr().expect("it is bound");
    let from = host.log().count();
    let port = address.port();
    stage.manifest(&format!(
        "{TWO}  - {{actor: other, capability: 'wascc:http_server', values: {{PORT: {port}, \
         ADDRESS: 127.0.0.1}}}}\n"
    ));
    applied(&host, from, "E_ADDRESS");
    drop(taken);
    applied(&host, from, "bound other to wascc:http_server");
    let asked = eventually(|| Client::new(address).send("GET", "/", b""));
    assert_eq!(asked.expect("it listens").text(), "ok");
}
