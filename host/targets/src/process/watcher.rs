//! Ends what programs started themselves, also when the host is killed.
//!
//! While the host lives, it ends a program together with its group. When the host is killed, the
//! kernel ends the program (`PR_SET_PDEATHSIG`) and nothing that it started. So there is one more
//! process for all of them. It reads from a pipe which groups there are, and ends them when the
//! pipe ends: that only happens when the host has.

use std::collections::HashSet;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::{ffi::OsString, fmt};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};

/// What tells the launcher's program that it is to watch.
pub(super) const WATCH: &str = "watch";

/// Knows the groups of one host. Cheap to clone.
#[derive(Clone)]
pub(super) struct Watcher(Arc<Inner>);

struct Inner {
    program: PathBuf,
    args: Vec<OsString>,
    state: Mutex<State>,
}

enum State {
    /// There is nothing to watch yet.
    Idle,
    Runs(Child),
    /// It could not be started, or was killed.
    Gone,
}

/// A group that is ended with the host. Dropped, it is not any more: its number may be somebody
/// else's by then.
pub(super) struct Watched {
    watcher: Watcher,
    group: u32,
}

impl Watcher {
    /// Watches through a program that calls [`launcher_main`](super::launcher_main) with what
    /// follows `args`; it is started with the first group.
    pub(super) fn new(program: PathBuf, args: Vec<OsString>) -> Self {
        Self(Arc::new(Inner { program, args, state: Mutex::new(State::Idle) }))
    }

    /// The group of a process that was just started, which leads it.
    pub(super) fn watch(&self, group: u32) -> Watched {
        let mut state = self.0.state.lock();
        if matches!(*state, State::Idle) {
            *state = self.start();
        }
        say(&mut state, format_args!("+{group}\n"));
        drop(state);
        Watched { watcher: self.clone(), group }
    }

    fn start(&self) -> State {
        let watcher = Command::new(&self.0.program)
            .args(&self.0.args)
            .arg(WATCH)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        watcher.map_or_else(gone, State::Runs)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        say(&mut self.watcher.0.state.lock(), format_args!("-{}\n", self.group));
    }
}

/// Says it in one piece, and waits for nobody: a word is far shorter than a pipe takes at once.
fn say(state: &mut State, word: fmt::Arguments<'_>) {
    let State::Runs(watcher) = state else { return };
    let said = watcher.stdin.as_mut().ok_or_else(|| io::ErrorKind::BrokenPipe.into());
    let said = said.and_then(|pipe| {
        rustix::io::ioctl_fionbio(&*pipe, true)?;
        pipe.write_all(word.to_string().as_bytes())
    });
    if let Err(error) = said {
        // One that hangs would end groups that are not there any more.
        let _ = watcher.kill();
        let _ = watcher.wait();
        *state = gone(error);
    }
}

fn gone(error: io::Error) -> State {
    tracing::warn!(
        %error,
        "what providers' programs start may outlive a host that is killed: nothing watches over it"
    );
    State::Gone
}

/// Takes the signals by which services and terminals end, as long as it lives, and does nothing.
fn deaf() -> io::Result<(Runtime, [Signals; 3])> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let inside = runtime.enter();
    let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
    let [terminate, interrupt, hangup] = kinds.map(signal);
    let taken = [terminate?, interrupt?, hangup?];
    drop(inside);
    Ok((runtime, taken))
}

/// The whole `main` of the watcher.
pub(super) fn watch_main() -> ExitCode {
    // What ends the host from its terminal would end this first; and so would a TERM that comes to
    // all processes of a service. Without either it still watches.
    let _ = rustix::process::setsid();
    let _deaf = deaf();
    let mut groups = HashSet::new();
    for word in io::stdin().lock().lines() {
        let Ok(word) = word else { break };
        let group = word.get(1..).and_then(|number| Pid::from_raw(number.parse().ok()?));
        match (word.as_bytes().first(), group) {
            (Some(b'+'), Some(group)) => drop(groups.insert(group)),
            (Some(b'-'), Some(group)) => drop(groups.remove(&group)),
            _ => return ExitCode::FAILURE,
        }
    }
    for group in groups {
        // An error says that nobody of it is left.
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
    ExitCode::SUCCESS
}
