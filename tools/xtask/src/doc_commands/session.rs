//! Runs commands one after another, as one user would: folder, environment and servers are kept.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use super::blocks::Step;
use super::compare::missing;

/// Longest time of one command, enough for a cold build.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(900);
/// Longest time until a server has printed what the document shows.
const READY_TIME_MAX: Duration = Duration::from_secs(60);
/// Longest time a server may take to stop after TERM.
const STOP_TIME_MAX: Duration = Duration::from_secs(15);
/// Pause between two looks at a process or its output.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// One document's shell.
pub(super) struct Session {
    /// Holds the home folder and what is kept between commands.
    scratch: TempDir,
    path: String,
    servers: Vec<Child>,
    outputs: usize,
}

impl Session {
    /// A fresh home folder; commands start in `root` and find `binaries` first in PATH.
    pub(super) fn start(root: &Path, binaries: &Path) -> Result<Self> {
        let scratch = TempDir::new().context("making a home folder")?;
        fs::create_dir(scratch.path().join("home"))?;
        fs::write(scratch.path().join("environment"), "")?;
        fs::write(scratch.path().join("folder"), root.to_string_lossy().as_bytes())?;
        let inherited = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{inherited}", binaries.display());
        Ok(Self { scratch, path, servers: Vec::new(), outputs: 0 })
    }

    /// Runs one command and checks its output; the error is a sentence for the user.
    pub(super) fn step(&mut self, step: &Step, exit: i32) -> Result<(), String> {
        let output = self.output_path();
        let child = self.spawn(step, &output).map_err(|error| format!("{error:#}"))?;
        if step.background {
            self.servers.push(child);
            let server = self.servers.last_mut().expect("just pushed");
            return await_ready(server, step, &output);
        }
        let status = await_exit(child, COMMAND_TIME_MAX)?;
        let printed = read(&output);
        if status.code() != Some(exit) {
            return Err(format!(
                "exited with {status}, expected code {exit}; it printed:\n{printed}"
            ));
        }
        match missing(&step.expected, &printed) {
            None => Ok(()),
            Some(line) => Err(format!("did not print `{line}`; it printed:\n{printed}")),
        }
    }

    fn output_path(&mut self) -> PathBuf {
        self.outputs += 1;
        self.scratch.path().join(format!("output-{}", self.outputs))
    }

    fn spawn(&self, step: &Step, output: &Path) -> Result<Child> {
        let file = File::create(output).context("making an output file")?;
        let home = self.scratch.path().join("home");
        let mut command = Command::new("bash");
        command
            .args(["-c", &self.script(step)])
            .env("PATH", &self.path)
            .env("HOME", &home)
            .env("XDG_RUNTIME_DIR", self.scratch.path())
            // Hosts that this user runs besides are no part of a page.
            .env("TRELLIS_RUNTIME_DIR", self.scratch.path().join("trellis"))
            .env("NO_COLOR", "1")
            .env("STATE", self.scratch.path())
            .stdin(Stdio::null())
            .stdout(file.try_clone().context("sharing an output file")?)
            .stderr(file)
            .process_group(0);
        for (variable, default) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
            if let Some(folder) = toolchain_folder(variable, default) {
                command.env(variable, folder);
            }
        }
        for variable in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"] {
            command.env_remove(variable);
        }
        command.spawn().context("starting bash")
    }

    /// Files carry the folder and the exported variables from one bash to the next.
    fn script(&self, step: &Step) -> String {
        let enter =
            "set -o pipefail; source \"$STATE/environment\"; cd \"$(cat \"$STATE/folder\")\"";
        if step.background {
            return format!("{enter}\nexec {}", step.command);
        }
        let leave = "pwd > \"$STATE/folder\"; export -p > \"$STATE/environment\"";
        format!("{enter}\ntrap '{leave}' EXIT\n{}\n", step.command)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for server in &mut self.servers {
            signal(server, Signal::TERM);
            let until = Instant::now() + STOP_TIME_MAX;
            while Instant::now() < until && matches!(server.try_wait(), Ok(None)) {
                thread::park_timeout(LOOK_EVERY);
            }
            signal(server, Signal::KILL);
            drop(server.wait());
        }
    }
}

fn toolchain_folder(variable: &str, default: &str) -> Option<PathBuf> {
    let set = std::env::var_os(variable).map(PathBuf::from);
    set.or_else(|| std::env::home_dir().map(|home| home.join(default)))
}

fn await_ready(server: &mut Child, step: &Step, output: &Path) -> Result<(), String> {
    let until = Instant::now() + READY_TIME_MAX;
    loop {
        let printed = read(output);
        let Some(line) = missing(&step.expected, &printed) else { return Ok(()) };
        if let Ok(Some(status)) = server.try_wait() {
            return Err(format!("the server exited with {status}; it printed:\n{printed}"));
        }
        if Instant::now() > until {
            return Err(format!(
                "did not print `{line}` within {READY_TIME_MAX:?}; so far:\n{printed}"
            ));
        }
        thread::park_timeout(LOOK_EVERY);
    }
}

fn await_exit(mut child: Child, longest: Duration) -> Result<ExitStatus, String> {
    let until = Instant::now() + longest;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if Instant::now() < until => thread::park_timeout(LOOK_EVERY),
            Ok(None) => {
                signal(&child, Signal::KILL);
                drop(child.wait());
                return Err(format!("did not exit within {longest:?}"));
            }
            Err(error) => return Err(format!("waiting for it failed: {error}")),
        }
    }
}

/// Signals the whole group, so processes that a command started end with it.
fn signal(child: &Child, signal: Signal) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It fails if the group is gone already, which is fine.
        let _ = kill_process_group(group, signal);
    }
}

fn read(output: &Path) -> String {
    let bytes = fs::read(output).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(command: &str, expected: &[&str]) -> Step {
        let background = command.ends_with('&');
        Step {
            line: 1,
            command: command.trim_end_matches('&').trim_end().to_owned(),
            background,
            expected: expected.iter().map(|line| (*line).to_owned()).collect(),
        }
    }

    fn session(folder: &TempDir) -> Session {
        Session::start(folder.path(), folder.path()).expect("a session")
    }

    #[test]
    fn folder_and_environment_last() {
        let folder = TempDir::new().expect("a temporary folder");
        let mut session = session(&folder);
        session.step(&step("mkdir a && cd a && export NAME=x", &[]), 0).expect("made");
        session.step(&step("echo $(basename $PWD) $NAME", &["a x"]), 0).expect("remembered");
    }

    #[test]
    fn output_and_exit_code_are_compared() {
        let folder = TempDir::new().expect("a temporary folder");
        let mut session = session(&folder);
        let wrong = session.step(&step("echo one", &["two"]), 0).expect_err("another output");
        assert!(wrong.starts_with("did not print `two`"), "{wrong}");
        session.step(&step("exit 4", &[]), 4).expect("the expected code");
        let failed = session.step(&step("echo why >&2; false", &[]), 0).expect_err("a failure");
        assert!(failed.contains("why"), "{failed}");
    }

    #[test]
    fn a_server_is_awaited_and_stopped() {
        let folder = TempDir::new().expect("a temporary folder");
        let mut session = session(&folder);
        let serve = "sh -c 'trap \"echo bye > stopped; exit\" TERM; echo ready; while :; do read -t 1 _; done < /dev/zero' &";
        session.step(&step(serve, &["ready"]), 0).expect("ready");
        drop(session);
        assert_eq!(fs::read_to_string(folder.path().join("stopped")).expect("a trace"), "bye\n");
    }

    #[test]
    fn a_server_that_dies_is_reported() {
        let folder = TempDir::new().expect("a temporary folder");
        let mut session = session(&folder);
        let died = session.step(&step("sh -c 'echo no port; exit 3' &", &["ready"]), 0);
        let message = died.expect_err("it ended");
        assert!(message.contains("exit status: 3") && message.contains("no port"), "{message}");
    }
}
