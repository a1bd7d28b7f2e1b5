//! Notices that the manifest, or a module it names, changed on disk: written in place, replaced by
//! rename, removed, come; behind a symbolic link that now leads elsewhere; in a folder that was
//! deleted and made anew.

mod lookups;
mod network;
mod sentry;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior};

use sentry::{Cause, Sentry};

/// How long the files must be quiet before they are read: editors and linkers write in several
/// steps.
const QUIET: Duration = Duration::from_millis(150);
/// How long changes may go on before the files are read anyway: one that is written all the time
/// must not hold back what is said in another.
const MOVING_TIME_MAX: Duration = Duration::from_secs(1);
/// How often files are looked at where no notification comes: on network file systems, and when
/// the operating system has no watches left.
const POLL_EVERY: Duration = Duration::from_secs(2);
/// Lists waiting to be followed; more than one is rare.
const LISTS_WAITING_MAX: usize = 4;

/// A task that follows files; it ends when this is dropped.
pub(crate) struct FileWatch {
    lists: mpsc::Sender<List>,
    changed: Arc<Notify>,
    task: AbortHandle,
}

/// Files to follow, and who waits until they are.
type List = (Vec<PathBuf>, oneshot::Sender<()>);

impl FileWatch {
    /// Follows nothing yet. Needs a Tokio runtime.
    pub(crate) fn start() -> Self {
        let (lists, wanted) = mpsc::channel(LISTS_WAITING_MAX);
        let changed = Arc::new(Notify::new());
        let task = tokio::spawn(watch(wanted, Arc::clone(&changed))).abort_handle();
        Self { lists, changed, task }
    }

    /// Follows these files, and no others. Returns once they are followed: whoever then reads them
    /// misses no later change.
    pub(crate) async fn follow(&self, files: Vec<PathBuf>) {
        let (done, followed) = oneshot::channel();
        let sent = self.lists.send((files, done)).await.is_ok();
        // An error means that the task is gone, which only a panic in it can bring about.
        if !sent || followed.await.is_err() {
            tracing::error!("changes of files are no longer noticed; use SIGHUP");
        }
    }

    /// Waits until a file changed and then was quiet, or changed for too long. A change while
    /// nobody waits is kept.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl Drop for FileWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn watch(mut lists: mpsc::Receiver<List>, changed: Arc<Notify>) {
    // One slot is enough: it says "something happened", however often it did.
    let (sender, mut events) = mpsc::channel(1);
    let mut poll = tokio::time::interval(POLL_EVERY);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let Ok(mut sentry) = spawn_blocking(move || Sentry::new(sender)).await else { return };
    // When the first change was seen that is not told yet; until the files are quiet.
    let mut moving: Option<Instant> = None;
    loop {
        let cause = tokio::select! {
            list = lists.recv() => {
                let Some((files, done)) = list else { return };
                let Some((back, ())) = aside(sentry, |sentry| sentry.follow(files)).await else {
                    return;
                };
                sentry = back;
                // Nobody has to wait for it.
                let _ = done.send(());
                continue;
            }
            Some(()) = events.recv(), if moving.is_none() => Cause::Event,
            _ = poll.tick(), if sentry.polls() && moving.is_none() => Cause::Time,
            () = tokio::time::sleep(QUIET), if moving.is_some() => Cause::Time,
        };
        let Some((back, now)) = aside(sentry, move |sentry| sentry.look(cause)).await else {
            return;
        };
        sentry = back;
        moving = match moving {
            None => now.then(Instant::now),
            Some(since) if now && since.elapsed() < MOVING_TIME_MAX => Some(since),
            Some(_) => {
                changed.notify_one();
                // What was just seen may be in the middle of a write.
                now.then(Instant::now)
            }
        };
    }
}

/// Works on a thread that may block: a disk can be slow. `None` after a panic.
async fn aside<T: Send + 'static>(
    mut sentry: Sentry,
    work: impl FnOnce(&mut Sentry) -> T + Send + 'static,
) -> Option<(Sentry, T)> {
    let working = spawn_blocking(move || {
        let result = work(&mut sentry);
        (sentry, result)
    });
    working.await.ok()
}

#[cfg(test)]
mod tests;
