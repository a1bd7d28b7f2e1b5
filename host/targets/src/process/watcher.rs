//! Ends what programs started themselves, also when the host is killed.
//!
//! While the host lives, it ends a program together with its group. When the host is killed, the
//! kernel ends the program (`PR_SET_PDEATHSIG`) and nothing that it started. So there is one more
//! process for all of them. It reads from a pipe which groups there are, and ends them when the
//! pipe ends: that only happens when the host has.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal};
use tokio::process::{Child, ChildStdin, Command};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio::sync::Notify;
use trellis_meters::Restarts;

/// What tells the launcher's program that it is to watch.
pub(super) const WATCH: &str = "watch";
/// Back-offs of one that ends again and again.
const BACKOFFS_MAX: u32 = 6;

/// Knows the groups of one host. Cheap to clone.
#[derive(Clone)]
pub(super) struct Watcher(Arc<Inner>);

struct Inner {
    program: PathBuf,
    args: Vec<OsString>,
    state: Mutex<State>,
}

struct State {
    groups: HashSet<u32>,
    /// The process that knows them; none before the first group, and while none could be started.
    running: Option<Running>,
    restarts: Restarts,
}

/// The process, as it is told of groups.
#[derive(Clone)]
struct Running {
    /// As long as somebody has it, the process takes the host to be alive.
    pipe: Arc<std::fs::File>,
    /// It is to be killed.
    useless: Arc<Notify>,
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
        let restarts = Restarts::new(BACKOFFS_MAX);
        let state = Mutex::new(State { groups: HashSet::new(), running: None, restarts });
        Self(Arc::new(Inner { program, args, state }))
    }

    /// The group of a process that was just started, which leads it. Within a runtime.
    pub(super) fn watch(&self, group: u32) -> Watched {
        let mut state = self.0.state.lock();
        let is_first = state.groups.is_empty();
        state.groups.insert(group);
        match &state.running {
            Some(running) => running.say(format!("+{group}\n")),
            // With others it was started before, and somebody sees to it.
            None if is_first => self.start(&mut state),
            None => {}
        }
        drop(state);
        Watched { watcher: self.clone(), group }
    }

    /// Starts the process, which knows all groups from the beginning.
    fn start(&self, state: &mut State) {
        let started = self.spawn().map(|(child, pipe)| {
            let running = Running { pipe: Arc::new(pipe), useless: Arc::default() };
            let groups: String = state.groups.iter().map(|group| format!("+{group}\n")).collect();
            running.say(groups);
            (child, running)
        });
        let (child, running) = match started {
            Ok((child, running)) => (Some(child), Some(running)),
            Err(error) => {
                tracing::warn!(%error, "{UNWATCHED}");
                (None, None)
            }
        };
        state.running.clone_from(&running);
        tokio::spawn(attend(Arc::downgrade(&self.0), child, running));
    }

    fn spawn(&self) -> io::Result<(Child, std::fs::File)> {
        let mut child = Command::new(&self.0.program)
            .args(&self.0.args)
            .arg(WATCH)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let pipe = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        // It was set not to block when it was made.
        Ok((child, std::fs::File::from(ChildStdin::into_owned_fd(pipe)?)))
    }
}

/// Sees to it that there is another process when this one ends, which should not happen.
async fn attend(watcher: Weak<Inner>, child: Option<Child>, running: Option<Running>) {
    let since = Instant::now();
    if let (Some(mut child), Some(running)) = (child, running) {
        tokio::select! {
            _ = child.wait() => {}
            () = running.useless.notified() => drop(child.kill().await),
        }
        // Only now may its pipe end: it would end groups that are alive.
        drop(running);
    }
    let Some(pause) = watcher.upgrade().and_then(|watcher| watcher.ended(since)) else { return };
    tracing::warn!("the process that watches over providers' programs ended; {UNWATCHED}");
    tokio::time::sleep(pause).await;
    if let Some(watcher) = watcher.upgrade().map(Watcher) {
        let mut state = watcher.0.state.lock();
        if !state.groups.is_empty() && state.running.is_none() {
            watcher.start(&mut state);
        }
    }
}

impl Inner {
    /// How soon there is to be another process, if there is anything to watch.
    fn ended(&self, since: Instant) -> Option<Duration> {
        let mut state = self.state.lock();
        state.running = None;
        state.restarts.worked(since.elapsed());
        let restart = state.restarts.failed(Instant::now(), fastrand::f64());
        (!state.groups.is_empty()).then(|| restart.pause())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // There is nothing to watch any more.
        self.state.get_mut().running.iter().for_each(|running| running.useless.notify_one());
    }
}

/// What that means while there is none.
const UNWATCHED: &str = "until there is another one, what these programs start may outlive a host \
                         that is killed";

impl Drop for Watched {
    fn drop(&mut self) {
        let mut state = self.watcher.0.state.lock();
        state.groups.remove(&self.group);
        if let Some(running) = &state.running {
            running.say(format!("-{}\n", self.group));
        }
    }
}

impl Running {
    /// Says it in one piece, and waits for nobody: what is said is shorter than a pipe takes at
    /// once.
    fn say(&self, words: String) {
        if (&*self.pipe).write_all(words.as_bytes()).is_err() {
            // One that hangs would end groups that are not there any more.
            self.useless.notify_one();
        }
    }
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
