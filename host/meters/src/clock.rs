//! A clock for what every call needs: cheap, and good enough.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, Timespec, clock_gettime};

/// A deadline nearer than this is measured with the precise clock.
const NEAR: Duration = Duration::from_secs(1);

/// The last reading that was published, in nanoseconds; 0 when nobody publishes any.
static PUBLISHED: AtomicU64 = AtomicU64::new(0);

/// The time as the kernel last noted it: up to a few milliseconds ago (its timer tick, 1 to 10 ms),
/// for a quarter of what reading the precise clock costs; and for nothing while a thread publishes
/// it for all.
#[derive(Clone, Copy, Debug)]
pub struct Coarse(u64);

/// A reading of some cheap clock, in nanoseconds since a moment of that clock's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tick(pub(crate) u64);

impl Tick {
    /// A reading in microseconds.
    #[inline]
    #[must_use]
    pub const fn of_micros(micros: u64) -> Self {
        Self(micros * 1_000)
    }
}

impl Coarse {
    /// Reads the clock, unless another thread did within the last millisecond.
    #[inline]
    #[must_use]
    pub fn now() -> Self {
        // Relaxed, here and below: the time guards no other memory, and who reads just before it is
        // published reads it a millisecond late.
        match PUBLISHED.load(Ordering::Relaxed) {
            0 => Self::read(),
            nanos => Self(nanos),
        }
    }

    /// Reads the clock for all threads. Whoever does so does it again within a millisecond, or
    /// says with [`retire`](Self::retire) that everybody is to read it alone.
    pub fn publish() {
        PUBLISHED.store(Self::read().0, Ordering::Relaxed);
    }

    /// From now on everybody reads the clock, until somebody publishes it again.
    pub fn retire() {
        PUBLISHED.store(0, Ordering::Relaxed);
    }

    fn read() -> Self {
        Self(nanoseconds(clock_gettime(ClockId::MonotonicCoarse)))
    }

    /// The reading, to be compared with others.
    #[inline]
    #[must_use]
    pub const fn tick(self) -> Tick {
        Tick(self.0)
    }

    /// The same, for a call that must end by `deadline`: precise when that is near.
    #[inline]
    #[must_use]
    pub fn before(self, deadline: Instant) -> Instant {
        let now = self.instant();
        if deadline.saturating_duration_since(now) < NEAR { Instant::now() } else { now }
    }

    /// The reading as an instant.
    #[inline]
    #[must_use]
    pub fn instant(self) -> Instant {
        // Both clocks count from the same moment, which `Instant` does not tell.
        static ANCHOR: OnceLock<(Instant, u64)> = OnceLock::new();
        let (instant, nanos) = *ANCHOR
            .get_or_init(|| (Instant::now(), nanoseconds(clock_gettime(ClockId::Monotonic))));
        match self.0.checked_sub(nanos) {
            Some(later) => instant + Duration::from_nanos(later),
            // Read before the anchor was set: it is a few milliseconds old.
            None => instant,
        }
    }
}

#[inline]
fn nanoseconds(time: Timespec) -> u64 {
    let part = |part: i64| u64::try_from(part).unwrap_or(0);
    part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest timer tick of a Linux kernel, and some.
    const BEHIND_MAX: Duration = Duration::from_millis(20);

    #[test]
    fn it_is_never_ahead_and_a_little_behind() {
        for _ in 0..1_000 {
            let earliest = Instant::now();
            let seen = Coarse::now().instant();
            assert!(seen <= Instant::now());
            assert!(earliest.saturating_duration_since(seen) < BEHIND_MAX);
        }
    }

    #[test]
    fn near_deadlines_are_seen_precisely() {
        let earlier = Coarse::now();
        let rough = earlier.instant();
        let now = Instant::now();
        assert!(earlier.before(now + NEAR / 2) >= now);
        assert_eq!(earlier.before(now + 2 * NEAR), rough);
    }
}
