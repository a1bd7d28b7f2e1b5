//! `trellis completions`: a shell's completion script. It asks the program itself what may follow.

use std::fmt;
use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use clap_complete::env::{CompleteEnv, Shells};
use serde::Serialize;
use trellis_core::Code;

use crate::cli::Cli;
use crate::failure::Failure;
use crate::output::Output;

/// What the script and whatever it asks call the program: whichever is first in `PATH` by then.
const PROGRAM: &str = "trellis";
/// The variable by which a script asks.
const VARIABLE: &str = "TRELLIS_COMPLETE";

#[derive(Args, Debug)]
#[command(after_help = "\
Install:
  bash        trellis completions bash > ~/.local/share/bash-completion/completions/trellis
  zsh         echo 'source <(trellis completions zsh)' >> ~/.zshrc
  fish        trellis completions fish > ~/.config/fish/completions/trellis.fish
  powershell  trellis completions powershell | Out-String | Invoke-Expression
The script asks `trellis` what may follow, names of what runs on a host included: anew after each
change of `trellis` itself is not needed, but does no harm.")]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum, ignore_case = true)]
    shell: Shell,
}

#[derive(Serialize)]
struct Script {
    shell: String,
    script: String,
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.script)
    }
}

pub(crate) fn run(args: &CompletionsArgs, output: Output) -> Result<(), Failure> {
    let (shell, mut script) = (args.shell.to_string(), Vec::new());
    let shells = Shells::builtins();
    let known = shells.completer(&shell);
    let known = known.ok_or_else(|| Failure::new(Code::Internal, "this shell is not known"))?;
    known
        .write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)
        .map_err(|error| Failure::new(Code::Internal, "the script is none").cause(&error))?;
    let script = String::from_utf8_lossy(&script).into_owned();
    output.show(&Script { shell, script })
}

/// Answers a script that asks what may follow in a line; `None` when none does. Nothing else is
/// said: the user is in the middle of that line.
pub(crate) fn answered() -> Option<ExitCode> {
    let engine = CompleteEnv::with_factory(Cli::command).var(VARIABLE);
    let engine = engine.bin(PROGRAM).completer(PROGRAM);
    let folder = std::env::current_dir().ok();
    match engine.try_complete(std::env::args_os(), folder.as_deref()) {
        Ok(false) => None,
        Ok(true) => Some(ExitCode::SUCCESS),
        Err(_) => Some(ExitCode::FAILURE),
    }
}
