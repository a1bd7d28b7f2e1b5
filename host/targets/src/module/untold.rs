//! A binding that the module took once, and that a later instance could not be told of.

use std::time::Instant;

use trellis_core::CallError;
use trellis_meters::Restarts;

/// Why no instance could be told of a binding, and when that is tried again.
pub(super) struct Untold {
    why: CallError,
    tries: Restarts,
    until: Instant,
}

impl Untold {
    /// It failed before a call. It is tried aside at once: a call may have too little time.
    pub(super) const fn new(why: CallError, backoffs_max: u32, now: Instant) -> Self {
        Self { why, tries: Restarts::never_at_once(backoffs_max), until: now }
    }

    /// It failed again. There is a pause each time, in which others are served.
    pub(super) fn again(mut self, why: CallError, now: Instant) -> Self {
        self.put_off(why, now);
        self
    }

    /// The same where it stands.
    pub(super) fn put_off(&mut self, why: CallError, now: Instant) {
        self.until = now + self.tries.failed(now, fastrand::f64()).pause();
        self.why = why;
    }

    /// Why it failed last.
    pub(super) const fn why(&self) -> &CallError {
        &self.why
    }

    /// When it is tried again.
    pub(super) const fn until(&self) -> Instant {
        self.until
    }
}
