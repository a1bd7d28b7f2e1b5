//! A task that follows some files, whose observer may be held by a disk that hangs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep, timeout};

use super::changes::{Changes, Subject};

/// How long the files must be quiet before they are read: editors and linkers write in several
/// steps.
pub(super) const QUIET: Duration = Duration::from_millis(150);
/// How long changes may go on before the files are read anyway: one that is written all the time
/// must not hold back what is said in another.
const MOVING_TIME_MAX: Duration = Duration::from_secs(1);
/// How often files are looked at where no notification comes: on network file systems, and when
/// the operating system has no watches left.
const POLL_EVERY: Duration = Duration::from_secs(2);
/// Most observers that are abandoned while a disk holds them. Each of them costs a thread until the
/// disk answers; with more of them, other files are followed only then.
pub(super) const ABANDONED_MAX: usize = 4;

/// Why files are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cause {
    /// The operating system said that something happened to one of the names.
    Event,
    /// Time passed.
    Time,
}

/// What looks at files. All of it may block.
pub(super) trait Observer: Send + 'static {
    /// Follows these files, and no others.
    fn follow(&mut self, files: Vec<PathBuf>);

    /// Looks at every file; true when one of them changed since the last look.
    fn look(&mut self, cause: Cause) -> bool;

    /// True when the files have to be looked at now and then.
    fn polls(&self) -> bool;
}

/// Follows files; it ends when this is dropped.
pub(super) struct WatchTask {
    wanted: Arc<Mailbox>,
    changes: Arc<Changes>,
    subject: Subject,
    patience: Duration,
    task: AbortHandle,
}

/// Files to follow, and who waits until they are.
type List = (Vec<PathBuf>, oneshot::Sender<()>);

/// The files that are wanted by now: later ones take the place of earlier ones.
#[derive(Default)]
struct Mailbox {
    list: Mutex<Option<List>>,
    put: Notify,
}

impl Mailbox {
    fn put(&self, list: List) {
        *self.list.lock() = Some(list);
        self.put.notify_one();
    }

    async fn take(&self) -> List {
        loop {
            if let Some(list) = self.list.lock().take() {
                return list;
            }
            self.put.notified().await;
        }
    }
}

impl WatchTask {
    /// Follows nothing yet. `open` makes an observer that sends a word when something happened to a
    /// name that matters; `patience` is how long it may take before it is held to hang. Needs a
    /// Tokio runtime.
    pub(super) fn start<E: Observer>(
        open: impl Fn(mpsc::Sender<()>) -> E + Clone + Send + Sync + 'static,
        (changes, subject): (Arc<Changes>, Subject),
        patience: Duration,
    ) -> Self {
        let wanted = Arc::<Mailbox>::default();
        let worker = Worker {
            wanted: Arc::clone(&wanted),
            next: None,
            changes: Arc::clone(&changes),
            subject,
            moving: None,
            patience,
            abandoned: Arc::new(()),
        };
        let task = tokio::spawn(worker.follow_all(open)).abort_handle();
        Self { wanted, changes, subject, patience, task }
    }

    /// Follows these files, and no others. Returns once they are followed: whoever then reads them
    /// misses no later change. Or returns without that, when their disk does not answer: once it
    /// does, that counts as a change.
    pub(super) async fn follow(&self, files: Vec<PathBuf>) {
        let (done, mut followed) = oneshot::channel();
        self.wanted.put((files, done));
        // Longer than an observer is waited for that is abandoned for these files.
        match timeout(2 * self.patience, &mut followed).await {
            Ok(Ok(())) => {}
            // Only a panic ends the task.
            _ if self.task.is_finished() => {
                let subject = self.subject.as_str();
                tracing::error!("changes to {subject} are no longer noticed; use SIGHUP");
            }
            // Others are wanted by now.
            Ok(Err(_)) => {}
            Err(_) => {
                tracing::warn!(
                    "a disk does not answer: changes of {} may not be noticed until it does; \
                     use SIGHUP",
                    self.subject.as_str()
                );
                let changes = Arc::clone(&self.changes);
                tokio::spawn(async move {
                    if followed.await.is_ok() {
                        changes.missed();
                    }
                });
            }
        }
    }
}

impl Drop for WatchTask {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the task of a lookout has.
struct Worker {
    wanted: Arc<Mailbox>,
    /// Files that were asked for while the observer was busy.
    next: Option<List>,
    changes: Arc<Changes>,
    subject: Subject,
    /// When the first change was seen that is not told yet; until the files are quiet.
    moving: Option<Instant>,
    patience: Duration,
    /// Counts the threads on which observers work, by its references.
    abandoned: Arc<()>,
}

/// Why an observer is of no use any more.
enum End {
    /// It hangs, and another one is to follow what is next.
    Hang,
    /// It panicked.
    Broken,
}

impl Worker {
    /// Each round has an observer of its own; it ends when that hangs and other files are wanted.
    async fn follow_all<E: Observer>(
        mut self,
        open: impl Fn(mpsc::Sender<()>) -> E + Clone + Send + Sync + 'static,
    ) {
        loop {
            // One slot is enough: it says "something happened", however often it did.
            let (sender, events) = mpsc::channel(1);
            let open = open.clone();
            let Ok(observer) = spawn_blocking(move || open(sender)).await else { return };
            match self.watch(observer, events).await {
                End::Hang => {}
                End::Broken => return,
            }
        }
    }

    async fn watch<E: Observer>(&mut self, mut observer: E, mut events: mpsc::Receiver<()>) -> End {
        let mut poll = slow_ticks();
        loop {
            if let Some((files, done)) = self.next.take() {
                observer = match self.aside(observer, move |observer| observer.follow(files)).await
                {
                    Ok((observer, ())) => observer,
                    Err(end) => return end,
                };
                // Nobody has to wait for it.
                let _ = done.send(());
                continue;
            }
            let cause = tokio::select! {
                list = self.wanted.take() => {
                    self.next = Some(list);
                    continue;
                }
                Some(()) = events.recv(), if self.moving.is_none() => Cause::Event,
                _ = poll.tick(), if observer.polls() && self.moving.is_none() => Cause::Time,
                () = sleep(QUIET), if self.moving.is_some() => Cause::Time,
            };
            let now = match self.aside(observer, move |observer| observer.look(cause)).await {
                Ok((back, now)) => {
                    observer = back;
                    now
                }
                Err(end) => return end,
            };
            self.take_in(now);
        }
    }

    /// Takes in whether something changed since the last look.
    fn take_in(&mut self, now: bool) {
        self.moving = match self.moving {
            None if now => {
                self.changes.begins(self.subject);
                Some(Instant::now())
            }
            None => None,
            Some(since) if now && since.elapsed() < MOVING_TIME_MAX => Some(since),
            Some(_) => {
                // What was just seen may be in the middle of a write.
                self.changes.tell(self.subject, now);
                now.then(Instant::now)
            }
        };
    }

    /// Works on a thread that may block: a disk can be slow. One that does not answer while other
    /// files are wanted is left to itself.
    async fn aside<E: Observer, T: Send + 'static>(
        &mut self,
        mut observer: E,
        work: impl FnOnce(&mut E) -> T + Send + 'static,
    ) -> Result<(E, T), End> {
        // One reference is this task's own; each other one is an abandoned observer's.
        let may_abandon = Arc::strong_count(&self.abandoned) <= ABANDONED_MAX;
        let counted = Arc::clone(&self.abandoned);
        let mut working = spawn_blocking(move || {
            let _counted = counted;
            let result = work(&mut observer);
            (observer, result)
        });
        let wanted = Arc::clone(&self.wanted);
        let worked = tokio::select! {
            biased;
            worked = &mut working => worked,
            list = wanted.take(), if may_abandon => {
                self.next = Some(list);
                match timeout(self.patience, working).await {
                    Ok(worked) => worked,
                    Err(_) => return Err(End::Hang),
                }
            }
        };
        worked.map_err(|_| End::Broken)
    }
}

fn slow_ticks() -> Interval {
    let mut ticks = interval(POLL_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
