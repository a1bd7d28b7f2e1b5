//! What may be typed.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use trellis_app::args::{plain_message, with_cure, without_empty_variables};
use trellis_app::{Exit, HostArgs};

use crate::commands::{
    bind, call, completions, context, describe, events, explain, get, history, inspect, invoke,
    keys, kv, login, logs, new, par, pull, push, rollback, scale, sign, spy, start, stop, token,
    top, update, verify, why,
};
use crate::failure::Failure;
use crate::global::{Color, Form, Global};
use crate::output::Output;

/// Keys, signatures and trials for Trellis actors; and what hosts do.
///
/// Every setting is taken from the first of: flag, environment variable, built-in default.
#[derive(Parser, Debug)]
#[command(name = "trellis", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "\
Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 not found, 4 denied (signature, trust, credentials),
5 timeout or no host, 6 invalid module or manifest. `trellis explain CODE` explains an error code.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Makes, lists, shows, imports and exports keys.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Makes a folder to begin with.
    #[command(subcommand)]
    New(new::NewCommand),
    /// Puts signed claims into a module.
    Sign(Box<sign::SignArgs>),
    /// Shows a module's claims, checks, imports, exports and size.
    Inspect(inspect::InspectArgs),
    /// Checks a module as a host does before running it.
    Verify(verify::VerifyArgs),
    /// Makes, completes, shows and checks archives of providers that are programs.
    #[command(subcommand)]
    Par(Box<par::ParCommand>),
    /// Runs operations in one module, without a host or providers.
    Call(Box<call::CallArgs>),
    /// Puts a module into a registry.
    Push(push::PushArgs),
    /// Gets a module from a registry.
    Pull(pull::PullArgs),
    /// Keeps credentials for a registry, if it takes them.
    Login(login::LoginArgs),
    /// Forgets the credentials for a registry.
    Logout(login::LogoutArgs),
    /// Runs the actors of a manifest: the same as `host`.
    Up(Box<HostArgs>),
    /// Lists hosts, and what they run and want to run.
    Get(get::GetArgs),
    /// Shows everything about an actor or a provider of a host.
    Describe(describe::DescribeArgs),
    /// Calls an actor of a host.
    Invoke(invoke::InvokeArgs),
    /// Looks at what actors keep in stores, and puts something there.
    #[command(subcommand)]
    Kv(kv::KvCommand),
    /// Makes tokens, with which users ask hosts over the network.
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Has a host run another version of an actor, or another provider, until it restarts.
    #[command(subcommand)]
    Update(Box<update::UpdateCommand>),
    /// Has a host run what was stopped, or what its manifest does not have, until it restarts.
    #[command(subcommand)]
    Start(Box<start::StartCommand>),
    /// Has a host run something no more, until it is started or the host restarts.
    #[command(subcommand)]
    Stop(Box<stop::StopCommand>),
    /// Gives an actor more or fewer instances, until the host restarts.
    #[command(subcommand)]
    Scale(Box<scale::ScaleCommand>),
    /// Binds an actor to a provider, or with other values, until the host restarts.
    Bind(Box<bind::BindArgs>),
    /// Takes a binding of an actor away, until the host restarts.
    Unbind(Box<bind::UnbindArgs>),
    /// Takes an update, or what else was changed by command, back.
    Rollback(rollback::RollbackArgs),
    /// Lists what changed of what a host is to run.
    History(history::HistoryArgs),
    /// Shows what happened on a host, and follows what happens.
    Events(events::EventsArgs),
    /// Shows what a host logs and what runs on it prints, and follows that.
    Logs(logs::LogsArgs),
    /// Shows the calls of an actor as they go on.
    Spy(spy::SpyArgs),
    /// Shows why calls were let through or not.
    Why(why::WhyArgs),
    /// Keeps names for hosts, and which one is meant when nothing is said.
    #[command(subcommand)]
    Context(context::ContextCommand),
    /// Shows what actors and providers have to do, again and again.
    Top(top::TopArgs),
    /// Explains an error code: its cause and what to do.
    Explain(explain::ExplainArgs),
    /// Prints a shell's completion script.
    Completions(completions::CompletionsArgs),
    /// Compiles a module from stdin to stdout, within limits. The engine starts this.
    #[command(hide = true, name = trellis_app::COMPILE_COMMAND)]
    Compile,
    /// Becomes a provider, within limits. The host starts this.
    #[command(hide = true, name = trellis_app::LAUNCH_COMMAND)]
    Launch(trellis_app::LaunchArgs),
}

/// Why there is no command to run.
pub(crate) enum Stopped {
    /// clap has text to print: help, the version, or an error for people.
    Clap(clap::Error),
    /// The error is for a program.
    Document(Box<Failure>, Global),
}

/// Reads the command line.
///
/// # Errors
/// Help and version are "errors" here too; see [`Stopped::finish`].
pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Result<Cli, Stopped> {
    let args: Vec<OsString> = args.collect();
    let global = glance(&args);
    let asks_for_up = args.iter().any(|arg| arg == "up");
    let mut command = without_empty_variables(Cli::command()).color(global.color.into());
    let parsed = (command.try_get_matches_from_mut(args))
        .and_then(|mut matches| Cli::from_arg_matches_mut(&mut matches))
        .map_err(|error| match asks_for_up {
            true => with_cure(error, &mut command),
            false => error,
        });
    parsed.map_err(|error| {
        if global.output.is_document() && error.use_stderr() {
            Stopped::Document(Box::new(Failure::usage(plain_message(&error))), global)
        } else {
            Stopped::Clap(error)
        }
    })
}

impl Stopped {
    /// Prints what there is to say and gives the exit code.
    pub(crate) fn finish(self) -> ExitCode {
        match self {
            Self::Document(failure, global) => Output::new(&global).finish(Err(*failure)),
            Self::Clap(error) => {
                // If this fails there is nobody left to tell.
                let _ = error.print();
                let wrong = error.use_stderr()
                    || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
                (if wrong { Exit::Usage } else { Exit::Ok }).into()
            }
        }
    }
}

/// The output options of a command line that may be wrong: its error should have the form that was
/// asked for.
fn glance(args: &[OsString]) -> Global {
    let texts: Vec<&str> = args.iter().skip(1).map_while(|arg| arg.to_str()).collect();
    let texts = texts.split(|text| *text == "--").next().unwrap_or_default();
    let value = |names: &[&str]| {
        texts.iter().enumerate().rev().find_map(|(index, text)| {
            names.iter().find_map(|name| {
                let rest = text.strip_prefix(name)?;
                if rest.is_empty() {
                    return texts.get(index + 1).copied();
                }
                // `-ojson`, `-o=json` and `--output=json`, but not `--outputs`.
                rest.strip_prefix('=').or_else(|| (!name.starts_with("--")).then_some(rest))
            })
        })
    };
    let output = value(&["--output", "-o"]).and_then(|text| Form::from_str(text, false).ok());
    let color = value(&["--color"]).and_then(|text| Color::from_str(text, false).ok());
    Global {
        output: output.unwrap_or_default(),
        quiet: texts.contains(&"--quiet"),
        color: color.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glance_at(line: &str) -> Global {
        glance(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_form_is_known_even_when_the_rest_is_wrong() {
        for line in ["t x -o json", "t -ojson x", "t -o=json", "t --output json", "t --output=json"]
        {
            assert_eq!(glance_at(line).output, Form::Json, "{line}");
        }
        for line in ["t x", "t -o text", "t -- -o json", "t --outputs=json", "t -o json -o text"] {
            assert_eq!(glance_at(line).output, Form::Text, "{line}");
        }
        assert_eq!(glance_at("t --color never").color, Color::Never);
        assert!(glance_at("t --quiet").quiet);
    }
}
