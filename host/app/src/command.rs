//! What may be typed after `host`.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::args::{HostArgs, plain_message, with_cure, without_empty_variables};
use crate::children::{COMPILE_COMMAND, LAUNCH_COMMAND, LaunchArgs};
use crate::exit::Exit;
use crate::logging;
use crate::output::{Form, Output};

/// Runs the signed actors of a manifest.
///
/// Every setting is taken from the first of: flag, environment variable, manifest, built-in
/// default.
#[derive(Parser)]
#[command(name = "host", version, max_term_width = 100, args_conflicts_with_subcommands = true)]
struct CommandLine {
    // Hidden: the child that compiles one module for the host.
    #[command(subcommand)]
    child: Option<Child>,
    #[command(flatten)]
    host: Option<HostArgs>,
    /// The form of what is printed on stdout, errors included.
    #[arg(short, long, value_enum, ignore_case = true, default_value_t, value_name = "FORM")]
    output: Form,
}

#[derive(Subcommand)]
enum Child {
    /// Compiles the module on stdin, within limits, for the host that started it.
    #[command(hide = true, name = COMPILE_COMMAND)]
    Compile,
    /// Becomes the provider that these name, within limits, for the host that started it.
    #[command(hide = true, name = LAUNCH_COMMAND)]
    Launch(LaunchArgs),
}

/// What was typed.
pub enum HostCommand {
    /// Run (or check) a manifest.
    Run(Box<HostArgs>, Output),
    /// Compile the module on stdin.
    Compile,
    /// Become a provider.
    Launch(LaunchArgs),
}

/// Reads the command line.
///
/// # Errors
/// The exit code, after help, the version or an error was printed.
pub fn parse(args: impl Iterator<Item = OsString>) -> Result<HostCommand, ExitCode> {
    let args: Vec<OsString> = args.collect();
    let output = Output::new(form_asked_for(&args), logging::style());
    let mut command = without_empty_variables(CommandLine::command());
    let parsed = (command.try_get_matches_from_mut(args))
        .and_then(|matches| CommandLine::from_arg_matches(&matches))
        .map_err(|error| with_cure(error, &mut command));
    match parsed {
        Ok(CommandLine { child: Some(Child::Compile), .. }) => Ok(HostCommand::Compile),
        Ok(CommandLine { child: Some(Child::Launch(args)), .. }) => Ok(HostCommand::Launch(args)),
        Ok(CommandLine { host: Some(host), output: form, .. }) => {
            Ok(HostCommand::Run(Box::new(host), Output::new(form, logging::style())))
        }
        Ok(_) => Err(output.misused("the argument --manifest FILE is missing")),
        Err(error) if error.use_stderr() && output.is_json() => {
            Err(output.misused(&plain_message(&error)))
        }
        Err(error) => {
            // Nobody listens when this fails.
            let _ = error.print();
            Err((if error.use_stderr() { Exit::Usage } else { Exit::Ok }).into())
        }
    }
}

/// The form a command line asks for that may be wrong otherwise: its error should come out in it.
fn form_asked_for(args: &[OsString]) -> Form {
    let texts: Vec<&str> = args.iter().skip(1).map_while(|arg| arg.to_str()).collect();
    let value = |(index, text): (usize, &&str)| {
        let rest = text.strip_prefix("--output").or_else(|| text.strip_prefix("-o"))?;
        match rest.strip_prefix('=').unwrap_or(rest) {
            "" => texts.get(index + 1).copied().map(str::to_owned),
            value => Some(value.to_owned()),
        }
    };
    let last = texts.iter().enumerate().rev().find_map(value);
    last.and_then(|text| Form::from_str(&text, true).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(line: &str) -> Form {
        form_asked_for(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn the_form_is_known_even_when_the_rest_is_wrong() {
        for line in ["h -o json", "h -ojson x", "h -o=json", "h --output json", "h --output=JSON"] {
            assert_eq!(form(line), Form::Json, "{line}");
        }
        for line in ["h x", "h -o text", "h --outputs=json", "h -o json -o text", "h -o"] {
            assert_eq!(form(line), Form::Text, "{line}");
        }
    }
}
