//! How soon a process that ended is started again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Restarts at once within [`WINDOW`].
const AT_ONCE_MAX: usize = 3;
/// The time in which they count.
const WINDOW: Duration = Duration::from_secs(5);
/// The first pause of a process that ends again and again; each further one is twice as long.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// The restarts of one process.
#[derive(Default, Debug)]
pub(super) struct Restarts {
    recent: VecDeque<Instant>,
    pauses: u32,
}

impl Restarts {
    /// It ended: how long to wait before it is started again. `jitter`, from 0 to 1, spreads those
    /// that ended together.
    pub(super) fn pause(&mut self, now: Instant, jitter: f64) -> Duration {
        while self.recent.front().is_some_and(|at| now.duration_since(*at) > WINDOW) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        // Once there were pauses, only a time of work ends them.
        if self.pauses == 0 && self.recent.len() <= AT_ONCE_MAX {
            return Duration::ZERO;
        }
        let pause = PAUSE_MIN.saturating_mul(1 << self.pauses.min(16)).min(PAUSE_MAX);
        self.pauses += 1;
        pause.mul_f64(jitter.clamp(0.0, 1.0).mul_add(0.25, 0.75))
    }

    /// It has run well for so long: what was before is forgotten.
    pub(super) fn ran(&mut self, time: Duration) {
        if time > PAUSE_MAX {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_at_once_then_pauses_that_grow_to_a_minute() {
        let mut restarts = Restarts::default();
        let now = Instant::now();
        let mut pause = |after_ms| restarts.pause(now + Duration::from_millis(after_ms), 1.0);
        assert_eq!([pause(0), pause(10), pause(20)], [Duration::ZERO; 3]);
        let mut pauses = vec![pause(30).as_secs()];
        pauses.extend((1..8).map(|n| pause(n * 70_000).as_secs()));
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn ends_far_apart_are_no_row() {
        let mut restarts = Restarts::default();
        let now = Instant::now();
        for n in 0..20 {
            assert_eq!(restarts.pause(now + Duration::from_secs(n * 3), 1.0), Duration::ZERO);
        }
    }

    #[test]
    fn a_minute_of_work_clears_the_slate() {
        let mut restarts = Restarts::default();
        let now = Instant::now();
        for _ in 0..9 {
            restarts.pause(now, 0.0);
        }
        restarts.ran(Duration::from_secs(61));
        assert_eq!(restarts.pause(now, 0.0), Duration::ZERO);
    }

    #[test]
    fn jitter_shortens_a_pause_by_a_quarter_at_most() {
        let mut restarts = Restarts::default();
        let now = Instant::now();
        for _ in 0..3 {
            assert_eq!(restarts.pause(now, 0.0), Duration::ZERO);
        }
        assert_eq!(restarts.pause(now, 0.0), Duration::from_millis(750));
    }
}
