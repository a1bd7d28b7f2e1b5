//! A command that another one runs.

use std::ffi::OsStr;
use std::process::Command;

/// The command as the last arguments of `prefix`, in the folder and environment that it was given,
/// and nothing of this process's environment.
///
/// # Panics
/// When `prefix` is empty.
#[must_use]
pub(crate) fn wrapped(prefix: &[&OsStr], command: &Command) -> Command {
    let (program, arguments) = prefix.split_first().expect("a program runs the command");
    let mut wrapped = Command::new(program);
    wrapped.args(arguments).arg(command.get_program()).args(command.get_args()).env_clear();
    wrapped.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.get_current_dir().map(|folder| wrapped.current_dir(folder));
    wrapped
}

/// The command after a shell command, such as `ulimit -v 1000000`.
#[must_use]
pub fn after(first: &str, command: &Command) -> Command {
    let script = format!("{first} && exec \"$@\"");
    wrapped(&["sh", "-c", &script, "sh"].map(OsStr::new), command)
}
