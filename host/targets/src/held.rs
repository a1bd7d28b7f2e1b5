//! A provider that is being replaced by one that cannot stand beside it.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Semaphore, watch};
use trellis_core::{CallError, Code, Entity, Parties};
use trellis_dispatch::{BoxFuture, Invocation, Target};
use trellis_limits::fixed;

/// Most calls that wait for one provider's successor; more are told that it is busy.
pub const HELD_CALLS_MAX: usize = fixed::HELD_CALLS.default as usize;

/// Holds calls until the successor is there, or the news that there is none. Each call waits no
/// longer than its own deadline: the dispatcher sees to that.
pub struct HeldTarget {
    name: Arc<str>,
    outcome: watch::Receiver<Option<Outcome>>,
    places: Semaphore,
}

/// The other end of a [`HeldTarget`]. Dropped without a word, it fails the calls.
#[derive(Debug)]
pub struct Hold {
    outcome: watch::Sender<Option<Outcome>>,
}

type Outcome = Result<Successor, CallError>;

#[derive(Clone)]
struct Successor(Arc<dyn Target>);

impl HeldTarget {
    /// Holds the calls to the provider of this name.
    #[must_use]
    pub fn new(name: Arc<str>) -> (Self, Hold) {
        let (sender, outcome) = watch::channel(None);
        let places = Semaphore::new(HELD_CALLS_MAX);
        (Self { name, outcome, places }, Hold { outcome: sender })
    }

    async fn outcome(&self) -> Outcome {
        let busy = |_| {
            let text = format!(
                "{HELD_CALLS_MAX} calls wait for provider {} to be replaced ({})",
                self.name,
                fixed::HELD_CALLS.name
            );
            CallError::new(Code::Busy, text)
        };
        let _place = self.places.try_acquire().map_err(busy)?;
        let mut outcome = self.outcome.clone();
        let decided = outcome.wait_for(Option::is_some).await;
        let decided = decided.ok().and_then(|outcome| outcome.clone());
        decided.unwrap_or_else(|| {
            let text = format!("provider {} is being stopped", self.name);
            Err(CallError::new(Code::Stopping, text))
        })
    }
}

impl Target for HeldTarget {
    fn call<'a>(
        &'a self,
        parties: Parties<'_>,
        invocation: Invocation,
    ) -> BoxFuture<'a, Result<Bytes, CallError>> {
        let (origin, target): (Entity, Entity) = (parties.origin.clone(), parties.target.clone());
        Box::pin(async move {
            let Successor(successor) = self.outcome().await?;
            successor.call(Parties { origin: &origin, target: &target }, invocation).await
        })
    }
}

impl Hold {
    /// Lets all calls go on to the successor.
    pub fn release(self, successor: Arc<dyn Target>) {
        self.outcome.send_replace(Some(Ok(Successor(successor))));
    }

    /// Tells all calls that there will be none.
    pub fn fail(self, error: CallError) {
        self.outcome.send_replace(Some(Err(error)));
    }
}

impl std::fmt::Debug for Successor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Successor")
    }
}
