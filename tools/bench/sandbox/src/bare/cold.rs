//! From a file to the first reply and nothing else: no manifest, no signature, no authenticated
//! cache.

use std::time::{Duration, Instant};

use anyhow::Result;
use tempfile::TempDir;
use wasmtime::{Engine, Module};

use super::wapc;
use crate::large;

/// Nanoseconds from the file to the first reply, without making the engine.
pub(super) async fn measure(row: &str, longest: Duration) -> Result<f64> {
    let folder = TempDir::new()?;
    let path = folder.path().join("module");
    let module = large::module()?;
    let cached = row == "cold-cached";
    std::fs::write(
        &path,
        if cached { wapc::engine()?.precompile_module(&module)? } else { module },
    )?;
    let began = Instant::now();
    let mut taken = Vec::new();
    while taken.is_empty() || began.elapsed() < longest {
        let engine = wapc::engine()?;
        wapc::tick(&engine);
        let started = Instant::now();
        let module =
            if cached { load(&engine, &path)? } else { Module::from_file(&engine, &path)? };
        let pre = wapc::linker(&engine)?.instantiate_pre(&module)?;
        wapc::call(&mut wapc::instantiate(&pre).await?).await?;
        taken.push(started.elapsed().as_nanos() as f64);
    }
    taken.sort_by(f64::total_cmp);
    Ok(taken[taken.len() / 2])
}

#[expect(unsafe_code, reason = "wasmtime trusts what it loads; this file was written above")]
fn load(engine: &Engine, path: &std::path::Path) -> wasmtime::Result<Module> {
    // SAFETY: the file holds what `precompile_module` returned, in a folder only of this process.
    unsafe { Module::deserialize_file(engine, path) }
}
