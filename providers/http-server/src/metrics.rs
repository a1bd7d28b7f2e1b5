//! What the provider counts.

use std::fmt::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Upper bounds of the duration buckets, in seconds.
const BUCKETS_S: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, f64::INFINITY];

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Everything counted by one provider. Requests are counted per worker and summed when read, so
/// that workers share no cache line.
#[derive(Debug)]
pub(crate) struct Metrics {
    workers: Arc<[Worker]>,
    rejected: Family<Limit, Counter>,
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

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Limit {
    limit: &'static str,
}

impl Metrics {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            workers: (0..workers).map(|_| Worker::default()).collect(),
            rejected: Family::default(),
            connections: Gauge::default(),
        }
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "http_requests",
            "Requests answered, by class of status",
            Requests(Arc::clone(&self.workers)),
        );
        registry.register(
            "http_request_duration_seconds",
            "Time from the end of a request's header to its answer",
            Durations(Arc::clone(&self.workers)),
        );
        registry.register(
            "http_rejected",
            "Requests and connections refused, by the limit they broke",
            self.rejected.clone(),
        );
        registry.register("http_connections", "Open connections", self.connections.clone());
    }

    /// The counters of one worker.
    pub(crate) fn worker(&self, index: usize) -> &Worker {
        &self.workers[index]
    }

    /// One request or connection was refused.
    pub(crate) fn rejected(&self, limit: &'static str) {
        self.rejected.get_or_create(&Limit { limit }).inc();
    }

    pub(crate) fn connection_opened(&self) {
        self.connections.inc();
    }

    pub(crate) fn connection_closed(&self) {
        self.connections.dec();
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

#[derive(Debug)]
struct Requests(Arc<[Worker]>);

impl EncodeMetric for Requests {
    fn encode(&self, mut encoder: MetricEncoder) -> Result<(), Error> {
        for (index, class) in CLASSES.iter().enumerate().skip(1) {
            let counts = self.0.iter().map(|worker| &worker.classes[index]);
            let total: u64 = counts.map(|count| count.load(Ordering::Relaxed)).sum();
            let labels = [("status", *class)];
            encoder.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&total, None)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

#[derive(Debug)]
struct Durations(Arc<[Worker]>);

impl EncodeMetric for Durations {
    fn encode(&self, mut encoder: MetricEncoder) -> Result<(), Error> {
        let mut buckets = BUCKETS_S.map(|most| (most, 0_u64));
        let mut sum_us = 0_u64;
        for worker in self.0.iter() {
            sum_us = sum_us.wrapping_add(worker.sum_us.load(Ordering::Relaxed));
            for (bucket, count) in buckets.iter_mut().zip(&worker.buckets) {
                bucket.1 += count.load(Ordering::Relaxed);
            }
        }
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = Duration::from_micros(sum_us).as_secs_f64();
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_summed() {
        let metrics = Metrics::new(2);
        metrics.worker(0).answered(StatusCode::OK, Duration::from_micros(700));
        metrics.worker(1).answered(StatusCode::NO_CONTENT, Duration::from_millis(30));
        metrics.worker(1).counted(StatusCode::BAD_REQUEST);
        metrics.rejected("http_body_bytes_max");
        metrics.connection_opened();
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("encodes");
        for line in [
            "http_requests_total{status=\"2xx\"} 2",
            "http_requests_total{status=\"4xx\"} 1",
            "http_request_duration_seconds_count 2",
            "http_request_duration_seconds_bucket{le=\"0.0005\"} 0",
            "http_request_duration_seconds_bucket{le=\"0.001\"} 1",
            "http_request_duration_seconds_bucket{le=\"+Inf\"} 2",
            "http_rejected_total{limit=\"http_body_bytes_max\"} 1",
            "http_connections 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} not in\n{text}");
        }
    }
}
