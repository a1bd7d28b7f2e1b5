//! `trellis completions`: a shell's completion script. It asks the program itself what may follow.

use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;
use std::{env, fmt, thread};

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
/// What bash is told. clap's own takes words for what bash does, which end at `:` and `=` as well.
const BASH: &str = include_str!("trellis.bash");

/// Longest wait for all that a shell asks, whatever it has to be looked up in: whoever pressed the
/// key waits for it, and may type nothing.
const TIME_MAX: Duration = Duration::from_secs(1);
/// As much as the main thread has: all commands are described at once.
const STACK_BYTES: usize = 8 << 20;

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
    if args.shell == Shell::Bash {
        return output.show(&Script { shell, script: BASH.to_owned() });
    }
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
/// said: the user is in the middle of that line. What takes too long offers nothing.
pub(crate) fn answered() -> Option<ExitCode> {
    env::var_os(VARIABLE).filter(|shell| !shell.is_empty())?;
    let (done, is_done) = mpsc::sync_channel(1);
    // It ends with the process, wherever it hangs by then.
    let answering = thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
        // An error says that nobody waits any more.
        let _ = done.send(answer());
    });
    if answering.is_err() {
        return Some(ExitCode::FAILURE);
    }
    is_done.recv_timeout(TIME_MAX).unwrap_or(Some(ExitCode::FAILURE))
}

fn answer() -> Option<ExitCode> {
    let engine = CompleteEnv::with_factory(Cli::command).var(VARIABLE);
    let engine = engine.bin(PROGRAM).completer(PROGRAM);
    let folder = env::current_dir().ok();
    match engine.try_complete(env::args_os(), folder.as_deref()) {
        Ok(false) => None,
        Ok(true) => Some(ExitCode::SUCCESS),
        Err(_) => Some(ExitCode::FAILURE),
    }
}
