//! Our whole road: signed modules, a manifest, the supervisor, the dispatcher.

mod cold;
mod echo;
mod gate;
mod ground;
mod many;
mod median;
mod program;

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use bench_side::{PAYLOAD, guest, time};

use self::ground::{Actor, Ground};

pub use ground::{COMPILE, sign_file};
pub use program::{LAUNCH, PROVIDER, launch, provider};

/// Measures one row: the nanoseconds of one operation, or the bytes of `idle-actors`.
///
/// # Errors
/// When the row is unknown or a call fails.
pub async fn measure(row: &str, longest: Duration) -> Result<f64> {
    match row {
        "warm-echo" | "warm-relay" | "fresh-echo" | "fresh-relay" => road(row, longest).await,
        "entitlement-check" => gate::measure(longest).await,
        "program-call" => program::one_at_a_time(longest).await,
        "program-calls-16" => program::sixteen_at_once(longest).await,
        "cold-cached" => cold::measure(longest, true).await,
        "cold-compiled" => cold::measure(longest, false).await,
        "idle-actors" => many::idle().await,
        "start-many" => many::start(longest).await,
        "change-one-of-many" => many::change(longest).await,
        _ => bail!("no row {row}"),
    }
}

/// A call from the host to the actor; in `relay` rows the actor also calls a provider.
async fn road(row: &str, longest: Duration) -> Result<f64> {
    let isolation = if row.starts_with("fresh-") { "fresh" } else { "reuse" };
    let ground = Ground::new()?;
    let module = guest(row)?;
    ground.add(&Actor { name: "guest", module: &module, isolation })?;
    let host = ground.host(None)?;
    ground.apply(&host).await?;
    let taken = time(longest, async || {
        let reply = host.call("guest", "Echo", &PAYLOAD[..]).await?;
        ensure!(reply.len() == PAYLOAD.len(), "the reply has {} bytes", reply.len());
        Ok(())
    })
    .await?;
    host.stop(Instant::now()).await;
    Ok(taken)
}
