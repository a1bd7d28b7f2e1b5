//! What this very program does as a child of a host: it compiles a module, or becomes a provider.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;
use trellis_engine::Compiler;
use trellis_targets::process::{Launcher, Processes, launcher_main};

use crate::process::own_program;

/// The hidden command with which a binary compiles one module for the host it is: a module that
/// compiles without end is then a child that is killed. See [`trellis_engine::compile_child_main`].
pub const COMPILE_COMMAND: &str = "compile-module";
/// The command of the child that becomes a provider's process. See
/// [`trellis_targets::process::launcher_main`].
pub const LAUNCH_COMMAND: &str = "launch-provider";

/// What a launched provider is started with.
#[derive(Args, Debug)]
pub struct LaunchArgs {
    /// The host's process id, three limits, and the command.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<OsString>,
}

/// Becomes the provider that a host named. Returns when that cannot be.
#[must_use]
pub fn launch(args: LaunchArgs) -> ExitCode {
    launcher_main(args.words.into_iter())
}

/// What starts providers that are programs. `None`, with a warning, when the system does not let
/// it.
pub(crate) fn processes() -> Option<Processes> {
    let launcher = own_program().and_then(|own| Launcher::new(own, vec![LAUNCH_COMMAND.into()]));
    match launcher {
        Ok(launcher) => Some(Processes::new(launcher, std::env::vars_os().collect())),
        Err(error) => {
            tracing::warn!(%error, "no providers are started that are programs");
            None
        }
    }
}

/// This very program, so that parent and child always agree on the compiler.
pub(crate) fn compiler() -> Compiler {
    match own_program() {
        Ok(program) => Compiler::Child { program, args: vec![COMPILE_COMMAND.into()] },
        Err(error) => {
            tracing::warn!(
                %error,
                "modules are compiled in this process, where nothing can stop a compilation"
            );
            Compiler::InProcess
        }
    }
}
