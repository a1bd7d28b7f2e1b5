//! All that can be followed of a host, and how many do.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use trellis_claims::PublicKey;

use super::calls::Calls;
use super::decisions::Decisions;
use super::events::Events;
use super::log_lines::log_lines;
use crate::places::{OF_STREAMS, Places};

/// How long a host that ends waits until its streams have said so.
const END_TIME_MAX: Duration = Duration::from_secs(1);

/// What can be followed. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Feeds {
    pub(crate) events: Events,
    pub(crate) calls: Arc<Calls>,
    pub(crate) places: Places,
}

impl Feeds {
    /// Nothing so far, on the host of that key; what its gate decides is kept there.
    pub(crate) fn of(host: &PublicKey, decisions: Arc<Decisions>) -> Self {
        let calls = Arc::new(Calls::new(decisions));
        Self { events: Events::of(host), calls, places: Places::new(OF_STREAMS) }
    }

    /// Nothing more happens: streams say so and end. One whose client does not read is not waited
    /// for.
    pub(crate) async fn end(&self) {
        self.events.ring().close();
        log_lines().close();
        self.calls.close();
        // Whether or not all of them got the end, the host ends now.
        let _ = timeout(END_TIME_MAX, self.places.empty()).await;
    }
}

#[cfg(test)]
mod tests {
    use trellis_claims::{KeyKind, KeyPair};

    use super::*;
    use crate::places::Claimant;

    #[tokio::test(start_paused = true)]
    async fn the_end_waits_a_moment_for_streams_that_are_open() {
        let feeds = Feeds::of(KeyPair::generate(KeyKind::Server).public(), Arc::default());
        let open = feeds.places.admit(&Claimant::Owner).expect("room");
        let since = tokio::time::Instant::now();
        feeds.end().await;
        assert_eq!(since.elapsed(), END_TIME_MAX, "a client that does not read");
        let ending = tokio::spawn(async move { feeds.end().await });
        tokio::task::yield_now().await;
        assert!(!ending.is_finished(), "it is open");
        drop(open);
        ending.await.expect("it ends");
        assert_eq!(since.elapsed(), END_TIME_MAX, "all have ended");
    }
}
