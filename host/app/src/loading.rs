//! A manifest that is being loaded.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::manifest::Loaded;

/// Loading that takes longer than this is told: a disk may hang, and what runs goes on meanwhile.
pub(crate) const LOADING_TIME_MAX: Duration = Duration::from_secs(5);

type Work = Pin<Box<dyn Future<Output = Result<Loaded, Failure>> + Send>>;

/// A manifest that is being loaded.
pub(crate) struct Loading {
    work: Work,
    /// Since when somebody waits for a manifest.
    since: Instant,
    /// Whether it was told that this takes long.
    told: bool,
}

impl Loading {
    /// Begins; work that was not done yet is dropped, while whoever waits for it waits on.
    pub(crate) fn begin(
        unfinished: Option<Self>,
        work: impl Future<Output = Result<Loaded, Failure>> + Send + 'static,
    ) -> Self {
        let (since, told) = match unfinished {
            Some(unfinished) => (unfinished.since, unfinished.told),
            None => (Instant::now(), false),
        };
        Self { work: Box::pin(work), since, told }
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
