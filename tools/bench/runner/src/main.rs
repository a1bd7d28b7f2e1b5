//! `make bench`: every row next to its peer and its ceiling, in one run.
//!
//! The sides of a row take turns, for at least five rounds, so a slow minute of the machine affects
//! all of them. Ratios are taken within a round, and the table shows medians. docs/benchmarks.md
//! says how to read it.
//!
//! **Deliberately absent:** measuring. Sides are processes (see `bench_side`) or servers under
//! load. This program only decides whose turn it is and does the arithmetic.

#![allow(clippy::print_stdout, clippy::print_stderr)] // A command line tool: lines are its product.

mod load;
mod overload;
mod places;
mod rounds;
mod rows;
mod server;
mod source;
mod table;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;

use crate::places::Places;

#[derive(Parser)]
#[command(name = "bench", about = "Measures Trellis against its peers and ceilings.")]
struct Arguments {
    /// The release folder of this workspace's binaries.
    #[arg(long)]
    sides: PathBuf,
    /// The `host` binary to measure.
    #[arg(long)]
    host: PathBuf,
    /// The folder with the built actors.
    #[arg(long)]
    actors: PathBuf,
    /// The `wasmtime` program.
    #[arg(long)]
    wasmtime: PathBuf,
    /// The component it serves.
    #[arg(long)]
    hello: PathBuf,
    /// Where the results go, as JSON.
    #[arg(long, default_value = "bench.json")]
    json: PathBuf,
    /// Rounds of each row.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each side is measured in a round.
    #[arg(long, default_value_t = 2_000)]
    millis: u64,
    /// Only rows whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let places = Places {
        sides: arguments.sides,
        host: arguments.host,
        actors: arguments.actors,
        wasmtime: arguments.wasmtime,
        hello: arguments.hello,
        scratch: tempfile::tempdir().context("making a folder")?,
    };
    let longest = Duration::from_millis(arguments.millis);
    let (mut results, mut failed) = (Vec::new(), Vec::new());
    for row in rows::ROWS.iter().filter(|row| row.name.contains(&arguments.only)) {
        eprintln!("measuring {} ({} rounds)", row.name, row.rounds(arguments.rounds));
        match rounds::measure(row, &places, row.rounds(arguments.rounds), longest) {
            Ok(outcome) => results.push(outcome),
            // The other rows are still worth measuring.
            Err(error) => failed.push(format!("{}: {error:#}", row.name)),
        }
    }
    print!("{}", table::text(&results));
    std::fs::write(&arguments.json, table::json(&results)).context("writing the results")?;
    eprintln!("wrote {}", arguments.json.display());
    ensure!(failed.is_empty(), "rows that could not be measured:\n{}", failed.join("\n"));
    Ok(())
}
