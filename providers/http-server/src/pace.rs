//! How slowly bytes may move.

use std::time::{Duration, Instant};

/// A transfer with a slowest rate. Every byte buys time, but never more than the grace: so the rate
/// holds over every stretch as long as the grace, and what was sent fast earlier does not pay for
/// silence now.
///
/// Moving bytes is counted without a look at the clock; the clock comes with the looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// The time up to which the bytes so far have paid.
    paid_until: Instant,
    /// Bytes moved since the last look.
    moved: u64,
}

impl Pace {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { paid_until: now, moved: 0 }
    }

    pub(crate) const fn moved(self, bytes: usize) -> Self {
        Self { moved: self.moved + bytes as u64, ..self }
    }

    /// The same after a look at the clock. `rate` is in bytes per second.
    pub(crate) fn seen(self, now: Instant, rate: u64) -> Self {
        let nanoseconds = u128::from(self.moved) * 1_000_000_000;
        let earned = nanoseconds.checked_div(u128::from(rate)).and_then(|ns| ns.try_into().ok());
        let earned = earned.map_or(Duration::MAX, Duration::from_nanos);
        let paid_until = self.paid_until.checked_add(earned).map_or(now, |until| until.min(now));
        Self { paid_until, moved: 0 }
    }

    /// Whether it has been too slow for longer than `grace`.
    pub(crate) fn is_overdue(&self, now: Instant, grace: Duration) -> bool {
        now.saturating_duration_since(self.paid_until) > grace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u64 = 1 << 10;
    const GRACE: Duration = Duration::from_secs(5);

    /// Moves so many bytes at each second; the second at which it was overdue.
    fn overdue_at(bytes: impl IntoIterator<Item = usize>) -> Option<usize> {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        bytes.into_iter().enumerate().find_map(|(second, bytes)| {
            let now = start + Duration::from_secs(second as u64);
            pace = pace.moved(bytes).seen(now, RATE);
            pace.is_overdue(now, GRACE).then_some(second)
        })
    }

    #[test]
    fn silence_is_overdue_after_the_grace() {
        assert_eq!(overdue_at([0; 60]), Some(6));
    }

    #[test]
    fn what_was_fast_before_does_not_pay_for_silence() {
        assert_eq!(overdue_at(std::iter::once(15 << 20).chain([0; 60])), Some(6));
        let fast = std::iter::repeat_n(1 << 20, 20);
        assert_eq!(overdue_at(fast.chain([0; 60])), Some(25));
    }

    #[test]
    fn the_slowest_rate_may_go_on_for_ever() {
        assert_eq!(overdue_at([RATE as usize; 1_000]), None);
        let bursts = (0..1_000).map(|second| if second % 5 == 0 { 5 << 10 } else { 0 });
        assert_eq!(overdue_at(bursts), None);
    }

    #[test]
    fn just_below_the_rate_is_found_out() {
        let found = overdue_at([RATE as usize * 9 / 10; 1_000]);
        assert!(found.is_some_and(|second| (50..70).contains(&second)), "{found:?}");
    }

    #[test]
    fn without_a_rate_nothing_is_overdue() {
        let start = Instant::now();
        let later = start + Duration::from_secs(1_000_000);
        assert!(!Pace::new(start).seen(later, 0).is_overdue(later, GRACE));
    }
}
