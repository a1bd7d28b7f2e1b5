//! What time it is: claims hold from one moment to another.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// How far two honest clocks may differ, in seconds: claims are taken this long before their `nbf`
/// and this long after their `exp`.
pub const SKEW_S: u64 = 30;

/// A source of wall-clock time.
pub trait Clock: Send + Sync {
    /// Seconds since 1970-01-01 UTC.
    fn now_unix_s(&self) -> u64;
}

/// The machine's clock.
#[derive(Clone, Copy, Default, Debug)]
pub struct SystemClock;

/// A clock that stands still until it is moved.
#[derive(Default, Debug)]
pub struct FixedClock(AtomicU64);

impl Clock for SystemClock {
    /// A clock set before 1970 reads as 0: nothing has expired then, and nothing with `nbf` holds.
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else takes")]
    fn now_unix_s(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }
}

impl FixedClock {
    /// A clock that shows `unix_s`, in seconds.
    #[must_use]
    pub const fn at(unix_s: u64) -> Self {
        Self(AtomicU64::new(unix_s))
    }

    /// Moves the clock to `unix_s`, in seconds; backwards is allowed, as with real clocks.
    pub fn set(&self, unix_s: u64) {
        // `Relaxed`: the number stands alone; nothing else is read because of it.
        self.0.store(unix_s, Ordering::Relaxed);
    }
}

impl Clock for FixedClock {
    fn now_unix_s(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
