//! What became of what was sent to one receiver.

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use trellis_core::date::span;

use crate::sender::Trouble;
use crate::settings::Receiver;
use crate::tracer::now_unix_ns;

type Labels = [(&'static str, &'static str); 2];

/// Counters of all that is sent. Cheap to clone.
#[derive(Clone, Default, Debug)]
pub(crate) struct Counters {
    requests: Family<Labels, Counter>,
    pub(crate) dropped: Counter,
}

/// A receiver, and how it does.
#[derive(Debug)]
pub(crate) struct Outlet {
    pub(crate) receiver: Receiver,
    counters: Counters,
    failing: Mutex<Option<Failing>>,
}

/// Since when nothing was received, and why.
#[derive(Clone, Debug)]
struct Failing {
    since_unix_s: u64,
    why: String,
}

impl Counters {
    /// Adds `telemetry_requests_total{signal,result}` and `telemetry_spans_dropped_total`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "Requests with telemetry, by how they ended";
        registry.register("telemetry_requests", help, self.requests.clone());
        let help = "Spans that found no room, or that nobody received";
        registry.register("telemetry_spans_dropped", help, self.dropped.clone());
    }
}

impl Outlet {
    pub(crate) fn new(receiver: Receiver, counters: &Counters) -> Self {
        let outlet = Self { receiver, counters: counters.clone(), failing: Mutex::default() };
        // So that a series is there before it is first needed.
        outlet.count("sent", 0);
        outlet.count("failed", 0);
        outlet
    }

    /// Something was received.
    pub(crate) fn reached(&self) {
        self.count("sent", 1);
        if let Some(failing) = self.failing.lock().take() {
            let (signal, receiver) = (self.receiver.signal, &self.receiver.endpoint);
            let after = span(now_unix_s().saturating_sub(failing.since_unix_s));
            tracing::info!("{signal} reach {receiver} again, after {after}");
        }
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
