//! Measures our side: see `bench_side` for how it is asked.
//!
//! `ours sign FROM TO CAPABILITY...` signs a module with a new account and prints that account.

use std::path::Path;

use anyhow::{Result, bail};
use bench_sandbox::ours;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
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
