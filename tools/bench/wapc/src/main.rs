//! The peer: the `wapc` crate with `wasmtime-provider`, async, as its documentation shows it.
//!
//! **Deliberately absent:** anything that its users would not write. Epoch deadlines are on,
//! because a host without them cannot stop a guest. The allocator is the one of our host.

use std::time::Duration;

use anyhow::{Result, ensure};
use bench_side::{PAYLOAD, guest, time};
use wapc::{HostCallbackAsync, WapcHostAsync};
use wasmtime_provider::{
    EpochDeadlines, WasmtimeEngineProviderAsyncPre, WasmtimeEngineProviderBuilder,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Ticks that a guest may run. Nothing ticks in this process, because no call here runs too long.
const DEADLINES: EpochDeadlines = EpochDeadlines { wapc_init: 1_000, wapc_func: 1_000 };

fn main() -> Result<()> {
    bench_side::serve(async |row, longest| measure(row, longest).await)
}

async fn measure(row: &str, longest: Duration) -> Result<f64> {
    let module = guest(row)?;
    let pre = WasmtimeEngineProviderBuilder::new()
        .module_bytes(&module)
        .enable_epoch_interruptions(DEADLINES)
        .build_async_pre()?;
    if row.starts_with("fresh-") {
        return time(longest, async || call(&host(&pre).await?).await).await;
    }
    let host = host(&pre).await?;
    time(longest, async || call(&host).await).await
}

async fn host(pre: &WasmtimeEngineProviderAsyncPre) -> Result<WapcHostAsync> {
    let callback: Box<HostCallbackAsync> =
        Box::new(|_, _, _, _, payload| Box::pin(async move { Ok(payload) }));
    Ok(WapcHostAsync::new(Box::new(pre.rehydrate()?), Some(callback)).await?)
}

async fn call(host: &WapcHostAsync) -> Result<()> {
    let reply = host.call("Echo", &PAYLOAD).await?;
    ensure!(reply.len() == PAYLOAD.len(), "the reply has {} bytes", reply.len());
    Ok(())
}
