//! A task that follows some files, with eyes that may be held by a disk that hangs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep, timeout};

use super::news::{News, Subject};

/// How long the files must be quiet before they are read: editors and linkers write in several
/// steps.
pub(super) const QUIET: Duration = Duration::from_millis(150);
/// How long changes may go on before the files are read anyway: one that is written all the time
/// must not hold back what is said in another.
const MOVING_TIME_MAX: Duration = Duration::from_secs(1);
/// How often files are looked at where no notification comes: on network file systems, and when
/// the operating system has no watches left.
const POLL_EVERY: Duration = Duration::from_secs(2);
/// Most eyes that are given up while a disk holds them. Each of them costs a thread until the disk
/// answers; with more of them, other files are followed only then.
pub(super) const GIVEN_UP_MAX: usize = 4;

/// Why files are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cause {
    /// The operating system said that something happened to one of the names.
    Event,
    /// Time passed.
    Time,
}

/// What looks at files. All of it may block.
pub(super) trait Eyes: Send + 'static {
    /// Follows these files, and no others.
    fn follow(&mut self, files: Vec<PathBuf>);

    /// Looks at every file; true when one of them changed since the last look.
    fn look(&mut self, cause: Cause) -> bool;

    /// True when the files have to be looked at now and then.
    fn polls(&self) -> bool;
}

/// Follows files; it ends when this is dropped.
pub(super) struct Lookout {
    wanted: Arc<Mailbox>,
    news: Arc<News>,
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

impl Lookout {
    /// Follows nothing yet. `open` makes eyes that send a word when something happened to a name
    /// that matters; `patience` is how long they may take before they are held to hang. Needs a
    /// Tokio runtime.
    pub(super) fn start<E: Eyes>(
        open: impl Fn(mpsc::Sender<()>) -> E + Clone + Send + Sync + 'static,
        (news, subject): (Arc<News>, Subject),
        patience: Duration,
    ) -> Self {
        let wanted = Arc::<Mailbox>::default();
        let duty = Duty {
            wanted: Arc::clone(&wanted),
            next: None,
            news: Arc::clone(&news),
            subject,
            patience,
            given_up: Arc::new(()),
        };
        let task = tokio::spawn(duty.follow_all(open)).abort_handle();
        Self { wanted, news, subject, patience, task }
    }

    /// Follows these files, and no others. Returns once they are followed: whoever then reads them
    /// misses no later change. Or returns without that, when their disk does not answer: once it
    /// does, that counts as a change.
    pub(super) async fn follow(&self, files: Vec<PathBuf>) {
        let (done, mut followed) = oneshot::channel();
        self.wanted.put((files, done));
        // Longer than the eyes that are given up for these files.
        match timeout(2 * self.patience, &mut followed).await {
            Ok(Ok(())) => {}
            // Others are wanted by now, unless the task panicked.
            Ok(Err(_)) if !self.task.is_finished() => {}
            Ok(Err(_)) => tracing::error!("changes of files are no longer noticed; use SIGHUP"),
            Err(_) => {
                tracing::warn!(
                    "a disk does not answer: changes of {} may not be noticed until it does; \
                     use SIGHUP",
                    self.subject.as_str()
                );
                let news = Arc::clone(&self.news);
                tokio::spawn(async move {
                    if followed.await.is_ok() {
                        news.missed();
                    }
                });
            }
        }
    }
}

impl Drop for Lookout {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the task of a lookout has.
struct Duty {
    wanted: Arc<Mailbox>,
    /// Files that were asked for while the eyes were busy.
    next: Option<List>,
    news: Arc<News>,
    subject: Subject,
    patience: Duration,
    /// Counts the threads on which eyes work, by its references.
    given_up: Arc<()>,
}

/// Why eyes were of no use any more.
enum End {
    /// They hang, and others are to follow what is next.
    Hang,
    /// They panicked.
    Broken,
}

impl Duty {
    /// Each round has eyes of its own; it ends when they hang and other files are wanted.
    async fn follow_all<E: Eyes>(
        mut self,
        open: impl Fn(mpsc::Sender<()>) -> E + Clone + Send + Sync + 'static,
    ) {
        loop {
            // One slot is enough: it says "something happened", however often it did.
            let (sender, events) = mpsc::channel(1);
            let open = open.clone();
            let Ok(eyes) = spawn_blocking(move || open(sender)).await else { return };
            match self.watch(eyes, events).await {
                End::Hang => {}
                End::Broken => return,
            }
        }
    }

    async fn watch<E: Eyes>(&mut self, mut eyes: E, mut events: mpsc::Receiver<()>) -> End {
        let mut poll = slow_ticks();
        // When the first change was seen that is not told yet; until the files are quiet.
        let mut moving: Option<Instant> = None;
        loop {
            if let Some((files, done)) = self.next.take() {
                eyes = match self.aside(eyes, move |eyes| eyes.follow(files)).await {
                    Ok((eyes, ())) => eyes,
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
                Some(()) = events.recv(), if moving.is_none() => Cause::Event,
                _ = poll.tick(), if eyes.polls() && moving.is_none() => Cause::Time,
                () = sleep(QUIET), if moving.is_some() => Cause::Time,
            };
            let now = match self.aside(eyes, move |eyes| eyes.look(cause)).await {
                Ok((back, now)) => {
                    eyes = back;
                    now
                }
                Err(end) => return end,
            };
            moving = match moving {
                None if now => {
                    self.news.begins(self.subject);
                    Some(Instant::now())
                }
                None => None,
                Some(since) if now && since.elapsed() < MOVING_TIME_MAX => Some(since),
                Some(_) => {
                    // What was just seen may be in the middle of a write.
                    self.news.tell(self.subject, now);
                    now.then(Instant::now)
                }
            };
        }
    }

    /// Works on a thread that may block: a disk can be slow. One that does not answer while other
    /// files are wanted is left to itself.
    async fn aside<E: Eyes, T: Send + 'static>(
        &mut self,
        mut eyes: E,
        work: impl FnOnce(&mut E) -> T + Send + 'static,
    ) -> Result<(E, T), End> {
        // This task's reference and this thread's are none that was given up.
        let may_give_up = Arc::strong_count(&self.given_up) <= GIVEN_UP_MAX;
        let counted = Arc::clone(&self.given_up);
        let mut working = spawn_blocking(move || {
            let _counted = counted;
            let result = work(&mut eyes);
            (eyes, result)
        });
        let wanted = Arc::clone(&self.wanted);
        let worked = tokio::select! {
            biased;
            worked = &mut working => worked,
            list = wanted.take(), if may_give_up => {
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
