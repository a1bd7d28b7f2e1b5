//! What the provider counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;
use parking_lot::RwLock;
use trellis_providers_sdk::{Counter, Gauge, Sample};

/// Upper bounds of the duration buckets, in seconds.
const BUCKETS_S: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, f64::INFINITY];

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Everything counted by one provider. Requests are counted per worker and summed when read, so
/// that workers share no cache line.
#[derive(Debug)]
pub(crate) struct Metrics {
    workers: Box<[Worker]>,
    /// By the limit that was broken: a handful of names.
    rejected: RwLock<BTreeMap<&'static str, Counter>>,
    connections: Gauge,
}

/// One worker's counters.
#[derive(Default, Debug)]
#[repr(align(64))]
pub(crate) struct Worker {
    classes: [AtomicU64; 5],
    buckets: [AtomicU64; BUCKETS_S.len()],
    sum_us: AtomicU64,
}

impl Metrics {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            workers: (0..workers).map(|_| Worker::default()).collect(),
            rejected: RwLock::default(),
            connections: Gauge::default(),
        }
    }

    /// Everything counted so far.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        let mut samples = self.requests();
        samples.push(self.durations());
        let help = "Requests and connections refused, by the limit they broke";
        samples.extend(self.rejected.read().iter().map(|(limit, count)| {
            Sample::counter("http_rejected", help, count.get()).label("limit", *limit)
        }));
        let open = self.connections.get();
        samples.push(Sample::gauge("http_connections", "Open connections", open));
        samples
    }

    fn requests(&self) -> Vec<Sample> {
        let help = "Requests answered, by class of status";
        let classes = CLASSES.iter().enumerate().skip(1);
        let sample = |(index, class): (usize, &&'static str)| {
            let counts = self.workers.iter().map(|worker| &worker.classes[index]);
            let total = counts.map(|count| count.load(Ordering::Relaxed)).sum();
            Sample::counter("http_requests", help, total).label("status", *class)
        };
        classes.map(sample).collect()
    }

    fn durations(&self) -> Sample {
        let mut buckets = BUCKETS_S.map(|most| (most, 0_u64));
        let mut sum_us = 0_u64;
        for worker in &self.workers {
            sum_us = sum_us.wrapping_add(worker.sum_us.load(Ordering::Relaxed));
            for (bucket, count) in buckets.iter_mut().zip(&worker.buckets) {
                bucket.1 += count.load(Ordering::Relaxed);
            }
        }
        let help = "Time from the end of a request's header to its answer";
        let sum = Duration::from_micros(sum_us).as_secs_f64();
        Sample::histogram("http_request_duration", help, buckets, sum).unit("seconds")
    }

    /// The counters of one worker.
    pub(crate) fn worker(&self, index: usize) -> &Worker {
        &self.workers[index]
    }

    /// One request or connection was refused.
    pub(crate) fn rejected(&self, limit: &'static str) {
        if let Some(count) = self.rejected.read().get(limit) {
            return count.inc();
        }
        self.rejected.write().entry(limit).or_default().inc();
    }

    pub(crate) fn connection_opened(&self) {
        self.connections.add(1);
    }

    pub(crate) fn connection_closed(&self) {
        self.connections.add(-1);
    }
}

impl Worker {
    /// One request was answered.
    pub(crate) fn answered(&self, status: StatusCode, time: Duration) {
        self.counted(status);
        let seconds = time.as_secs_f64();
        let bucket = BUCKETS_S.iter().position(|most| seconds <= *most).unwrap_or_default();
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        let microseconds = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.sum_us.fetch_add(microseconds, Ordering::Relaxed);
    }

    /// One answer was sent without a request that could be read.
    pub(crate) fn counted(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        self.classes[class].fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use trellis_providers_sdk::SampleValue;

    use super::*;

    #[test]
    fn workers_are_summed() {
        let metrics = Metrics::new(2);
        metrics.worker(0).answered(StatusCode::OK, Duration::from_micros(700));
        metrics.worker(1).answered(StatusCode::NO_CONTENT, Duration::from_millis(30));
        metrics.worker(1).counted(StatusCode::BAD_REQUEST);
        metrics.rejected("http_body_bytes_max");
        metrics.connection_opened();
        let samples = metrics.samples();
        let count = |name: &str, label: &str| {
            let of = |sample: &&Sample| {
                sample.name == name && sample.labels.iter().all(|(_, text)| text == label)
            };
            samples.iter().find(of).map(|sample| &sample.value)
        };
        let counter = |name, label| match count(name, label) {
            Some(SampleValue::Counter(count)) => *count,
            other => panic!("{name} {label}: {other:?}"),
        };
        assert_eq!(counter("http_requests", "2xx"), 2);
        assert_eq!(counter("http_requests", "4xx"), 1);
        assert_eq!(counter("http_rejected", "http_body_bytes_max"), 1);
        assert_eq!(count("http_connections", ""), Some(&SampleValue::Gauge(1)));
        let Some(SampleValue::Histogram { buckets, .. }) = count("http_request_duration", "")
        else {
            panic!("no histogram in {samples:?}");
        };
        assert_eq!(buckets.iter().map(|(_, count)| count).sum::<u64>(), 2);
        assert_eq!(buckets[1], (Some(0.001), 1), "700 microseconds");
    }
}
