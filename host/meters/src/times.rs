//! A histogram of times that many threads fill at once.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use prometheus_client::encoding::{MetricEncoder, NoLabelSet};

use crate::clock::Tick;
use crate::threads::{Mine, Padded, shard_count};

/// Upper bounds of the buckets, in microseconds.
const BOUNDS_US: [u64; 15] =
    [2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 25_000, 100_000, 1_000_000, 5_000_000];

/// Of so many short things in a row, at most, one is timed.
const ROW: u64 = 16;
/// What every cheap clock can tell apart for sure; a longer thing needs no other clock.
const LONG_NS: u64 = 20_000_000;

/// Durations, as a histogram in seconds.
///
/// Reading a precise clock twice costs a tenth of a short call. So of things that follow one
/// another on a thread within one tick of a cheap clock, only every sixteenth is timed, and those
/// that begin after it ended count as it does. Every one of them counts once.
pub struct Times {
    shards: Box<[Padded<Shard>]>,
}

#[derive(Default)]
struct Shard {
    /// How many more count as the one timed last, unless the clock moves.
    row_left: AtomicU64,
    row_tick: AtomicU64,
    row_ns: AtomicU64,
    sum_ns: AtomicU64,
    /// One more than the bounds: the last is everything above.
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
}

impl Default for Times {
    fn default() -> Self {
        Self { shards: (0..shard_count()).map(|_| Padded::default()).collect() }
    }
}

/// Something that is being timed.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    tick: Tick,
    precise: Option<Instant>,
}

impl Times {
    /// Something begins.
    #[inline]
    #[must_use]
    pub fn begin(&self, tick: Tick) -> Timing {
        let shard = Mine::of(&self.shards).place();
        // Relaxed, here and below: hints and sums. Threads that share a shard may time one too
        // many or take another's time for theirs; every one of their calls is counted all the same.
        let left = shard.row_left.load(Ordering::Relaxed);
        if left > 0 && shard.row_tick.load(Ordering::Relaxed) == tick.0 {
            shard.row_left.store(left - 1, Ordering::Relaxed);
            return Timing { tick, precise: None };
        }
        Timing { tick, precise: Some(Instant::now()) }
    }

    /// It ended; `tick` is of the same clock as at its beginning.
    #[inline]
    pub fn end(&self, timing: Timing, tick: Tick) {
        let shard = Mine::of(&self.shards);
        let nanos = match timing.precise {
            Some(begun) => {
                let nanos = nanos_of(begun.elapsed());
                shard.place().begin_row(nanos, tick);
                nanos
            }
            None => match tick.0.saturating_sub(timing.tick.0) {
                long if long >= LONG_NS => long,
                _ => shard.place().row_ns.load(Ordering::Relaxed),
            },
        };
        shard.observe(nanos);
    }

    /// Something took so long.
    pub fn observe(&self, took: Duration) {
        Mine::of(&self.shards).observe(nanos_of(took));
    }

    /// How many things took some time.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.totals().0
    }

    /// How many took less than each of these, in microseconds, and no less than the one before;
    /// the last is all that took longer.
    #[must_use]
    pub fn buckets(&self) -> Vec<(Option<u64>, u64)> {
        let counts = self.totals().2.into_iter().map(|(_, count)| count);
        BOUNDS_US.iter().copied().map(Some).chain([None]).zip(counts).collect()
    }

    /// Writes the histogram for Prometheus.
    ///
    /// # Errors
    /// When the encoder cannot write.
    pub fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let (count, sum, buckets) = self.totals();
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    /// Count, sum in seconds, buckets.
    fn totals(&self) -> (u64, f64, Vec<(f64, u64)>) {
        let mut sum_ns = 0_u64;
        let mut counts = [0_u64; BOUNDS_US.len() + 1];
        for Padded(shard) in &self.shards {
            sum_ns = sum_ns.wrapping_add(shard.sum_ns.load(Ordering::Relaxed));
            for (total, bucket) in counts.iter_mut().zip(&shard.buckets) {
                *total += bucket.load(Ordering::Relaxed);
            }
        }
        let bounds = BOUNDS_US.iter().map(|us| Duration::from_micros(*us).as_secs_f64());
        let buckets = bounds.chain([f64::INFINITY]).zip(counts).collect();
        (counts.iter().sum(), Duration::from_nanos(sum_ns).as_secs_f64(), buckets)
    }
}

impl Shard {
    #[inline]
    fn begin_row(&self, nanos: u64, tick: Tick) {
        self.row_ns.store(nanos, Ordering::Relaxed);
        self.row_tick.store(tick.0, Ordering::Relaxed);
        self.row_left.store(ROW - 1, Ordering::Relaxed);
    }
}

impl Mine<'_, Shard> {
    #[inline]
    fn observe(&self, nanos: u64) {
        let micros = nanos / 1_000;
        let bucket = BOUNDS_US.iter().position(|bound| micros < *bound).unwrap_or(BOUNDS_US.len());
        self.add(|shard| &shard.buckets[bucket], 1);
        self.add(|shard| &shard.sum_ns, nanos);
    }
}

#[inline]
fn nanos_of(took: Duration) -> u64 {
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Times").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_falls_into_its_bucket() {
        let times = Times::default();
        (0..3).for_each(|_| times.observe(Duration::from_nanos(1_999)));
        times.observe(Duration::from_micros(2));
        times.observe(Duration::from_secs(9));
        let (count, sum, buckets) = times.totals();
        assert_eq!(count, 5);
        assert!((sum - 9.000_007_997).abs() < 1e-9, "{sum}");
        assert_eq!(buckets.first(), Some(&(0.000_002, 3)));
        assert_eq!(buckets.get(1), Some(&(0.000_005, 1)));
        assert_eq!(buckets.last(), Some(&(f64::INFINITY, 1)));
        let told = times.buckets();
        assert_eq!((told[0], told[1], told.last()), ((Some(2), 3), (Some(5), 1), Some(&(None, 1))));
    }

    fn precise(times: &Times, tick: u64) -> bool {
        let timing = times.begin(Tick::of_micros(tick));
        times.end(timing, Tick::of_micros(tick));
        timing.precise.is_some()
    }

    #[test]
    fn one_of_a_row_is_timed_and_all_are_counted() {
        let times = Times::default();
        let timed = (0..64).filter(|_| precise(&times, 1_000)).count();
        assert_eq!(timed, 4);
        assert_eq!(times.totals().0, 64);
        assert!((0..5).all(|tick| precise(&times, 2_000 + tick)), "rare ones are all timed");
    }

    #[test]
    fn what_begins_before_the_first_ended_is_timed_as_well() {
        let times = Times::default();
        let tick = Tick::of_micros(1_000);
        let both = [times.begin(tick), times.begin(tick)];
        assert!(both.iter().all(|timing| timing.precise.is_some()));
    }

    #[test]
    fn a_long_one_in_a_row_is_seen_as_long() {
        let times = Times::default();
        assert!(precise(&times, 1_000));
        let timing = times.begin(Tick::of_micros(1_000));
        assert!(timing.precise.is_none());
        times.end(timing, Tick::of_micros(41_000));
        let (count, sum, _) = times.totals();
        assert_eq!(count, 2);
        assert!((0.04..0.05).contains(&sum), "{sum}");
    }
}
