//! Measures our side: see `bench_side` for how it is asked.
//!
//! `ours sign FROM TO CAPABILITY...` signs a module with a new account and prints that account;
//! `ours compile` is what it starts to compile a module, as the host starts itself.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use bench_sandbox::ours;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(ours::COMPILE) {
        return trellis_engine::compile_child_main();
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => bench_side::serve(async |row, longest| ours::measure(row, longest).await),
        [verb, from, to, caps @ ..] if verb == "sign" => {
            println!("{}", ours::sign_file(Path::new(from), Path::new(to), caps)?);
            Ok(())
        }
        _ => bail!("usage: ours [sign FROM TO CAPABILITY...]"),
    }
}
