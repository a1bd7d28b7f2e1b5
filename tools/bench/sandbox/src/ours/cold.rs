//! From a manifest and a file to the first reply, with and without the compile cache.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bench_side::{ECHO, PAYLOAD};

use super::ground::{Actor, Ground};

/// Functions that make the module about 300 KB.
const FILLER_FUNCTIONS: usize = 1_500;

/// Nanoseconds from reading the manifest to the first reply; making the host is not counted.
pub(super) async fn measure(longest: Duration, cached: bool) -> Result<f64> {
    let ground = Ground::new()?;
    ground.add(&Actor { name: "guest", module: &large()?, isolation: "reuse" })?;
    let cache = ground.folder().join("cache");
    let cache = cached.then_some(cache.as_path());
    start(&ground, cache).await?;
    let began = Instant::now();
    let mut taken = Vec::new();
    while taken.is_empty() || began.elapsed() < longest {
        taken.push(start(&ground, cache).await?.as_nanos() as f64);
    }
    taken.sort_by(f64::total_cmp);
    Ok(taken[taken.len() / 2])
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

/// The echo guest with functions nobody calls, of arithmetic, loads, stores and branches.
fn large() -> Result<Vec<u8>> {
    let mut text = ECHO.trim_end().strip_suffix(')').context("a module")?.to_owned();
    for number in 0..FILLER_FUNCTIONS {
        filler(&mut text, number)?;
    }
    text.push(')');
    wat::parse_str(text).context("assembling the large module")
}

fn filler(text: &mut String, number: usize) -> Result<()> {
    writeln!(text, "(func (export \"f{number}\") (param $a i32) (result i32) (local $b i32)")?;
    for step in 0..10 {
        let constant = number * 7_919 + step;
        writeln!(
            text,
            "(local.set $b (i32.add (i32.mul (local.get $a) (i32.const {constant}))
               (i32.load (i32.and (local.get $b) (i32.const 65532)))))
             (if (i32.lt_u (local.get $b) (local.get $a))
               (then (i32.store (i32.and (local.get $a) (i32.const 65532)) (local.get $b))))"
        )?;
    }
    text.push_str("(local.get $b))");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_large_module_has_about_300_kilobytes() {
        let bytes = large().expect("a module").len();
        assert!((250_000..=350_000).contains(&bytes), "{bytes}");
    }
}
