//! All that can be followed of a host, and how many do.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use trellis_claims::PublicKey;
use trellis_core::{CallError, Code};
use trellis_limits::fixed::STREAMS;

use super::calls::Calls;
use super::decisions::Decisions;
use super::events::Events;
use super::log_lines::log_lines;

/// How long a host that ends waits until its streams have said so.
const END_TIME_MAX: Duration = Duration::from_secs(1);

/// What can be followed. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Feeds {
    pub(crate) events: Events,
    pub(crate) calls: Arc<Calls>,
    streams: Arc<Semaphore>,
}

impl Feeds {
    /// Nothing so far, on the host of that key; what its gate decides is kept there.
    pub(crate) fn of(host: &PublicKey, decisions: Arc<Decisions>) -> Self {
        let calls = Arc::new(Calls::new(decisions));
        let streams = Arc::new(Semaphore::new(most() as usize));
        Self { events: Events::of(host), calls, streams }
    }

    /// Room for one more stream, for as long as this is held.
    ///
    /// # Errors
    /// [`Code::Busy`] when enough are open.
    pub(crate) fn admit(&self) -> Result<OwnedSemaphorePermit, CallError> {
        Arc::clone(&self.streams).try_acquire_owned().map_err(|_| {
            let (most, name) = (STREAMS.default, STREAMS.name);
            CallError::new(Code::Busy, format!("{most} streams are open already ({name})"))
        })
    }

    /// How many streams are open.
    pub(crate) fn open(&self) -> usize {
        (most() as usize).saturating_sub(self.streams.available_permits())
    }

    /// Nothing more happens: streams say so and end. One whose client does not read is not waited
    /// for.
    pub(crate) async fn end(&self) {
        self.events.ring().close();
        log_lines().close();
        self.calls.close();
        // Whether or not all of them got the end, the host ends now.
        let _ = timeout(END_TIME_MAX, self.streams.acquire_many(most())).await;
    }
}

fn most() -> u32 {
    u32::try_from(STREAMS.default).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use trellis_claims::{KeyKind, KeyPair};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn more_streams_than_may_be_open_are_refused_and_the_end_waits_for_few() {
        let feeds = Feeds::of(KeyPair::generate(KeyKind::Server).public(), Arc::default());
        let mut open: Vec<_> = (0..STREAMS.default).map(|_| feeds.admit().expect("room")).collect();
        let refused = feeds.admit().expect_err("there is no room");
        assert_eq!(refused.code(), Code::Busy);
        assert!(refused.message().contains("streams_max"), "{refused}");
        assert_eq!(feeds.open() as u64, STREAMS.default);
        open.pop();
        drop(feeds.admit().expect("one has ended"));
        let since = tokio::time::Instant::now();
        feeds.end().await;
        assert_eq!(since.elapsed(), END_TIME_MAX, "a client that does not read");
        open.clear();
        feeds.end().await;
        assert_eq!(since.elapsed(), END_TIME_MAX, "all have ended");
    }
}
