//! The `trellis` command: keys, new, sign, inspect, verify, call; push, pull, login; up, get,
//! describe, invoke.
//!
//! One file per command under `commands/`. Data goes to stdout and nothing else does; notes,
//! warnings and errors go to stderr. Under `-o json` stdout holds JSON only, and an error is JSON
//! too.
//!
//! In reading order: [`cli`] (what may be typed), [`commands`] (what it does), [`output`] and
//! [`failure`] (what the user sees, and the exit code), [`key_choice`], [`files`], [`module`],
//! [`registry`], [`payload`] and [`table`] (what the commands share).
//!
//! **Deliberately absent:** everything the host does. Claims, engine and manifest are the host's
//! own crates, so what the command says about a module is what a host will do with it.

mod clean;
mod cli;
mod commands;
mod contexts;
mod failure;
mod files;
mod global;
mod key_choice;
mod module;
mod output;
mod payload;
mod registry;
mod table;
mod terms;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if let Some(answered) = commands::completions::answered() {
        return answered;
    }
    match cli::parse(std::env::args_os()) {
        Ok(cli) => commands::run(cli.command, output::Output::new(&cli.global)),
        Err(stopped) => stopped.finish(),
    }
}
