//! The `host` binary: a table of contents.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use trellis_app::{Exit, HostArgs, logging};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs the signed actors of a manifest.
///
/// Every setting is taken from the first of: flag, environment variable, manifest, built-in
/// default.
#[derive(Parser)]
#[command(name = "host", version, max_term_width = 100, args_conflicts_with_subcommands = true)]
struct Cli {
    // Hidden: the child that compiles one module for the host.
    #[command(subcommand)]
    child: Option<Child>,
    #[command(flatten)]
    host: Option<HostArgs>,
}

#[derive(Subcommand)]
enum Child {
    /// Compiles the module on stdin, within limits, for the host that started it.
    #[command(hide = true, name = trellis_app::COMPILE_COMMAND)]
    Compile,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.child.is_some() {
        return trellis_engine::compile_child_main();
    }
    let Some(args) = cli.host else { return Exit::Usage.into() };
    if let Err(problem) = logging::start(&args.log, args.log_format) {
        return trellis_app::complain(&problem, Exit::Usage);
    }
    match trellis_app::run_blocking(args) {
        Ok(()) => Exit::Ok.into(),
        Err(failure) => trellis_app::complain(&failure.render(logging::style()), failure.exit()),
    }
}
