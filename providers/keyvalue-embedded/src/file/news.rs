//! Which failures are news: a log that repeats one with every request hides all others.

use std::time::{Duration, Instant};

use trellis_core::CallError;

/// How long nothing must have failed before the same failure is news again: on a disk that is
/// almost full, large changes fail and small ones succeed by turns.
const CALM_AFTER: Duration = Duration::from_secs(10);

/// What failed last, and when.
#[derive(Default)]
pub(super) struct News(Option<(CallError, Instant)>);

impl News {
    /// True when this is another failure than the one before, or the first for a while.
    pub(super) fn failed(&mut self, error: &CallError, now: Instant) -> bool {
        let is_known = |(before, last): &(CallError, Instant)| {
            before == error && now.saturating_duration_since(*last) < CALM_AFTER
        };
        let is_news = !self.0.as_ref().is_some_and(is_known);
        self.0 = Some((error.clone(), now));
        is_news
    }

    /// True when what failed before works again, and has for a while.
    pub(super) fn works(&mut self, now: Instant) -> bool {
        self.0.take_if(|(_, last)| now.saturating_duration_since(*last) >= CALM_AFTER).is_some()
    }
}

#[cfg(test)]
mod tests {
    use trellis_core::Code;

    use super::*;

    #[test]
    fn a_failure_is_told_once_until_it_was_over_for_a_while() {
        let mut news = News::default();
        let mut now = Instant::now();
        let [full, broken] = ["full", "broken"].map(|why| CallError::new(Code::Storage, why));
        assert!(!news.works(now), "it always did");
        assert!(news.failed(&full, now));
        for _ in 0..100 {
            now += CALM_AFTER / 2;
            assert!(!news.works(now), "only just now");
            assert!(!news.failed(&full, now), "it is known");
        }
        assert!(news.failed(&broken, now), "another one");
        now += CALM_AFTER;
        assert!(news.works(now));
        assert!(!news.works(now), "that was told");
        assert!(news.failed(&broken, now));
        assert!(news.failed(&broken, now + CALM_AFTER), "nothing was asked of it meanwhile");
    }
}
