//! The `host` binary: a table of contents.

use std::process::ExitCode;

use trellis_app::HostCommand;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match trellis_app::parse(std::env::args_os()) {
        Ok(HostCommand::Run(args, output)) => trellis_app::run_to_exit(*args, output),
        Ok(HostCommand::Compile) => trellis_engine::compile_child_main(),
        Ok(HostCommand::Launch(args)) => trellis_app::launch(args),
        Err(exit) => exit,
    }
}
