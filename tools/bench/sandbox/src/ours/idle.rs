//! The cost of idle actors: the resident memory of this process with all of them loaded.

use std::fs;

use anyhow::{Context, Result};
use bench_side::{ECHO, PAYLOAD};

use super::ground::{Actor, Ground};

/// Distinct signed actors on one host.
const ACTORS: usize = 10_000;

/// Resident bytes after one call to the last actor.
pub(super) async fn measure() -> Result<f64> {
    let ground = Ground::new()?;
    for number in 0..ACTORS {
        let (name, module) = (name_of(number), distinct(number)?);
        ground.add(&Actor { name: &name, module: &module, isolation: "reuse" })?;
    }
    let host = ground.host(Some(&ground.folder().join("cache")))?;
    ground.apply(&host).await?;
    host.call(&name_of(ACTORS - 1), "Echo", &PAYLOAD[..]).await?;
    let bytes = resident()?;
    host.stop(std::time::Instant::now()).await;
    Ok(bytes)
}

/// Short, because a manifest of more than a megabyte is refused.
fn name_of(number: usize) -> String {
    format!("a{number}")
}

/// The echo guest with its own code, so no two actors share compiled code.
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
