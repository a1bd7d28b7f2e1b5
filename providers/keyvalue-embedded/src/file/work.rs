//! What one operation on a file may still do: its bounds, and whether anybody waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use trellis_capabilities_keyvalue::Tally;
use trellis_core::{CallError, Code};

/// How many elements are looked at between two looks at whether anybody waits.
const LOOK_EVERY: usize = 256;

/// Kept by whoever waits for an operation; once it is dropped, the operation ends.
pub(super) struct Waiting(Arc<AtomicBool>);

/// The bounds of one operation, on whatever thread it runs.
pub(super) struct Work {
    tally: Tally,
    given_up: Arc<AtomicBool>,
    unseen: usize,
}

impl Work {
    pub(super) fn new(tally: Tally) -> (Waiting, Self) {
        let given_up = Arc::new(AtomicBool::new(false));
        (Waiting(Arc::clone(&given_up)), Self { tally, given_up, unseen: 0 })
    }

    /// True once nobody waits any more.
    pub(super) fn is_cut(&self) -> bool {
        // Relaxed: the flag alone is shared, and nothing else is read on the strength of it.
        self.given_up.load(Ordering::Relaxed)
    }

    /// Counts elements that are looked at.
    ///
    /// # Errors
    /// When they are too many, or nobody waits any more.
    pub(super) fn look_at(&mut self, elements: usize) -> Result<(), CallError> {
        self.tally.look_at(elements)?;
        self.unseen += elements;
        if self.unseen >= LOOK_EVERY {
            self.unseen = 0;
            if self.is_cut() {
                return Err(CallError::new(Code::Timeout, "the caller no longer waits"));
            }
        }
        Ok(())
    }

    /// Counts an element of the answer, before it is copied.
    ///
    /// # Errors
    /// When the answer would be too large.
    pub(super) fn answer(&mut self, element: &str) -> Result<(), CallError> {
        self.tally.answer(element)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
