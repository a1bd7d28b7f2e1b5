//! When something that failed is tried again: soon, and then ever more rarely, because a try may
//! cost much.

use std::time::{Duration, Instant};

use trellis_core::CallError;

/// Less than the second between two looks, so that the first one after a failure tries again.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// What failed last, when it is tried again, and how long after the failure that is.
#[derive(Default, Debug)]
pub(super) struct Again(Option<(CallError, Instant, Duration)>);

impl Again {
    /// True when it is to be tried now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.0.as_ref().is_none_or(|(_, at, _)| now >= *at)
    }

    /// It failed: true when it did not fail before, or otherwise.
    pub(super) fn failed(&mut self, error: &CallError, now: Instant) -> bool {
        let before = self.0.take();
        let pause = before.as_ref().map_or(PAUSE_MIN, |(_, _, pause)| PAUSE_MAX.min(*pause * 2));
        let is_news = before.is_none_or(|(before, _, _)| before != *error);
        self.0 = Some((error.clone(), now + pause, pause));
        is_news
    }
}

#[cfg(test)]
mod tests {
    use trellis_core::Code;

    use super::*;

    #[test]
    fn the_pause_doubles_up_to_its_bound() {
        let mut again = Again::default();
        let start = Instant::now();
        let [full, broken] = ["full", "broken"].map(|why| CallError::new(Code::Storage, why));
        assert!(again.is_due(start), "it never failed");
        assert!(again.failed(&full, start), "that is news");
        assert!(!again.is_due(start) && again.is_due(start + PAUSE_MIN));
        assert!(!again.failed(&full, start), "it is known");
        assert!(!again.is_due(start + PAUSE_MIN) && again.is_due(start + PAUSE_MIN * 2));
        assert!(again.failed(&broken, start), "another one");
        for _ in 0..100 {
            again.failed(&broken, start);
        }
        assert!(again.is_due(start + PAUSE_MAX));
    }
}
