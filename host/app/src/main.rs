//! The `host` binary: a table of contents.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use trellis_app::{Exit, HostArgs, logging};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Either the host, or (hidden) the child that compiles one module for it.
#[derive(Parser)]
#[command(name = "host", version, about, args_conflicts_with_subcommands = true)]
struct Cli {
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
