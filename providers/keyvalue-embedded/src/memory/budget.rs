//! How many bytes the store holds, and how many it may.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use trellis_core::CallError;

use crate::refusal;

/// How many bytes the store holds, and how many it may. The count is a guard of the host's memory
/// and no lock of anything: Relaxed is enough for all of it.
pub(super) struct Budget {
    used: Arc<AtomicU64>,
    max: u64,
}

impl Budget {
    pub(super) const fn new(used: Arc<AtomicU64>, max: u64) -> Self {
        Self { used, max }
    }

    /// What is held.
    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Refuses growth over the limit. Asked before the change, so that several at once may together
    /// pass the limit by a value each; the limit guards the host's memory, not an account. What
    /// does not grow is never refused.
    pub(super) fn room_for(&self, bytes: u64) -> Result<(), CallError> {
        let after = self.used().saturating_add(bytes);
        if bytes == 0 || after <= self.max { Ok(()) } else { Err(refusal::store_full(self.max)) }
    }

    pub(super) fn grew(&self, bytes: u64) {
        if bytes > 0 {
            self.used.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    pub(super) fn shrank(&self, bytes: u64) {
        if bytes > 0 {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}
