//! The ceilings of the sandbox rows: bare wasmtime, and a bare Unix socket.

mod cold;
pub mod socket;
mod wapc;

use std::time::Duration;

use anyhow::Result;
use bench_side::{guest, time};
use wasmtime::Module;

/// Measures one ceiling: `warm-` rows keep one instance, `fresh-` rows make one per call.
///
/// # Errors
/// When the row is unknown or the guest misbehaves.
pub async fn measure(row: &str, longest: Duration) -> Result<f64> {
    if row.starts_with("cold-") {
        return cold::measure(row, longest).await;
    }
    if row == "program-call" {
        return socket::measure(longest).await;
    }
    let engine = wapc::engine()?;
    wapc::tick(&engine);
    let module = Module::new(&engine, guest(row)?)?;
    let pre = wapc::linker(&engine)?.instantiate_pre(&module)?;
    if row.starts_with("fresh-") {
        return time(longest, async || wapc::call(&mut wapc::instantiate(&pre).await?).await).await;
    }
    let mut instance = wapc::instantiate(&pre).await?;
    time(longest, async || wapc::call(&mut instance).await).await
}
