//! Project automation, `cargo xtask COMMAND`: what this project asks of itself, checked by machine.
//!
//! One file (or folder) per command. A check prints every problem it finds as `file:line: what is
//! wrong`, then fails; none of them changes a file unless its name says so.
//!
//! **Deliberately absent:** anything a user needs. `host` and `trellis` are the product; this is
//! the workshop.
#![allow(clippy::print_stdout, clippy::print_stderr)] // A command line tool: lines are its product.

mod catalog;
mod doc_commands;
mod generate;
mod guests;
mod layers;
mod new_contract;
mod repo;
mod report;
mod seeds;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::repo::Repo;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Project automation.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check who imports whom, and that each outside library has one owner.
    Layers,
    /// Check file, function and line lengths, crate pages, links, and words that must not stay.
    Tidy,
    /// Write the generated files: the lists of contracts, providers and fuzz targets, the
    /// manifest's schema, and the pages of contracts, errors, limits.
    Generate(generate::Options),
    /// Make the skeleton of a new contract with a provider, which builds and passes.
    NewContract(new_contract::Options),
    /// Build the actors for wasm32 and check their sizes; with `--sign`, sign them into dist/.
    Guests(guests::Options),
    /// Write the messages the fuzzer begins with, from the golden vectors.
    Seeds(seeds::Options),
    /// Run every command shown in README.md and docs/, and compare what it prints.
    DocCommands(doc_commands::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = Repo::find().and_then(|repo| match arguments.command {
        Command::Layers => layers::run(&repo),
        Command::Tidy => tidy::run(&repo),
        Command::Generate(options) => generate::run(&repo, &options),
        Command::NewContract(options) => new_contract::run(&repo, &options),
        Command::Guests(options) => guests::run(&repo, &options),
        Command::Seeds(options) => seeds::run(&repo, &options),
        Command::DocCommands(options) => doc_commands::run(&repo, &options),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
