//! After many thousand calls to guests that do everything wrong, the host is as it was: it runs,
//! its memory has not grown, and a neighbor is served as before.
//!
//! `TRELLIS_SOAK_CALLS` sets how many calls; the default takes a quarter of a minute on two cores.
//! The numbers are printed (`--nocapture`). How fast a neighbor is, to the percent, is a question
//! for the release benchmark.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use trellis_app::{Host, HostConfig};
use trellis_e2e::hostile::{ALL, BAD, GOOD, Hostile, harmless};
use trellis_engine::{EngineConfig, LogSink, LogSource};
use trellis_testkit::{Site, host_of};

/// Calls to hostile guests.
const CALLS: u64 = 100_000;
/// Calls before the measurement, which bring pools, caches and allocators to their full size.
const WARM_UP: u64 = CALLS / 10;
/// Hostile callers at once.
const CALLERS: u64 = 4;
/// Pause between two calls to the neighbor.
const PACE: Duration = Duration::from_millis(2);
/// Calls to the neighbor while nothing else happens.
const QUIET_CALLS: usize = 1_500;
/// How much the memory in use may grow after the warm-up.
const GROWTH_BYTES_MAX: usize = 8 << 20;
/// How much slower a neighbor may be on a machine whose cores are shared with other tests.
const NOISE: Duration = Duration::from_millis(1);

/// Guests whose calls take their whole `call_time` or write thousands of lines: they are called
/// only once in this many rounds.
const SELDOM: &[(&str, u64)] = &[("loops", 5), ("floods-the-log", 20), ("floods-the-host", 5)];

#[test]
fn hostile_calls_leave_the_host_as_it_was() {
    let calls = std::env::var("TRELLIS_SOAK_CALLS").ok().and_then(|calls| calls.parse().ok());
    let calls = calls.unwrap_or(CALLS);
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build().expect("two threads");
    let site = Site::new();
    let lines = Arc::<Lines>::default();
    let host = Arc::new(runtime.block_on(start(&site, &lines)));

    let quiet = Neighbor::start(&host, Some(QUIET_CALLS)).end();
    attack(&runtime, &host, 0..WARM_UP.min(calls));
    let before = resident_bytes();
    let neighbor = Neighbor::start(&host, None);
    let started = Instant::now();
    attack(&runtime, &host, 0..calls);
    let took = started.elapsed();
    let beside = neighbor.end();
    let after = resident_bytes();

    eprintln!("{calls} hostile calls in {took:?}: {:.0}/s", per_second(calls, took));
    eprintln!("memory in use: {} KiB before, {} KiB after", before >> 10, after >> 10);
    eprintln!("log lines let through: {}", lines.0.load(Ordering::Relaxed));
    eprintln!("neighbor alone:  {quiet}");
    eprintln!("neighbor beside: {beside}");
    runtime.block_on(everybody_still_answers(&host));
    let grown = after.saturating_sub(before);
    assert!(grown < GROWTH_BYTES_MAX.max(before / 20), "memory grew by {grown} bytes");
    let bound = (quiet.p99 + quiet.p99 / 10).max(quiet.p99 + NOISE);
    assert!(beside.p99 <= bound, "the neighbor's p99 is {:?}, over {bound:?}", beside.p99);
}

/// A host with every hostile guest and a harmless one.
async fn start(site: &Site, lines: &Arc<Lines>) -> Host {
    let mut manifest = "actors:\n".to_owned();
    let guests = ALL.iter().map(|guest| (guest.name, guest.module()));
    for (name, module) in guests.chain([("neighbor", harmless())]) {
        let account = site.account();
        site.put(&format!("app/{name}.wasm"), account.sign(&module, &account.draft(name)));
        let call_time = if name == "loops" { "5ms" } else { "5s" };
        let limits = format!("{{memory: 8MiB, call_time: {call_time}}}");
        manifest += &format!("  - {{image: {name}.wasm, name: {name}, limits: {limits}}}\n");
    }
    let log = Arc::clone(lines) as Arc<dyn LogSink>;
    let config = HostConfig::new(EngineConfig { log, ..EngineConfig::default() });
    host_of(config, &manifest, &site.path("app"), site.account()).await
}

/// Calls the hostile guests in turn and checks each outcome.
///
/// `Relaxed` is enough for the number of the next call: nothing else depends on it.
fn attack(runtime: &Runtime, host: &Arc<Host>, calls: std::ops::Range<u64>) {
    let next = Arc::new(AtomicU64::new(calls.start));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (host, next) = (Arc::clone(host), Arc::clone(&next));
            runtime.spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= calls.end {
                        return;
                    }
                    let guest = turn(number);
                    let outcome = host.call(guest.name, "HandleRequest", BAD).await;
                    let code = outcome.as_ref().err().map(|error| error.code().as_str());
                    assert_eq!(code, guest.code, "{}: {outcome:?}", guest.name);
                }
            })
        })
        .collect();
    for caller in callers {
        runtime.block_on(caller).expect("every outcome is the expected one");
    }
}

/// Whose turn it is: every guest once in a round, the slow ones in some rounds only.
fn turn(number: u64) -> &'static Hostile {
    let count = ALL.len() as u64;
    let guest_of = |number: u64| &ALL[usize::try_from(number % count).unwrap_or_default()];
    let (guest, round) = (guest_of(number), number / count);
    let rests = SELDOM.iter().any(|(name, rounds)| *name == guest.name && round % rounds != 0);
    if rests { &ALL[0] } else { guest }
}

async fn everybody_still_answers(host: &Host) {
    for name in ALL.iter().map(|guest| guest.name).chain(["neighbor"]) {
        let reply = host.call(name, "HandleRequest", GOOD).await;
        let reply = reply.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(reply.ends_with(b"ok"), "{name}: {reply:?}");
    }
}

/// A well-behaved caller of a well-behaved actor, on its own thread.
struct Neighbor {
    stop: Arc<AtomicBool>,
    caller: thread::JoinHandle<Times>,
}

/// How long calls took.
struct Times {
    count: usize,
    median: Duration,
    p99: Duration,
    longest: Duration,
}

impl Neighbor {
    /// Calls at a steady pace, this many times or until it is stopped. `Relaxed` is enough for the
    /// flag: joining the thread orders everything else.
    fn start(host: &Arc<Host>, calls: Option<usize>) -> Self {
        let (host, stop) = (Arc::clone(host), Arc::<AtomicBool>::default());
        let stopped = Arc::clone(&stop);
        let caller = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("a runtime needs only this thread");
            let mut took = Vec::new();
            while calls.map_or(!stopped.load(Ordering::Relaxed), |calls| took.len() < calls) {
                thread::park_timeout(PACE);
                let started = Instant::now();
                let reply = runtime.block_on(host.call("neighbor", "HandleRequest", GOOD));
                took.push(started.elapsed());
                assert!(reply.is_ok(), "the neighbor does not reply: {reply:?}");
            }
            Times::of(took)
        });
        Self { stop, caller }
    }

    fn end(self) -> Times {
        self.stop.store(true, Ordering::Relaxed);
        self.caller.join().expect("the neighbor always replies")
    }
}

impl Times {
    fn of(mut took: Vec<Duration>) -> Self {
        took.sort_unstable();
        let count = took.len();
        assert!(count >= 100, "{count} calls are too few for a p99");
        let (median, p99, longest) = (took[count / 2], took[count * 99 / 100], took[count - 1]);
        Self { count, median, p99, longest }
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { count, median, p99, longest } = self;
        write!(f, "{count} calls, median {median:?}, p99 {p99:?}, longest {longest:?}")
    }
}

/// Counts the lines that reach the log. `Relaxed` is enough for a number that is read at the end.
#[derive(Default)]
struct Lines(AtomicU64);

impl LogSink for Lines {
    fn line(&self, _actor: &str, _source: LogSource, _line: &str) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Memory this process has in use.
fn resident_bytes() -> usize {
    /// The same on every machine that runs these tests.
    const PAGE_BYTES: usize = 4_096;
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has /proc");
    let pages: usize = statm.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("a number");
    pages * PAGE_BYTES
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
fn per_second(calls: u64, took: Duration) -> f64 {
    calls as f64 / took.as_secs_f64()
}
