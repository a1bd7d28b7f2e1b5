//! Ten thousand actors from a warm cache: how long until they run, and how long until one of them
//! is changed.
//!
//! `cargo run --release -p trellis-supervisor --example ten_thousand [ACTORS]`. The first start
//! compiles each module and is not counted; the goals are 3 s for the second one and 20 ms for a
//! change, counted from when the files were read and verified.
#![allow(clippy::print_stdout, reason = "it prints what it measured")]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use trellis_claims::{SystemClock, TrustList};
use trellis_dispatch::{Bounds, Dispatcher};
use trellis_engine::{CacheConfig, Compiler, Engine, EngineConfig};
use trellis_entitlements::{AllowAll, Gate, LogAudit};
use trellis_manifest::{Format, SourceText};
use trellis_providers_sdk::ProviderFactory;
use trellis_supervisor::{ApplyOptions, Ground, Metrics, Prepared, Supervisor, prepare};
use trellis_testkit::{Account, guests};

/// As many as a manifest may name.
const ACTORS: usize = 10_000;

struct Stage {
    folder: tempfile::TempDir,
    account: Account,
    builtins: Vec<Arc<dyn ProviderFactory>>,
    actors: usize,
    /// One for all of them.
    port: u16,
}

fn main() {
    let actors = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(ACTORS);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("threads").block_on(measure(actors));
}

async fn measure(actors: usize) {
    let stage = Stage {
        folder: tempfile::tempdir().expect("a temporary folder"),
        account: Account::default(),
        builtins: vec![
            Arc::new(trellis_providers_keyvalue_embedded::Factory),
            Arc::new(trellis_providers_http_server::Factory),
        ],
        actors,
        port: free_port(),
    };
    (0..actors).for_each(|number| stage.put(number, 0));
    let cold = stage.supervisor();
    let prepared = stage.prepare();
    let (_, took) = timed(cold.apply(prepared, ApplyOptions::default())).await;
    println!("{actors} actors, compiled one by one: {took:?}");
    cold.stop(Instant::now()).await;
    drop(cold);

    let warm = stage.supervisor();
    let (prepared, reading) = timed(async { stage.prepare() }).await;
    let (applied, took) = timed(warm.apply(prepared, ApplyOptions::default())).await;
    assert!(applied.faults.is_empty(), "{:?}", applied.faults.first());
    println!("read and verified: {reading:?}; ready from a warm cache: {took:?}");

    let mut worst = Duration::ZERO;
    for change in 1..=20 {
        stage.put(actors / 2, change);
        let prepared = stage.prepare();
        let (applied, took) = timed(warm.apply(prepared, ApplyOptions::default())).await;
        assert_eq!(applied.steps.len(), 1, "{:?} {:?}", applied.steps, applied.faults);
        worst = worst.max(took);
    }
    println!("one of them changed: applied in {worst:?} at most, of 20 times");
    let prepared = stage.prepare();
    let (_, took) = timed(warm.apply(prepared, ApplyOptions::default())).await;
    println!("nothing changed: {took:?}");
    warm.stop(Instant::now()).await;
}

fn free_port() -> u16 {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback interface");
    free.local_addr().expect("it is bound").port()
}

async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let started = Instant::now();
    (work.await, started.elapsed())
}

impl Stage {
    fn put(&self, number: usize, version: usize) {
        let name = format!("actor{number}");
        let module = guests::by_hand("(memory (export \"memory\") 1)", "(i32.const 1)");
        let mut draft = self.account.draft(&name);
        draft.caps = vec!["wascc:keyvalue".to_owned(), "wascc:http_server".to_owned()];
        draft.tags = vec![format!("v{version}")];
        let path = self.path().join(format!("{name}.wasm"));
        std::fs::write(path, self.account.sign(&module, &draft)).expect("there is room");
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn prepare(&self) -> Prepared {
        let mut text = "actors:\n".to_owned();
        let mut bindings = String::new();
        for number in 0..self.actors {
            let name = format!("actor{number}");
            writeln!(text, "  - {{image: {name}.wasm, name: {name}}}").expect("text grows");
            let values = format!("{{PORT: {}, ADDRESS: 127.0.0.1, PATH: /{name}}}", self.port);
            writeln!(
                bindings,
                "  - {{actor: {name}, capability: 'wascc:keyvalue'}}
  - {{actor: {name}, capability: 'wascc:http_server', values: {values}}}"
            )
            .expect("text grows");
        }
        text.push_str("providers: [{builtin: keyvalue-embedded}, {builtin: http-server}]\n");
        write!(text, "bindings:\n{bindings}").expect("text grows");
        let source = SourceText::new("manifest.yaml", text, Format::Yaml);
        let read = trellis_manifest::read(&source, &|_| None);
        let read = read.unwrap_or_else(|report| panic!("{report}"));
        let trust = TrustList::new(0).trust(self.account.issuer().public()).expect("an account");
        let ground = Ground {
            folder: self.path(),
            builtins: &self.builtins,
            trust: &trust,
            clock: &SystemClock,
            checker: None,
        };
        prepare(&read, &source, &ground).unwrap_or_else(|report| panic!("{report}"))
    }

    fn supervisor(&self) -> Supervisor {
        let gate = Gate::new(
            Box::new(AllowAll),
            Box::new(LogAudit::default()),
            trellis_entitlements::Metrics::default(),
        );
        let bounds = Bounds { call_time_max: Duration::from_secs(60), reply_bytes_max: 16 << 20 };
        let dispatcher =
            Arc::new(Dispatcher::new(gate, trellis_dispatch::Metrics::default(), bounds));
        let cache = Some(CacheConfig::at(self.path().join("cache")));
        let config = EngineConfig {
            cache,
            compiler: Compiler::InProcess,
            instances_total_max: 100,
            ..EngineConfig::default()
        };
        let engine = Engine::new(config).expect("an engine fits");
        Supervisor::start(engine, dispatcher, Arc::new(SystemClock), Metrics::default())
    }
}
