//! How much a call costs here and on bare wasmtime, in short alternating rounds: `cargo run
//! --release -p trellis-engine --example warm [rounds [name]]`. Prints nanoseconds per call: the
//! best round, which no other program disturbed.
#![allow(clippy::print_stdout, reason = "printing is what this program is for")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use trellis_core::{CallError, Trace};
use trellis_engine::{
    Actor, BoxFuture, Call, Engine, EngineConfig, HostCall, HostCalls, Isolation, ModuleSpec,
};
use wasmtime::{
    Caller, Config, Enabled, InstanceAllocationStrategy, InstancePre, Linker, Memory, Module,
    PoolingAllocationConfig, Store, TypedFunc,
};

/// The host's own allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PAYLOAD: [u8; 128] = [b'x'; 128];
const WARM_CALLS: u32 = 500;
const FRESH_CALLS: u32 = 20;

const IMPORTS: &str = r#"
  (import "wapc" "__guest_request" (func $request (param i32 i32)))
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (import "wapc" "__host_call"
    (func $host_call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)"#;

/// A guest that answers with its payload, after `host_calls` host calls.
fn guest(host_calls: u32) -> Vec<u8> {
    let host_call = "(drop (call $host_call (i32.const 0) (i32.const 2) (i32.const 0)
        (i32.const 2) (i32.const 0) (i32.const 2) (i32.const 1024) (local.get $len)))"
        .repeat(host_calls as usize);
    let text = format!(
        "(module {IMPORTS} (func (export \"__guest_call\") (param i32) (param $len i32) (result i32)
           (call $request (i32.const 0) (i32.const 1024)) {host_call}
           (call $response (i32.const 1024) (local.get $len)) (i32.const 1)))"
    );
    wat::parse_str(text).expect("the text is right")
}

struct Echo;

impl HostCalls for Echo {
    fn host_call<'a>(&'a self, call: HostCall<'a>) -> BoxFuture<'a, Result<Bytes, CallError>> {
        Box::pin(async move { Ok(call.payload) })
    }
}

async fn ours(actor: &Actor, calls: u32) -> Duration {
    let payload = Bytes::from_static(&PAYLOAD);
    let deadline = Instant::now() + Duration::from_secs(60);
    let started = Instant::now();
    for _ in 0..calls {
        let (operation, payload) = ("op".into(), payload.clone());
        let trace = Trace::default();
        let request = Call { operation, payload, deadline, depth: 0, trace, caller: 0 };
        std::hint::black_box(actor.call(request).await.expect("the guest answers"));
    }
    started.elapsed() / calls
}

/// Bare wasmtime: the same guest, the same imports, no checks.
#[derive(Default)]
struct Bare {
    payload: Bytes,
    response: Bytes,
    memory: Option<Memory>,
}

fn bare_engine() -> wasmtime::Engine {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(100)
        .total_memories(100)
        .total_stacks(100)
        .linear_memory_keep_resident(2 << 20)
        .table_keep_resident(64 << 10)
        .decommit_batch_size(16)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .concurrency_support(false)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    wasmtime::Engine::new(&config).expect("a hundred instances fit")
}

fn bare_link(engine: &wasmtime::Engine, wasm: &[u8]) -> InstancePre<Bare> {
    let mut linker = Linker::new(engine);
    linker
        .func_wrap("wapc", "__guest_request", |mut caller: Caller<'_, Bare>, op: u32, at: u32| {
            let memory = caller.data().memory.expect("set");
            let (bytes, bare) = memory.data_and_store_mut(&mut caller);
            bytes[op as usize..op as usize + 2].copy_from_slice(b"op");
            bytes[at as usize..at as usize + bare.payload.len()].copy_from_slice(&bare.payload);
        })
        .expect("links");
    linker
        .func_wrap("wapc", "__guest_response", |mut caller: Caller<'_, Bare>, at: u32, len: u32| {
            let memory = caller.data().memory.expect("set");
            let (bytes, bare) = memory.data_and_store_mut(&mut caller);
            bare.response = Bytes::copy_from_slice(&bytes[at as usize..(at + len) as usize]);
        })
        .expect("links");
    type Params = (u32, u32, u32, u32, u32, u32, u32, u32);
    linker
        .func_wrap_async("wapc", "__host_call", |mut caller: Caller<'_, Bare>, params: Params| {
            Box::new(async move {
                let memory = caller.data().memory.expect("set");
                let (bytes, bare) = memory.data_and_store_mut(&mut caller);
                let at = params.6 as usize;
                bare.response = Bytes::copy_from_slice(&bytes[at..at + params.7 as usize]);
                1_u32
            })
        })
        .expect("links");
    let module = Module::new(engine, wasm).expect("compiles");
    linker.instantiate_pre(&module).expect("links")
}

async fn bare_instance(pre: &InstancePre<Bare>) -> (Store<Bare>, TypedFunc<(u32, u32), u32>) {
    let mut store = Store::new(pre.module().engine(), Bare::default());
    store.set_epoch_deadline(1_000_000);
    let instance = pre.instantiate_async(&mut store).await.expect("instantiates");
    store.data_mut().memory = instance.get_memory(&mut store, "memory");
    let call = instance.get_typed_func(&mut store, "__guest_call").expect("exported");
    (store, call)
}

async fn bare_call(store: &mut Store<Bare>, call: &TypedFunc<(u32, u32), u32>) {
    store.data_mut().payload = Bytes::from_static(&PAYLOAD);
    call.call_async(&mut *store, (2, 128)).await.expect("the guest answers");
    std::hint::black_box(std::mem::take(&mut store.data_mut().response));
}

async fn bare(pre: &InstancePre<Bare>, fresh: bool, calls: u32) -> Duration {
    let (mut store, mut call) = bare_instance(pre).await;
    let started = Instant::now();
    for _ in 0..calls {
        if fresh {
            drop(store);
            (store, call) = bare_instance(pre).await;
        }
        bare_call(&mut store, &call).await;
    }
    started.elapsed() / calls
}

async fn load(engine: &Engine, host_calls: u32, isolation: Isolation) -> Actor {
    let spec = ModuleSpec { isolation, ..ModuleSpec::new("guest", guest(host_calls), [0; 32]) };
    engine.load(spec, Arc::new(Echo)).await.expect("the guest loads")
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let rounds = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(500);
    let only = std::env::args().nth(2);
    let engine = Engine::new(EngineConfig::default()).expect("the pools fit");
    let bare_engine = bare_engine();
    println!("{:28} {:>9} {:>9} {:>7}", "ns per call, 128 bytes", "trellis", "bare", "ratio");
    for (host_calls, fresh) in [(0, false), (1, false), (10, false), (0, true), (1, true)] {
        let name = format!("{}, {host_calls} host calls", if fresh { "fresh" } else { "warm" });
        if only.as_ref().is_some_and(|only| !name.starts_with(only.as_str())) {
            continue;
        }
        let isolation = if fresh { Isolation::Fresh } else { Isolation::Reuse };
        let calls = if fresh { FRESH_CALLS } else { WARM_CALLS };
        let actor = load(&engine, host_calls, isolation).await;
        let pre = bare_link(&bare_engine, &guest(host_calls));
        let mut best = (Duration::MAX, Duration::MAX);
        for _ in 0..rounds {
            best.0 = best.0.min(ours(&actor, calls).await);
            best.1 = best.1.min(bare(&pre, fresh, calls).await);
        }
        let (ours, bare) = (best.0.as_nanos(), best.1.as_nanos());
        println!("{name:28} {ours:>9} {bare:>9} {:>7.2}", ours as f64 / bare as f64);
    }
}
