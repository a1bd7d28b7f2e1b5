//! A command run by another one.

use std::ffi::OsStr;
use std::process::Command;

/// The same command as the last arguments of `prefix`, in the same folder and environment: those
/// the command was given, and nothing of this process's own.
///
/// # Panics
/// When `prefix` is empty.
#[must_use]
pub(crate) fn wrapped(prefix: &[&OsStr], command: &Command) -> Command {
    let (program, arguments) = prefix.split_first().expect("somebody runs the command");
    let mut wrapped = Command::new(program);
    wrapped.args(arguments).arg(command.get_program()).args(command.get_args()).env_clear();
    wrapped.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.get_current_dir().map(|folder| wrapped.current_dir(folder));
    wrapped
}

/// The same command after a shell's `first`, such as `ulimit -v 1000000`.
#[must_use]
pub fn after(first: &str, command: &Command) -> Command {
    let script = format!("{first} && exec \"$@\"");
    wrapped(&["sh", "-c", &script, "sh"].map(OsStr::new), command)
}
