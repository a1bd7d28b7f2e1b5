//! Who reads what. A disk that hangs keeps the thread that asked it for as long as it hangs, so
//! that their number must not grow with each time somebody asks.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::reference::Reference;

/// Most threads that read at once, all lists together: many times what one list takes, so that
/// files which hang leave room for others, and few beside the runtime's threads that may block.
const THREADS_MAX: usize = 64;

/// The artifacts that are being read, each by one thread at a time. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Readers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    under_way: Mutex<HashMap<Reference, Instant>>,
    /// An artifact was read: whoever waits for its turn looks again.
    ended: Notify,
    threads: Arc<Semaphore>,
}

/// The right to read one artifact; it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    readers: Readers,
    reference: Reference,
}

impl Default for Readers {
    fn default() -> Self {
        let (under_way, ended) = (Mutex::default(), Notify::new());
        Self(Arc::new(Shared { under_way, ended, threads: Arc::new(Semaphore::new(THREADS_MAX)) }))
    }
}

impl Readers {
    /// The turn to read an artifact; `None` while somebody else has it.
    pub(crate) fn begin(&self, reference: &Reference) -> Option<Turn> {
        match self.0.under_way.lock().entry(reference.clone()) {
            Entry::Occupied(_) => None,
            Entry::Vacant(free) => {
                free.insert(Instant::now());
                Some(Turn { readers: self.clone(), reference: reference.clone() })
            }
        }
    }

    /// Waits for the turn to read an artifact, on no thread.
    pub(crate) async fn turn(&self, reference: &Reference) -> Turn {
        loop {
            let mut ended = std::pin::pin!(self.ended());
            ended.as_mut().enable();
            if let Some(turn) = self.begin(reference) {
                return turn;
            }
            ended.await;
        }
    }

    /// Waits for the right to a thread: up to `threads` of them, and at least one.
    pub(crate) async fn threads(&self, threads: usize) -> Vec<OwnedSemaphorePermit> {
        // It is never closed, so that the first one comes.
        let first = Arc::clone(&self.0.threads).acquire_owned().await;
        let more = (1..threads).map_while(|_| Arc::clone(&self.0.threads).try_acquire_owned().ok());
        first.into_iter().chain(more).collect()
    }

    /// Completes when somebody who has a turn now, or gets one later, has ended.
    pub(crate) fn ended(&self) -> Notified<'_> {
        self.0.ended.notified()
    }

    /// What has been read for longer than `time`.
    pub(crate) fn slower_than(&self, time: Duration) -> Vec<Reference> {
        let under_way = self.0.under_way.lock();
        let slow = under_way.iter().filter(|(_, since)| since.elapsed() > time);
        slow.map(|(reference, _)| reference.clone()).collect()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.readers.0.under_way.lock().remove(&self.reference);
        self.readers.0.ended.notify_waiters();
    }
}
