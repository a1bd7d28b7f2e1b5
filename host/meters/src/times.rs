//! A histogram of times that many threads fill at once.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{MetricEncoder, NoLabelSet};

use crate::threads::{Padded, own, shard_count};

/// Upper bounds of the buckets, in microseconds.
const BOUNDS_US: [u64; 15] =
    [2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 25_000, 100_000, 1_000_000, 5_000_000];

/// Durations, as a histogram in seconds.
pub struct Times {
    shards: Box<[Padded<Shard>]>,
}

#[derive(Default)]
struct Shard {
    sum_ns: AtomicU64,
    /// One more than the bounds: the last is everything above.
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
}

impl Default for Times {
    fn default() -> Self {
        Self { shards: (0..shard_count()).map(|_| Padded::default()).collect() }
    }
}

impl Times {
    /// `count` things took about so long.
    #[inline]
    pub fn observe(&self, took: Duration, count: u64) {
        let shard = own(&self.shards);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let micros = nanos / 1_000;
        let bucket = BOUNDS_US.iter().position(|bound| micros < *bound).unwrap_or(BOUNDS_US.len());
        shard.buckets[bucket].fetch_add(count, Ordering::Relaxed);
        shard.sum_ns.fetch_add(nanos.saturating_mul(count), Ordering::Relaxed);
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
        times.observe(Duration::from_nanos(1_999), 3);
        times.observe(Duration::from_micros(2), 1);
        times.observe(Duration::from_secs(9), 1);
        let (count, sum, buckets) = times.totals();
        assert_eq!(count, 5);
        assert!((sum - 9.000_007_997).abs() < 1e-9, "{sum}");
        assert_eq!(buckets.first(), Some(&(0.000_002, 3)));
        assert_eq!(buckets.get(1), Some(&(0.000_005, 1)));
        assert_eq!(buckets.last(), Some(&(f64::INFINITY, 1)));
    }
}
