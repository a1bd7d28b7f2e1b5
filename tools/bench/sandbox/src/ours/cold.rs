//! From a manifest and a file to the first reply, with and without the compile cache.

use std::time::{Duration, Instant};

use anyhow::Result;
use bench_side::PAYLOAD;

use super::ground::{Actor, Ground};
use super::median;
use crate::large;

/// Nanoseconds from reading the manifest to the first reply, without making the host.
pub(super) async fn measure(longest: Duration, cached: bool) -> Result<f64> {
    let ground = Ground::new()?;
    ground.add(&Actor { name: "guest", module: &large::module()?, isolation: "reuse" })?;
    let cache = ground.folder().join("cache");
    let cache = cached.then_some(cache.as_path());
    start(&ground, cache).await?;
    median::of(longest, async || start(&ground, cache).await).await
}

async fn start(ground: &Ground, cache: Option<&std::path::Path>) -> Result<Duration> {
    let host = ground.host(cache)?;
    let started = Instant::now();
    ground.apply(&host).await?;
    host.call("guest", "Echo", &PAYLOAD[..]).await?;
    let taken = started.elapsed();
    host.stop(Instant::now()).await;
    Ok(taken)
}
