//! How soon what failed is started again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Restarts at once within [`RESTART_WINDOW`].
pub const RESTARTS_MAX: u32 = 3;
/// The time in which they count.
pub const RESTART_WINDOW: Duration = Duration::from_secs(5);
/// The longest pause: of the back-offs, and between the tries in quarantine.
pub const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// The first back-off; each further one is twice as long.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
/// How long it has to work before its failures are forgotten.
const HEALTHY_TIME_MIN: Duration = Duration::from_secs(60);
/// Part of a pause by which chance may shorten it.
const JITTER: f64 = 0.25;

/// What becomes of something that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Restart {
    /// It is started again at once.
    AtOnce,
    /// It failed too often, and is started again after this time.
    BackOff(Duration),
    /// All its back-offs did not help. It is tried now and then, the next time after this time.
    Quarantine(Duration),
}

impl Restart {
    /// How long it is left alone.
    #[must_use]
    pub const fn pause(self) -> Duration {
        match self {
            Self::AtOnce => Duration::ZERO,
            Self::BackOff(pause) | Self::Quarantine(pause) => pause,
        }
    }
}

/// The failures of one thing that is started again when it fails: some restarts at once, then
/// back-offs, then quarantine. The caller brings the clock.
#[derive(Debug)]
pub struct Restarts {
    recent: VecDeque<Instant>,
    pauses: u32,
    at_once_max: u32,
    backoffs_max: u32,
}

impl Restarts {
    /// Nothing has failed yet; after that many back-offs in a row begins the quarantine.
    #[must_use]
    pub const fn new(backoffs_max: u32) -> Self {
        Self { recent: VecDeque::new(), pauses: 0, at_once_max: RESTARTS_MAX, backoffs_max }
    }

    /// The same with a pause after each failure: for what costs others much whenever it fails.
    #[must_use]
    pub const fn never_at_once(backoffs_max: u32) -> Self {
        Self { recent: VecDeque::new(), pauses: 0, at_once_max: 0, backoffs_max }
    }

    /// It failed. `chance`, from 0 to 1, spreads those that failed together.
    pub fn failed(&mut self, now: Instant, chance: f64) -> Restart {
        while self.recent.front().is_some_and(|at| now.duration_since(*at) > RESTART_WINDOW) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        // Once there were pauses, only a time of work ends them.
        if self.pauses == 0 && self.recent.len() <= self.at_once_max as usize {
            return Restart::AtOnce;
        }
        let spread = |pause: Duration| pause.mul_f64(1.0 - JITTER * chance.clamp(0.0, 1.0));
        let before = self.pauses;
        self.pauses = before.saturating_add(1);
        if before >= self.backoffs_max {
            return Restart::Quarantine(spread(BACKOFF_MAX));
        }
        let doubled = BACKOFF_MIN.saturating_mul(1 << before.min(16));
        Restart::BackOff(spread(doubled.min(BACKOFF_MAX)))
    }

    /// It has worked for so long before it failed: after a minute what was before is forgotten.
    pub fn worked(&mut self, time: Duration) {
        if time > HEALTHY_TIME_MIN {
            self.forget();
        }
    }

    /// What was before counts no more.
    pub fn forget(&mut self) {
        self.recent.clear();
        self.pauses = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn back_off(seconds: u64) -> Restart {
        Restart::BackOff(Duration::from_secs(seconds))
    }

    const QUARANTINE: Restart = Restart::Quarantine(BACKOFF_MAX);

    #[test]
    fn three_at_once_then_back_offs_that_double_then_quarantine() {
        let mut restarts = Restarts::new(8);
        let now = Instant::now();
        let mut fail = |after_ms| restarts.failed(now + Duration::from_millis(after_ms), 0.0);
        assert_eq!([fail(0), fail(10), fail(20)], [Restart::AtOnce; 3]);
        let mut rest = vec![fail(30)];
        rest.extend((1..10).map(|n| fail(n * 70_000)));
        let backoffs = [1, 2, 4, 8, 16, 32, 60, 60].map(back_off);
        assert_eq!(rest[..8], backoffs);
        assert_eq!(rest[8..], [QUARANTINE; 2], "it stays there");
    }

    #[test]
    fn without_back_offs_there_is_quarantine_at_once_and_it_lasts() {
        let mut restarts = Restarts::new(0);
        let now = Instant::now();
        for _ in 0..RESTARTS_MAX {
            assert_eq!(restarts.failed(now, 0.0), Restart::AtOnce);
        }
        assert_eq!(restarts.failed(now, 0.0), QUARANTINE);
        assert_eq!(restarts.failed(now + 2 * BACKOFF_MAX, 0.0), QUARANTINE);
    }

    #[test]
    fn what_is_never_started_at_once_pauses_however_far_apart_its_failures_are() {
        let mut restarts = Restarts::never_at_once(2);
        let now = Instant::now();
        let mut fail = |after_s| restarts.failed(now + Duration::from_secs(after_s), 0.0);
        assert_eq!([fail(0), fail(30), fail(60)], [back_off(1), back_off(2), QUARANTINE]);
        restarts.forget();
        assert_eq!(restarts.failed(now, 0.0), back_off(1));
    }

    #[test]
    fn failures_far_apart_are_no_row() {
        let mut restarts = Restarts::new(6);
        let now = Instant::now();
        for n in 0..20 {
            assert_eq!(restarts.failed(now + Duration::from_secs(n * 3), 0.0), Restart::AtOnce);
        }
    }

    #[test]
    fn a_minute_of_work_clears_the_slate_and_less_does_not() {
        let mut restarts = Restarts::new(6);
        let now = Instant::now();
        for _ in 0..12 {
            restarts.failed(now, 1.0);
        }
        restarts.worked(HEALTHY_TIME_MIN);
        assert!(matches!(restarts.failed(now, 0.0), Restart::Quarantine(_)));
        restarts.worked(HEALTHY_TIME_MIN + Duration::from_millis(1));
        assert_eq!(restarts.failed(now, 0.0), Restart::AtOnce);
    }

    #[test]
    fn chance_shortens_a_pause_by_a_quarter_at_most() {
        let mut restarts = Restarts::new(6);
        let now = Instant::now();
        for _ in 0..RESTARTS_MAX {
            assert_eq!(restarts.failed(now, 1.0).pause(), Duration::ZERO);
        }
        assert_eq!(restarts.failed(now, 1.0), Restart::BackOff(Duration::from_millis(750)));
    }
}
