//! Has instances of a module told of bindings, on no call's time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;
use trellis_core::CallError;
use trellis_engine::Actor;

use super::bound::Bound;

/// Longest wait for an instance to be told of a binding: shorter than the host waits for a provider
/// to take one.
const BIND_TIME_MAX: Duration = Duration::from_secs(8);

/// Tells instances of a provider. Cheap to clone.
#[derive(Clone)]
pub(super) struct Teller {
    module: Actor,
    bound: Arc<Bound>,
    /// Whose turn it is to have an instance told: it is told of all that is new, so that those who
    /// come next find nothing left to tell.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Teller {
    pub(super) fn new(module: Actor, bound: Arc<Bound>) -> Self {
        Self { module, bound, turn: Arc::default() }
    }

    /// Has an instance told what there is to know.
    ///
    /// # Errors
    /// When there was none, or it broke over that.
    pub(super) async fn tell(&self) -> Result<(), CallError> {
        self.tell_within(BIND_TIME_MAX).await
    }

    async fn tell_within(&self, patience: Duration) -> Result<(), CallError> {
        let _turn = self.turn.lock().await;
        self.module.brief(Instant::now() + patience).await
    }

    /// From now on, tells again what could not be told; until that is aborted.
    pub(super) fn keep_telling(&self) -> AbortHandle {
        let teller = self.clone();
        tokio::spawn(async move { teller.tell_again().await }).abort_handle()
    }

    async fn tell_again(&self) {
        // Half of what a call may take: whoever waits meanwhile for the only instance still has
        // time for its own.
        let patience = BIND_TIME_MAX.min(self.module.limits().call_time_max / 2);
        loop {
            let due = self.bound.due().await;
            let told = self.tell_within(patience).await;
            // An instance that breaks over the first is told of the others the next time.
            self.bound.put_off_all_of(&due, told.err());
        }
    }
}
