//! A manifest that is being loaded.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::failure::Failure;
use crate::manifest::Loaded;

/// Loading that takes longer than this is told: a disk may hang, and what runs goes on meanwhile.
pub(crate) const LOADING_TIME_MAX: Duration = Duration::from_secs(5);

type Work = Pin<Box<dyn Future<Output = Result<Loaded, Failure>> + Send>>;

/// How far loading has come. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Progress(Arc<Mutex<Stage>>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Whom the manifest trusts is being found out and enforced. That is never given up: others
    /// who want the same again and again would hold back a revocation for as long as they come.
    Trust,
    /// The same, and somebody wants that to be done once more.
    TrustAgain,
    /// What it names is being prepared.
    Rest,
}

impl Progress {
    /// Of loading that begins with whom the manifest trusts.
    pub(crate) fn from_trust() -> Self {
        Self(Arc::new(Mutex::new(Stage::Trust)))
    }

    /// Of loading that has the text already.
    pub(crate) fn from_rest() -> Self {
        Self(Arc::new(Mutex::new(Stage::Rest)))
    }

    /// Finds out whom the manifest trusts, until nobody wants that once more.
    pub(crate) async fn trust<T, W: Future<Output = T>>(&self, mut find: impl FnMut() -> W) -> T {
        loop {
            let found = find().await;
            let mut stage = self.0.lock();
            if *stage != Stage::TrustAgain {
                *stage = Stage::Rest;
                return found;
            }
            *stage = Stage::Trust;
        }
    }
}

/// A manifest that is being loaded.
pub(crate) struct Loading {
    work: Work,
    progress: Progress,
    /// Since when somebody waits for a manifest.
    since: Instant,
    /// Whether it was told that this takes long.
    told: bool,
}

impl Loading {
    /// Begins; work that was not done yet is dropped, while whoever waits for it waits on.
    pub(crate) fn begin(
        unfinished: Option<Self>,
        progress: Progress,
        work: impl Future<Output = Result<Loaded, Failure>> + Send + 'static,
    ) -> Self {
        let (since, told) = match unfinished {
            Some(unfinished) => (unfinished.since, unfinished.told),
            None => (Instant::now(), false),
        };
        Self { work: Box::pin(work), progress, since, told }
    }

    /// Asks for the manifest once more while whom it trusts is still being found out; false when
    /// that was done, and loading has to begin anew.
    pub(crate) fn asks_again(&self) -> bool {
        let mut stage = self.progress.0.lock();
        if *stage == Stage::Trust {
            *stage = Stage::TrustAgain;
        }
        *stage == Stage::TrustAgain
    }

    /// True when it may be given up: whom the manifest trusts was found out.
    pub(crate) fn may_be_dropped(&self) -> bool {
        *self.progress.0.lock() == Stage::Rest
    }

    /// The end of what is being loaded, which takes it; never when nothing is.
    pub(crate) async fn end(loading: &mut Option<Self>) -> Result<Loaded, Failure> {
        poll_fn(|context| {
            let Some(begun) = loading else { return Poll::Pending };
            let loaded = begun.work.as_mut().poll(context);
            if loaded.is_ready() {
                *loading = None;
            }
            loaded
        })
        .await
    }

    /// How long it takes so far, once that is too long and was not told yet.
    pub(crate) fn becomes_slow(&mut self) -> Option<Duration> {
        let taken = self.since.elapsed();
        let tells = taken > LOADING_TIME_MAX && !self.told;
        self.told |= tells;
        tells.then_some(taken)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Waker};

    use tokio::sync::Notify;
    use trellis_core::{CallError, Code};

    use super::*;

    fn has_ended(loading: &mut Option<Loading>) -> bool {
        pin!(Loading::end(loading)).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn whom_a_manifest_trusts_is_found_out_however_often_that_is_asked_for() {
        let progress = Progress::from_trust();
        let shown = progress.clone();
        let (disk, enforced) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let (answer, counted) = (Arc::clone(&disk), Arc::clone(&enforced));
        let mut loading = Some(Loading::begin(None, progress, async move {
            let find = || async {
                answer.notified().await;
                // Relaxed: one thread counts.
                counted.fetch_add(1, Ordering::Relaxed);
            };
            shown.trust(find).await;
            std::future::pending().await
        }));
        for times in 1..=10 {
            assert!(!has_ended(&mut loading));
            assert!(loading.as_ref().is_some_and(Loading::asks_again), "it is not given up");
            disk.notify_one();
            assert!(!has_ended(&mut loading));
            assert_eq!(enforced.load(Ordering::Relaxed), times, "each is enforced");
        }
        disk.notify_one();
        assert!(!has_ended(&mut loading));
        assert_eq!(enforced.load(Ordering::Relaxed), 11, "what was asked for last is too");
        assert!(!loading.is_some_and(|loading| loading.asks_again()), "the rest may be given up");
    }

    #[test]
    fn the_rest_is_given_up_for_what_is_newer() {
        let failed = || Failure::call("a test", CallError::new(Code::Internal, "it ended"));
        let older = Loading::begin(None, Progress::from_rest(), std::future::pending());
        assert!(!older.asks_again());
        let mut newer =
            Some(Loading::begin(Some(older), Progress::from_rest(), async move { Err(failed()) }));
        assert!(has_ended(&mut newer));
        assert!(newer.is_none());
    }
}
