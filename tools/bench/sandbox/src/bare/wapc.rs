//! waPC written by hand on wasmtime: async, pooling allocator, copy-on-write images, epochs.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use bench_side::PAYLOAD;
use wasmtime::{
    Caller, Config, Engine, InstanceAllocationStrategy, InstancePre, Linker, Memory,
    PoolingAllocationConfig, Store, TypedFunc,
};

/// One tick of the epoch.
const TICK: Duration = Duration::from_millis(1);
/// Ticks after which a guest yields to the executor.
const YIELD_TICKS: u64 = 10;
/// Most instances at once; the rows use one.
const INSTANCES: u32 = 100;

/// The state of one call.
#[derive(Default)]
pub(super) struct Exchange {
    memory: Option<Memory>,
    request: &'static [u8],
    reply: Vec<u8>,
    host_reply: Vec<u8>,
}

/// A guest that can be called again and again.
pub(super) struct Instance {
    store: Store<Exchange>,
    call: TypedFunc<(i32, i32), i32>,
}

pub(super) fn engine() -> Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(INSTANCES)
        .total_memories(INSTANCES)
        .total_stacks(INSTANCES)
        .linear_memory_keep_resident(2 << 20)
        .table_keep_resident(64 << 10)
        .async_stack_keep_resident(64 << 10);
    let mut config = Config::new();
    config.epoch_interruption(true).allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Ok(Engine::new(&config)?)
}

/// Ticks as long as the engine exists; the weak handle does not keep it alive.
pub(super) fn tick(engine: &Engine) {
    let engine = engine.weak();
    thread::spawn(move || {
        while let Some(engine) = engine.upgrade() {
            #[expect(clippy::disallowed_methods, reason = "this engine is the bench's own")]
            engine.increment_epoch();
            drop(engine);
            thread::park_timeout(TICK);
        }
    });
}

pub(super) async fn instantiate(pre: &InstancePre<Exchange>) -> Result<Instance> {
    let mut store = Store::new(pre.module().engine(), Exchange::default());
    store.set_epoch_deadline(YIELD_TICKS);
    store.epoch_deadline_async_yield_and_update(YIELD_TICKS);
    let instance = pre.instantiate_async(&mut store).await?;
    let call = instance.get_typed_func(&mut store, "__guest_call")?;
    store.data_mut().memory = instance.get_memory(&mut store, "memory");
    Ok(Instance { store, call })
}

pub(super) async fn call(instance: &mut Instance) -> Result<()> {
    let Instance { store, call } = instance;
    store.set_epoch_deadline(YIELD_TICKS);
    store.data_mut().request = &PAYLOAD;
    let answered = call.call_async(&mut *store, (4, PAYLOAD.len() as i32)).await?;
    ensure!(answered == 1, "the guest failed");
    let reply = std::mem::take(&mut store.data_mut().reply);
    ensure!(reply.len() == PAYLOAD.len(), "the reply has {} bytes", reply.len());
    Ok(())
}

pub(super) fn linker(engine: &Engine) -> Result<Linker<Exchange>> {
    let mut linker = Linker::new(engine);
    linker.func_wrap(
        "wapc",
        "__guest_request",
        |caller: Caller<'_, Exchange>, _: i32, to: i32| {
            write(caller, to, |exchange| exchange.request)
        },
    )?;
    linker.func_wrap(
        "wapc",
        "__guest_response",
        |mut caller: Caller<'_, Exchange>, at: i32, len: i32| {
            let reply = read(&mut caller, at, len)?;
            caller.data_mut().reply = reply;
            wasmtime::Result::Ok(())
        },
    )?;
    linker.func_wrap_async(
        "wapc",
        "__host_call",
        |mut caller: Caller<'_, Exchange>, names: Names| {
            Box::new(async move {
                let payload = read(&mut caller, names.6, names.7)?;
                caller.data_mut().host_reply = callback(payload).await;
                wasmtime::Result::Ok(1)
            })
        },
    )?;
    linker.func_wrap("wapc", "__host_response_len", |caller: Caller<'_, Exchange>| {
        caller.data().host_reply.len() as i32
    })?;
    linker.func_wrap("wapc", "__host_response", |caller: Caller<'_, Exchange>, to: i32| {
        write(caller, to, |exchange| &exchange.host_reply)
    })?;
    Ok(linker)
}

/// Binding, namespace, operation and payload, each as a pointer and a length.
type Names = (i32, i32, i32, i32, i32, i32, i32, i32);

async fn callback(payload: Vec<u8>) -> Vec<u8> {
    payload
}

fn read(caller: &mut Caller<'_, Exchange>, at: i32, len: i32) -> wasmtime::Result<Vec<u8>> {
    let memory = memory(caller)?;
    let (at, len) = (at as u32 as usize, len as u32 as usize);
    let bytes = memory.data(&*caller).get(at..at.saturating_add(len));
    bytes.map(<[u8]>::to_vec).ok_or_else(|| wasmtime::Error::msg("out of bounds"))
}

fn write(
    mut caller: Caller<'_, Exchange>,
    to: i32,
    bytes: impl for<'a> FnOnce(&'a Exchange) -> &'a [u8],
) -> wasmtime::Result<()> {
    let memory = memory(&caller)?;
    let (data, exchange) = memory.data_and_store_mut(&mut caller);
    let bytes = bytes(exchange);
    let to = to as u32 as usize;
    let target = data.get_mut(to..to.saturating_add(bytes.len()));
    let target = target.ok_or_else(|| wasmtime::Error::msg("out of bounds"))?;
    target.copy_from_slice(bytes);
    Ok(())
}

fn memory(caller: &Caller<'_, Exchange>) -> wasmtime::Result<Memory> {
    caller.data().memory.ok_or_else(|| wasmtime::Error::msg("no memory"))
}
