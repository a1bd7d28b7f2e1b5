//! Who may fetch from which registry.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use trellis_core::CallError;
use trellis_limits::fixed::REGISTRY_FETCHES;

/// Who may fetch, of all registries: each has turns of its own, so that one that is slow holds no
/// other one.
#[derive(Default, Debug)]
pub(crate) struct Turns(Mutex<HashMap<String, Arc<Queue>>>);

/// Who may fetch from one registry.
#[derive(Debug)]
struct Queue {
    free: Arc<Semaphore>,
    /// When it was last found to be down, and why.
    down: Mutex<Option<(Instant, CallError)>>,
}

/// The right to fetch from a registry; it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    queue: Arc<Queue>,
    _held: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// Waits until one more image may be fetched from a registry.
    ///
    /// # Errors
    /// That somebody found it down meanwhile: not everybody who waits has to wait for that too.
    pub(crate) async fn wait(&self, registry: &str) -> Result<Turn, CallError> {
        let begun = Instant::now();
        let queue = {
            let mut queues = self.0.lock();
            let new = || {
                let free = Arc::new(Semaphore::new(REGISTRY_FETCHES.default as usize));
                Arc::new(Queue { free, down: Mutex::default() })
            };
            Arc::clone(queues.entry(registry.to_owned()).or_insert_with(new))
        };
        // It is never closed.
        let held = Arc::clone(&queue.free).acquire_owned().await.ok();
        match &*queue.down.lock() {
            Some((found, error)) if *found > begun => return Err(error.clone()),
            _ => {}
        }
        Ok(Turn { queue, _held: held })
    }
}

impl Turn {
    /// Tells those who wait that the registry is down.
    pub(crate) fn found_down(&self, error: &CallError) {
        *self.queue.down.lock() = Some((Instant::now(), error.clone()));
    }
}
