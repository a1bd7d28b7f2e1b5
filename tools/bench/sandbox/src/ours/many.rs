//! A host with ten thousand actors: what they cost while they do nothing, how long their start
//! takes, and how long a change of one of them takes.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bench_side::{ECHO, PAYLOAD};
use trellis_app::Host;

use super::ground::{Actor, Ground};
use super::median;

/// Distinct signed actors on one host.
const ACTORS: usize = 10_000;
/// The one that changes.
const CHANGED: usize = ACTORS / 2;

/// Resident bytes of this process, after one call to the last actor.
pub(super) async fn idle() -> Result<f64> {
    let ground = ground()?;
    let host = host(&ground)?;
    ground.apply(&host).await?;
    host.call(&name_of(ACTORS - 1), "Echo", &PAYLOAD[..]).await?;
    let bytes = resident()?;
    host.stop(Instant::now()).await;
    Ok(bytes)
}

/// Nanoseconds from the manifest's text to a reply of the last actor. Every module's code is in
/// the cache; making the host is not counted.
pub(super) async fn start(longest: Duration) -> Result<f64> {
    let ground = ground()?;
    start_once(&ground).await?;
    median::of(longest, async || start_once(&ground).await).await
}

async fn start_once(ground: &Ground) -> Result<Duration> {
    let host = host(ground)?;
    let began = Instant::now();
    ground.apply(&host).await?;
    host.call(&name_of(ACTORS - 1), "Echo", &PAYLOAD[..]).await?;
    let taken = began.elapsed();
    host.stop(Instant::now()).await;
    Ok(taken)
}

/// Nanoseconds from a verified manifest, in which one actor has new code that was never compiled,
/// to a reply of that code.
pub(super) async fn change(longest: Duration) -> Result<f64> {
    let ground = ground()?;
    let host = host(&ground)?;
    let first = ground.reread().await?;
    ground.run(&host, first).await?;
    let mut code = ACTORS;
    let taken = median::of(longest, async || {
        code += 1;
        put(&ground, CHANGED, code)?;
        let prepared = ground.reread().await?;
        let began = Instant::now();
        ground.run(&host, prepared).await?;
        host.call(&name_of(CHANGED), "Echo", &PAYLOAD[..]).await?;
        Ok(began.elapsed())
    })
    .await?;
    host.stop(Instant::now()).await;
    Ok(taken)
}

/// All of them in one manifest.
fn ground() -> Result<Ground> {
    let ground = Ground::new()?;
    for number in 0..ACTORS {
        let (name, module) = (name_of(number), distinct(number)?);
        ground.add(&Actor { name: &name, module: &module, isolation: "reuse" })?;
    }
    Ok(ground)
}

/// Writes the module of an actor; `code` makes it differ from every other.
fn put(ground: &Ground, number: usize, code: usize) -> Result<()> {
    let (name, module) = (name_of(number), distinct(code)?);
    ground.put(&Actor { name: &name, module: &module, isolation: "reuse" })
}

fn host(ground: &Ground) -> Result<Host> {
    ground.host(Some(&ground.folder().join("cache")))
}

/// Short, because a manifest of more than a megabyte is refused.
fn name_of(number: usize) -> String {
    format!("a{number}")
}

/// The echo guest with code of its own, so that no two actors share what was compiled.
fn distinct(number: usize) -> Result<Vec<u8>> {
    let echo = ECHO.trim_end().strip_suffix(')').context("a module")?;
    let own = format!("(func (export \"number\") (result i32) (i32.const {number}))");
    wat::parse_str(format!("{echo}{own})")).context("assembling a module")
}

fn resident() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status").context("reading /proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().context("VmRSS")?;
    Ok(kib * 1024.0)
}
