//! Host calls that wait, all guests together.

use std::sync::atomic::{AtomicU32, Ordering};

use trellis_core::{CallError, Code};
use trellis_limits::named;

use crate::metrics::Metrics;

/// The bound on waiting host calls. One that is answered at once never counts.
pub(crate) struct InFlight {
    count: AtomicU32,
    max: u32,
}

impl InFlight {
    pub(crate) const fn new(max: u32) -> Self {
        Self { count: AtomicU32::new(0), max }
    }

    /// Whether one more may wait.
    ///
    /// # Errors
    /// `E_BUSY` naming the limit: the host has too much to do, whoever asks.
    #[inline]
    pub(crate) fn check(&self, metrics: &Metrics) -> Result<(), CallError> {
        // Relaxed: the count guards no other memory, and calls that check at the same moment may
        // pass together; the bound is about the order of magnitude.
        if self.count.load(Ordering::Relaxed) < self.max {
            return Ok(());
        }
        metrics.limit_hit("host_calls_in_flight_max");
        let (max, limit) = (self.max, named("host_calls_in_flight_max"));
        let message = format!("{max} host calls are waiting already ({limit})");
        Err(CallError::new(Code::Busy, message))
    }

    pub(crate) fn enter(&self) -> Waiting<'_> {
        // Relaxed, here and below: only the number itself is read.
        self.count.fetch_add(1, Ordering::Relaxed);
        Waiting(self)
    }
}

/// One waiting host call.
pub(crate) struct Waiting<'a>(&'a InFlight);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Relaxed);
    }
}
