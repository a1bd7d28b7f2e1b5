//! `trellis completions`: a shell's completion script.

use std::fmt;

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use serde::Serialize;

use crate::cli::Cli;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Args, Debug)]
#[command(after_help = "\
Install:
  bash        trellis completions bash > ~/.local/share/bash-completion/completions/trellis
  zsh         trellis completions zsh > \"${fpath[1]}/_trellis\"
  fish        trellis completions fish > ~/.config/fish/completions/trellis.fish
  powershell  trellis completions powershell | Out-String | Invoke-Expression")]
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
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "trellis", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    output.show(&Script { shell: args.shell.to_string(), script })
}
