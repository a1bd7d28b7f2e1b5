//! A token bucket: how floods of lines and events are bounded.

use std::time::Instant;

/// Lets a burst through, then a steady rate, and counts what it holds back. The caller brings the
/// clock.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    per_s: u32,
    burst: u32,
    tokens: f64,
    filled: Instant,
    held_back: u64,
}

impl TokenBucket {
    /// A full bucket.
    #[must_use]
    pub fn new(per_s: u32, burst: u32, now: Instant) -> Self {
        Self { per_s, burst, tokens: f64::from(burst), filled: now, held_back: 0 }
    }

    /// Takes one token. `Some` holds the number of events held back since the last one that passed;
    /// `None` means that this one is held back too.
    pub fn take(&mut self, now: Instant) -> Option<u64> {
        let elapsed_s = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = self.filled.max(now);
        self.tokens =
            elapsed_s.mul_add(f64::from(self.per_s), self.tokens).min(f64::from(self.burst));
        if self.tokens < 1.0 {
            self.held_back += 1;
            return None;
        }
        self.tokens -= 1.0;
        Some(std::mem::take(&mut self.held_back))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn lets_the_burst_through_then_the_rate_and_counts_the_rest() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(10, 3, start);
        let passed = (0..8).filter(|_| bucket.take(start).is_some()).count();
        assert_eq!(passed, 3);
        let later = start + Duration::from_millis(100);
        assert_eq!(bucket.take(later), Some(5));
        assert_eq!(bucket.take(later), None);
    }

    #[test]
    fn a_clock_that_steps_back_gives_nothing_away() {
        let start = Instant::now() + Duration::from_secs(10);
        let mut bucket = TokenBucket::new(1_000, 1, start);
        assert_eq!(bucket.take(start), Some(0));
        assert_eq!(bucket.take(start - Duration::from_secs(5)), None);
        assert_eq!(bucket.take(start), None);
    }
}
