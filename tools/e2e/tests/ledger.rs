//! Every request is accounted for while the actor that answers it and the store that it counts in
//! are replaced again and again, with all that the store keeps: none is lost, none counts twice,
//! none gets another one's answer.
//!
//! The short form runs with all tests. `TRELLIS_THOROUGH=1` makes 1,000 updates of the actor and
//! 1,000 of the store during at least two million requests, and holds the added p99 to its bound:
//! that needs a machine of its own, and Redis. The numbers are printed (`--nocapture`).

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use trellis_testkit::guests::built;
use trellis_testkit::redis::RedisServer;
use trellis_testkit::{Client, HostProcess, Site, eventually};

/// Clients at once.
const CLIENTS: usize = 4;
/// Counters of each client, asked in turn.
const COUNTERS: usize = 16;
/// How much slower the slowest hundredth may be while everything is replaced.
const ADDED_P99_MAX: Duration = Duration::from_millis(1);

const MANIFEST: &str = "
actors: [{image: one.wasm, name: counter, instances: {min: 1}}]
providers: [{builtin: http-server}, {builtin: keyvalue-embedded, name: store}]
bindings:
  - {actor: counter, capability: 'wascc:http_server', values: {PORT: 0, ADDRESS: 127.0.0.1}}
  - {actor: counter, capability: 'wascc:keyvalue'}
";

#[test]
fn every_request_counts_once_whatever_is_replaced() {
    let thorough = std::env::var_os("TRELLIS_THOROUGH").is_some();
    let (swaps, requests) = if thorough { (1_000, 2_000_000) } else { (9, 4_000) };
    let (site, redis) = (Site::new(), RedisServer::start());
    let images = [1, 2].map(|version| image(&site, version));
    site.put("app/shop.yaml", MANIFEST);
    let host = HostProcess::start(&mut site.host("app/shop.yaml"));
    let host = host.unwrap_or_else(|ended| panic!("{ended:#?}"));
    let address = host.address_of("counter");
    let admin = site.path(&format!("trellis/shop-{}.sock", host.process_id()));

    let mut ledgers: Vec<_> = (0..CLIENTS).map(|client| Ledger::new(client, address)).collect();
    let quiet = keep(&mut ledgers, requests / 4);
    let began = Instant::now();
    let stop = Arc::<AtomicBool>::default();
    let asked = Arc::<AtomicU64>::default();
    let clients: Vec<_> = (ledgers.into_iter())
        .map(|ledger| ledger.until(Arc::clone(&stop), Arc::clone(&asked)))
        .collect();
    let stores =
        [file(&site, "a"), file(&site, "b"), ("keyvalue-redis", json!({"URL": redis.url()}))];
    let moved = replace_all(&admin, swaps, (&images, &stores));
    // Relaxed: what the clients know comes with their end.
    let enough = || match asked.load(Ordering::Relaxed) {
        asked if asked >= requests => Ok(()),
        asked => Err(asked),
    };
    while eventually(enough).is_err() {
        assert!(clients.iter().all(|client| !client.is_finished()), "a client gave up");
    }
    stop.store(true, Ordering::Relaxed);
    let ended: Vec<_> =
        clients.into_iter().map(|it| it.join().expect("no request fails")).collect();
    let took = began.elapsed();
    let busy = Times::of(ended.iter().flat_map(|(_, times)| times).copied().collect());
    for (ledger, _) in ended {
        ledger.check();
    }
    let total = asked.load(Ordering::Relaxed);
    let keys = (CLIENTS * COUNTERS) as u64;
    assert!(moved.keys >= (swaps - 1) * keys, "every counter went along each time");
    assert_eq!(host.metric("trellis_data_moves_total{result=\"done\"}"), swaps as f64);

    eprintln!("{total} requests in {took:?}, {swaps} updates of each");
    eprintln!("quiet: {quiet}");
    eprintln!("busy:  {busy}");
    eprintln!("calls waited for a store: median {} ms, at most {} ms", moved.median, moved.longest);
    let added = busy.p99.saturating_sub(quiet.p99);
    assert!(!thorough || added <= ADDED_P99_MAX, "the p99 grew by {added:?}");
}

/// A version of the actor, signed; the second does the same.
fn image(site: &Site, version: i32) -> PathBuf {
    let mut draft = site.account().draft("counter");
    draft.caps = vec!["wascc:http_server".to_owned(), "wascc:keyvalue".to_owned()];
    draft.tags = vec![format!("v{version}")];
    draft.revision = Some(1);
    let name = if version == 1 { "app/one.wasm" } else { "app/two.wasm" };
    site.put(name, site.account().sign(&built("kvcounter"), &draft));
    site.path(name)
}

/// A store in a file of its own.
fn file(site: &Site, name: &str) -> (&'static str, Value) {
    let path = site.path(&format!("{name}.redb"));
    ("keyvalue-embedded", json!({"PATH": path, "DURABILITY": "eventual"}))
}

/// What the moves of the store came to.
struct MovedAll {
    keys: u64,
    median: u64,
    longest: u64,
}

/// Replaces the actor and the store in turn; each update has to work.
fn replace_all(
    admin: &Path,
    swaps: u64,
    (images, stores): (&[PathBuf; 2], &[(&str, Value); 3]),
) -> MovedAll {
    let (mut keys, mut waits) = (0, Vec::new());
    for swap in 0..swaps {
        let at = usize::try_from(swap).expect("a few");
        let image = &images[(at + 1) % images.len()];
        let actor = json!({"actor": {"name": "counter", "image": image}});
        edit(admin, &json!({"edit": actor, "watch": {"calls": 0}}));
        let (to, set) = &stores[at % stores.len()];
        let to = format!("builtin:{to}");
        let provider = json!({"provider": {"name": "store", "to": to, "set": set}});
        let moved = edit(admin, &json!({"edit": provider, "data": "replace"}));
        let moved = &moved["applied"]["moved"][0];
        keys += moved["keys"].as_u64().unwrap_or_else(|| panic!("nothing moved: {moved:#}"));
        waits.push(moved["time_ms"].as_u64().unwrap_or_default());
    }
    waits.sort_unstable();
    let longest = waits.last().copied().unwrap_or_default();
    MovedAll { keys, median: waits[waits.len() / 2], longest }
}

/// What came of an edit that worked.
fn edit(admin: &Path, body: &Value) -> Value {
    let body = body.to_string();
    let mut stream = UnixStream::connect(admin).expect("the host listens");
    let length = body.len();
    let head = format!("POST /v1/edits HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(format!("{head}{body}").as_bytes()).expect("the host reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, document) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 200"), "{body}: {answer}");
    let document: Value = serde_json::from_str(document).expect("it is JSON");
    let edited = &document["edited"];
    let faults = edited["applied"]["faults"].as_array().map(Vec::len);
    assert_eq!((faults, &edited["unchanged"]), (Some(0), &json!(false)), "{body}: {document:#}");
    edited.clone()
}

/// What one client was told so far.
struct Ledger {
    client: Client,
    /// What each of its counters is, by the last answer.
    counts: Vec<(String, u64)>,
    next: usize,
}

impl Ledger {
    fn new(client: usize, address: SocketAddr) -> Self {
        let path = |counter| (format!("/{client}/{counter}"), 0);
        Self { client: Client::new(address), counts: (0..COUNTERS).map(path).collect(), next: 0 }
    }

    /// Asks once; gives how long it took. The answer has to be the next number of that counter.
    fn ask(&mut self) -> Duration {
        let (path, count) = &mut self.counts[self.next];
        self.next = (self.next + 1) % COUNTERS;
        let began = Instant::now();
        let answer = self.client.send("GET", path, b"").expect("an answer");
        let took = began.elapsed();
        *count += 1;
        let mut wanted = String::new();
        write!(wanted, "{{\"counter\": {count}}}").expect("it is a text");
        assert_eq!((answer.status, answer.text()), (200, wanted), "{path}");
        took
    }

    /// Asks until that is told, and counts with the others.
    fn until(
        mut self,
        stop: Arc<AtomicBool>,
        asked: Arc<AtomicU64>,
    ) -> JoinHandle<(Self, Vec<Duration>)> {
        thread::spawn(move || {
            let mut times = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                times.push(self.ask());
                asked.fetch_add(1, Ordering::Relaxed);
            }
            (self, times)
        })
    }

    /// Each counter is still what was said.
    fn check(mut self) {
        for _ in 0..COUNTERS {
            self.ask();
        }
    }
}

/// Asks for that many answers in all, while nothing is replaced.
fn keep(ledgers: &mut [Ledger], requests: u64) -> Times {
    let each = requests / ledgers.len() as u64;
    let times = thread::scope(|scope| {
        let asking: Vec<_> = (ledgers.iter_mut())
            .map(|ledger| scope.spawn(move || (0..each).map(|_| ledger.ask()).collect::<Vec<_>>()))
            .collect();
        asking.into_iter().flat_map(|one| one.join().expect("no request fails")).collect()
    });
    Times::of(times)
}

/// How long requests took.
struct Times {
    count: usize,
    median: Duration,
    p99: Duration,
    longest: Duration,
}

impl Times {
    fn of(mut took: Vec<Duration>) -> Self {
        took.sort_unstable();
        let count = took.len();
        assert!(count >= 100, "{count} requests are too few for a p99");
        let (median, p99, longest) = (took[count / 2], took[count * 99 / 100], took[count - 1]);
        Self { count, median, p99, longest }
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { count, median, p99, longest } = self;
        write!(f, "{count} requests, median {median:?}, p99 {p99:?}, longest {longest:?}")
    }
}
