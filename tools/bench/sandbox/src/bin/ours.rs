//! Measures our side. `bench_side` describes its input and output.
//!
//! `ours sign FROM TO CAPABILITY...` signs a module with a new account and prints that account.
//! It starts itself as `ours compile` to compile a module, as the host does, and as `ours launch`,
//! which becomes `ours provider`, for a provider that is a program.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use bench_sandbox::ours;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => bench_side::serve(async |row, longest| ours::measure(row, longest).await)?,
        [verb, from, to, caps @ ..] if verb == "sign" => {
            println!("{}", ours::sign_file(Path::new(from), Path::new(to), caps)?);
        }
        [verb] if verb == ours::COMPILE => return Ok(trellis_engine::compile_child_main()),
        [verb, rest @ ..] if verb == ours::LAUNCH => return Ok(ours::launch(rest)),
        [verb] if verb == ours::PROVIDER => return Ok(ours::provider()),
        _ => bail!("usage: ours [sign FROM TO CAPABILITY...]"),
    }
    Ok(ExitCode::SUCCESS)
}
