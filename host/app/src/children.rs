//! What this very program does as a child of a host: it compiles a module, or becomes a provider.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;
use trellis_core::{CallError, Code};
use trellis_engine::{Compiler, Engine, EngineConfig};
use trellis_providers_sdk::Descriptor;
use trellis_targets::process::{
    Launcher, ProcessCommand, ProcessLimits, Processes, Unstartable, launcher_main,
};

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

/// Most modules that are asked at once what they serve.
const ASKED_MAX: u32 = 4;

/// A sandbox in which modules are asked what they serve, and in which nothing else runs.
///
/// # Errors
/// When it cannot be set up.
pub(crate) fn asking_engine() -> Result<Engine, CallError> {
    let config = EngineConfig {
        compiler: compiler(),
        instances_total_max: ASKED_MAX,
        modules_resident_max: ASKED_MAX,
        ..EngineConfig::default()
    };
    Engine::new(config).map_err(|error| CallError::new(error.code(), error.to_string()))
}

/// What a program says that it is and serves, if it is a provider: started for a moment in the
/// current folder, with the variables and the limits that a host gives by default.
///
/// # Errors
/// [`Code::NotFound`] for a program that is not there; [`Code::Provider`] for one that is no
/// provider, with what it wrote.
pub async fn describe_program(program: &str, args: &[String]) -> Result<Descriptor, CallError> {
    let failed = |error: std::io::Error| CallError::new(Code::Provider, error.to_string());
    let launcher = own_program().and_then(|own| Launcher::new(own, vec![LAUNCH_COMMAND.into()]));
    let processes = Processes::new(launcher.map_err(failed)?, std::env::vars_os().collect());
    let folder = std::env::current_dir().map_err(failed)?;
    let is_path = program.contains('/');
    let command = ProcessCommand {
        program: if is_path { folder.join(program) } else { program.into() },
        args: args.to_vec(),
        folder,
        environment: processes.environment([]),
        limits: ProcessLimits::default(),
        digest: None,
    };
    command.look().map_err(|why| {
        let text = match why {
            Unstartable::NotExecutable => format!("`{program}` may not be executed"),
            Unstartable::NoForm | Unstartable::Foreign => format!("`{program}`: {why}"),
            _ if is_path => format!("there is no program `{program}`"),
            _ => format!("there is no program `{program}` in PATH"),
        };
        CallError::new(Code::NotFound, text)
    })?;
    Ok(processes.factory(program, command).await?.descriptor())
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
