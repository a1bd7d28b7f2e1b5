//! What many idle actors cost: `cargo run --release -p trellis-engine --example idle [actors]`.
//! Loads that many distinct modules with a compile cache, calls each once, loads them again from
//! the cache, and prints times, memory, mappings and open files.
#![allow(clippy::print_stdout, reason = "printing is what this program is for")]

use std::fs;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use trellis_core::{CallError, Code, Trace};
use trellis_engine::{
    Actor, BoxFuture, CacheConfig, Call, Engine, EngineConfig, HostCall, HostCalls, ModuleSource,
    ModuleSpec,
};

struct Nobody;

impl HostCalls for Nobody {
    fn host_call<'a>(&'a self, _call: HostCall<'a>) -> BoxFuture<'a, Result<Bytes, CallError>> {
        Box::pin(async { Err(CallError::new(Code::Denied, "nobody answers")) })
    }
}

/// A module with a number, and so many functions; made again whenever it is read.
struct Numbered(u32, u32);

impl Numbered {
    fn bytes(&self) -> Bytes {
        let step = "(local.set 0 (i32.add (i32.mul (local.get 0) (i32.const 77)) (i32.const 3)))";
        let functions: String = (0..self.1)
            .map(|i| {
                let body = step.repeat(40);
                format!("(func $f{i} (param i32) (result i32) {body} (local.get 0))")
            })
            .collect();
        let number = self.0;
        let text = format!(
            r#"(module (import "wapc" "__guest_response" (func $response (param i32 i32)))
               (memory (export "memory") 17) (data (i32.const 8) "{number:08}") {functions}
               (func (export "__guest_call") (param i32 i32) (result i32)
                 (call $response (i32.const 8) (i32.const 8)) (i32.const 1)))"#
        );
        wat::parse_str(text).expect("the text is right").into()
    }
}

impl ModuleSource for Numbered {
    fn read(&self) -> io::Result<Bytes> {
        Ok(self.bytes())
    }
}

async fn load(engine: &Engine, module: Numbered, bytes: Bytes) -> Actor {
    let digest = *blake3::hash(&bytes).as_bytes();
    let spec =
        ModuleSpec { source: Some(Arc::new(module)), ..ModuleSpec::new("idle", bytes, digest) };
    engine.load(spec, Arc::new(Nobody)).await.expect("loads")
}

async fn call(actor: &Actor) -> Bytes {
    let request = Call {
        operation: "op".into(),
        payload: Bytes::new(),
        deadline: Instant::now() + Duration::from_secs(10),
        depth: 0,
        trace: Trace::default(),
        caller: 0,
    };
    actor.call(request).await.expect("answers")
}

fn usage() -> String {
    let lines = |path: &str| fs::read_to_string(path).map_or(0, |text| text.lines().count());
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or("no /proc");
    let files = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    format!("{resident}, {} mappings, {files} open files", lines("/proc/self/maps"))
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let count: u32 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let dir = std::env::temp_dir().join(format!("trellis-idle-{}", std::process::id()));
    let cache = Some(CacheConfig::at(dir.clone()));
    let started = Instant::now();
    let engine = Engine::new(EngineConfig { cache, ..EngineConfig::default() }).expect("starts");
    println!("engine: {:?}", started.elapsed());

    let bytes = Numbered(0, 900).bytes();
    for (name, rounds) in [("compile", 1), ("cache", 20)] {
        let mut best = Duration::MAX;
        for _ in 0..rounds {
            let started = Instant::now();
            let actor = load(&engine, Numbered(0, 900), bytes.clone()).await;
            call(&actor).await;
            best = best.min(started.elapsed());
        }
        let size = bytes.len() / 1024;
        println!("{size} KB module, load from {name} and first call: {best:?}");
    }

    let mut actors = Vec::new();
    let started = Instant::now();
    for number in 0..count {
        let bytes = Numbered(number, 0).bytes();
        actors.push(load(&engine, Numbered(number, 0), bytes).await);
    }
    println!("{count} actors loaded in {:?}: {}", started.elapsed(), usage());
    for round in 1..=2 {
        let started = Instant::now();
        for actor in &actors {
            call(actor).await;
        }
        let each = started.elapsed() / count.max(1);
        println!("round {round}: {each:?} per call, each actor in turn: {}", usage());
    }
    fs::remove_dir_all(&dir).expect("the folder is ours");
}
