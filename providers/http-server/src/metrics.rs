//! What the provider counts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use trellis_providers_sdk::{Counter, Gauge, Sample};

use crate::per_worker::PerWorker;
use crate::tally::{CLASSES, Tallies, Tally};

/// Upper bounds of the duration buckets, in seconds.
const BUCKETS_S: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, f64::INFINITY];

/// Everything counted by one provider. Requests are counted per worker and summed when read, so
/// that workers share no cache line.
#[derive(Debug)]
pub(crate) struct Metrics {
    workers: PerWorker<Worker>,
    /// What the actors answered, and the server in their place.
    actors: Tallies,
    /// What the server answered to requests that found no actor.
    nobody: Tally,
    /// By the limit that was broken: a handful of names.
    rejected: RwLock<BTreeMap<&'static str, Counter>>,
    connections: Gauge,
}

/// One worker's counters.
#[derive(Default, Debug)]
#[repr(align(64))]
pub(crate) struct Worker {
    buckets: [AtomicU64; BUCKETS_S.len()],
    sum_us: AtomicU64,
}

impl Metrics {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            workers: PerWorker::new(workers, |_| Worker::default()),
            actors: Tallies::new(workers),
            nobody: Tally::new(workers),
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
        let help = "Requests answered, by actor and class of status";
        let sample = |actor: Option<&str>, class: &'static str, total| {
            let sample = Sample::counter("http_requests", help, total);
            let sample = match actor {
                Some(actor) => sample.label("actor", actor.to_owned()),
                None => sample,
            };
            sample.label("status", class)
        };
        let mut samples = Vec::new();
        let mut add = |actor: Option<&str>, totals: [u64; CLASSES.len()]| {
            // 1xx is no answer.
            let classes = CLASSES.iter().zip(totals).skip(1);
            samples.extend(classes.map(|(class, total)| sample(actor, class, total)));
        };
        add(None, self.nobody.totals());
        for (actor, totals) in self.actors.totals() {
            add(Some(&actor), totals);
        }
        samples
    }

    fn durations(&self) -> Sample {
        let mut buckets = BUCKETS_S.map(|most| (most, 0_u64));
        let mut sum_us = 0_u64;
        for worker in self.workers.iter() {
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
        self.workers.of(index)
    }

    /// Where the answers of an actor are counted.
    pub(crate) fn actor(&self, name: &str) -> Arc<Tally> {
        self.actors.of(name)
    }

    /// Where answers are counted that belong to no actor.
    pub(crate) const fn nobody(&self) -> &Tally {
        &self.nobody
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
    pub(crate) fn answered(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let bucket = BUCKETS_S.iter().position(|most| seconds <= *most).unwrap_or_default();
        // Relaxed, both: statistics that order nothing.
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        let microseconds = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.sum_us.fetch_add(microseconds, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use trellis_providers_sdk::SampleValue;

    use super::*;

    #[test]
    fn workers_are_summed() {
        let metrics = Metrics::new(2);
        metrics.worker(0).answered(Duration::from_micros(700));
        metrics.worker(1).answered(Duration::from_millis(30));
        let actor = metrics.actor("a");
        actor.count(0, StatusCode::OK);
        actor.count(1, StatusCode::NO_CONTENT);
        metrics.nobody().count(1, StatusCode::BAD_REQUEST);
        metrics.rejected("http_body_bytes_max");
        metrics.connection_opened();
        let samples = metrics.samples();
        let count = |name: &str, label: &str| {
            let of = |sample: &&Sample| {
                sample.name == name && sample.labels.last().is_none_or(|(_, text)| text == label)
            };
            samples.iter().find(of).map(|sample| &sample.value)
        };
        let counter = |name, label| match count(name, label) {
            Some(SampleValue::Counter(count)) => *count,
            other => panic!("{name} {label}: {other:?}"),
        };
        let lines: String = samples.iter().map(|sample| format!("{sample}\n")).collect();
        for line in [
            "http_requests_total{status=\"4xx\"} 1\n",
            "http_requests_total{status=\"2xx\"} 0\n",
            "http_requests_total{actor=\"a\",status=\"2xx\"} 2\n",
            "http_requests_total{actor=\"a\",status=\"5xx\"} 0\n",
        ] {
            assert!(lines.contains(line), "{line} not in {lines}");
        }
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
