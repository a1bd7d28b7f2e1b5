//! The hidden command behind `COMPILE_COMMAND`: the child process in which the engine compiles a module, so that
//! one that compiles without end, or into all memory, is a child that is killed.

use trellis_core::Code;

use crate::failure::Failure;

pub(crate) fn run() -> Result<(), Failure> {
    // The parent reads what went wrong from the child's own output, not from its exit code.
    if trellis_engine::compile_child_main() == std::process::ExitCode::SUCCESS {
        return Ok(());
    }
    Err(Failure::new(Code::ModuleLimit, "the module was not compiled"))
}
