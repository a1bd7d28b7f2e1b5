//! What became of what was sent to one receiver.

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use trellis_core::date::span;

use crate::otlp::Rejected;
use crate::sender::Trouble;
use crate::settings::Receiver;
use crate::tracer::now_unix_ns;

type Labels = [(&'static str, &'static str); 2];

/// How often it is told what a receiver rejects.
const REJECTED_EVERY_S: u64 = 60;
/// Most bytes of its own words on that.
const WORDS_BYTES_MAX: usize = 256;

/// Counters of all that is sent. Cheap to clone.
#[derive(Clone, Default, Debug)]
pub(crate) struct Counters {
    requests: Family<Labels, Counter>,
    rejected: Family<[(&'static str, &'static str); 1], Counter>,
    pub(crate) dropped: Counter,
}

/// A receiver, and how it does.
#[derive(Debug)]
pub(crate) struct Outlet {
    pub(crate) receiver: Receiver,
    counters: Counters,
    failing: Mutex<Option<Failing>>,
    rejecting: Mutex<Rejecting>,
}

/// What it rejected since that was told.
#[derive(Clone, Copy, Default, Debug)]
struct Rejecting {
    told_unix_s: u64,
    count: u64,
}

/// Since when nothing was received, and why.
#[derive(Clone, Debug)]
struct Failing {
    since_unix_s: u64,
    why: String,
}

impl Counters {
    /// Adds `telemetry_requests_total{signal,result}`, `telemetry_rejected_total{signal}` and
    /// `telemetry_spans_dropped_total`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "Requests with telemetry, by how they ended";
        registry.register("telemetry_requests", help, self.requests.clone());
        let help = "Spans and data points that were received and not kept";
        registry.register("telemetry_rejected", help, self.rejected.clone());
        let help = "Spans that found no room, or that nobody received";
        registry.register("telemetry_spans_dropped", help, self.dropped.clone());
    }
}

impl Outlet {
    pub(crate) fn new(receiver: Receiver, counters: &Counters) -> Self {
        let (failing, rejecting) = (Mutex::default(), Mutex::default());
        let outlet = Self { receiver, counters: counters.clone(), failing, rejecting };
        // So that a series is there before it is first needed.
        outlet.count("sent", 0);
        outlet.count("failed", 0);
        outlet.rejected().inc_by(0);
        outlet
    }

    /// So many spans or data points were received, of which not all may have been kept.
    pub(crate) fn reached(&self, items: u64, rejected: Rejected) {
        self.count("sent", 1);
        // A receiver may say anything: a sum that it once spoilt would stay so.
        let rejected = Rejected { count: rejected.count.min(items), ..rejected };
        self.reject(&rejected, now_unix_s());
        if let Some(failing) = self.failing.lock().take() {
            let (signal, receiver) = (self.receiver.signal, &self.receiver.endpoint);
            let after = span(now_unix_s().saturating_sub(failing.since_unix_s));
            tracing::info!("{signal} reach {receiver} again, after {after}");
        }
    }

    /// Counts what was not kept, and tells it once a minute: a receiver may say so each time.
    fn reject(&self, Rejected { count, why }: &Rejected, now_unix_s: u64) -> bool {
        if *count == 0 {
            return false;
        }
        self.rejected().inc_by(*count);
        let since = {
            let mut rejecting = self.rejecting.lock();
            rejecting.count = rejecting.count.saturating_add(*count);
            if now_unix_s.abs_diff(rejecting.told_unix_s) < REJECTED_EVERY_S {
                return false;
            }
            rejecting.told_unix_s = now_unix_s;
            std::mem::take(&mut rejecting.count)
        };
        let (signal, receiver) = (self.receiver.signal, &self.receiver.endpoint);
        let why = why[..why.floor_char_boundary(WORDS_BYTES_MAX)].escape_debug();
        tracing::warn!("{receiver} took {signal} and rejected {since} of them: {why}");
        true
    }

    fn rejected(&self) -> Counter {
        self.counters.rejected.get_or_create(&[("signal", self.receiver.signal)]).clone()
    }

    /// Something was not received. Told when it begins, and again when the reason is another.
    pub(crate) fn failed(&self, trouble: &Trouble) {
        self.count("failed", 1);
        let mut failing = self.failing.lock();
        if failing.as_ref().is_some_and(|known| known.why == trouble.why) {
            return;
        }
        let since_unix_s = failing.as_ref().map_or_else(now_unix_s, |known| known.since_unix_s);
        *failing = Some(Failing { since_unix_s, why: trouble.why.clone() });
        drop(failing);
        let (signal, receiver, why) = (self.receiver.signal, &self.receiver.endpoint, &trouble.why);
        tracing::warn!("{signal} do not reach {receiver}: {why}; the host goes on without them");
    }

    /// What there is to know of it, while nothing is received. Anybody may read it, so it does not
    /// say where that is.
    pub(crate) fn note(&self) -> Option<String> {
        let failing = self.failing.lock().clone()?;
        let (signal, why) = (self.receiver.signal, &failing.why);
        let since = span(now_unix_s().saturating_sub(failing.since_unix_s));
        Some(format!("{signal} have not reached their receiver for {since}: {why}"))
    }

    fn count(&self, result: &'static str, count: u64) {
        let labels = [("signal", self.receiver.signal), ("result", result)];
        self.counters.requests.get_or_create(&labels).inc_by(count);
    }
}

fn now_unix_s() -> u64 {
    now_unix_ns() / 1_000_000_000
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::header::HeaderMap;

    use super::*;
    use crate::endpoint::Endpoint;

    fn outlet() -> Outlet {
        let receiver = Receiver {
            signal: "traces",
            endpoint: Endpoint::read("http://a:1").expect("an address"),
            headers: HeaderMap::new(),
            time_max: Duration::from_secs(1),
            is_gzip: false,
            certificates: None,
        };
        Outlet::new(receiver, &Counters::default())
    }

    #[test]
    fn no_more_is_rejected_than_was_sent() {
        let outlet = outlet();
        for (items, count, total) in [(5, 3, 3), (5, 6, 8), (5, 1 << 62, 13), (0, u64::MAX, 13)] {
            outlet.reached(items, Rejected { count, why: String::new() });
            assert_eq!(outlet.rejected().get(), total, "{count} of {items}");
        }
    }

    #[test]
    fn what_is_rejected_is_counted_each_time_and_told_once_a_minute() {
        let outlet = outlet();
        let rejected = |count| Rejected { count, why: "é".repeat(WORDS_BYTES_MAX) };
        let now = 1_700_000_000;
        for (count, at, is_told) in [
            (0, now, false),
            (3, now, true),
            (4, now + REJECTED_EVERY_S - 1, false),
            (5, now + REJECTED_EVERY_S, true),
        ] {
            assert_eq!(outlet.reject(&rejected(count), at), is_told, "{count} at {at}");
        }
        assert_eq!((outlet.rejected().get(), outlet.rejecting.lock().count), (12, 0));
    }
}
