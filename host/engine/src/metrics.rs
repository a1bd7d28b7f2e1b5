//! Counters of the engine.
//!
//! What every call touches is kept per thread and summed when somebody asks; what only happens
//! when something is wrong uses ordinary labeled counters.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use trellis_core::{CallError, Code};
use trellis_limits::{TABLE, fixed};
use trellis_meters::{Tick, Times, Timing};

use crate::refusal::Refusal;

/// Why instances of fresh actors go.
pub(crate) const FRESH: &str = "fresh";

type Label = [(&'static str, &'static str); 1];

/// The engine's counters, shared by all its actors.
#[derive(Debug)]
pub struct Metrics {
    calls: Times,
    queue_wait: Times,
    instances: Gauge,
    modules: Gauge,
    created: Counter,
    dropped: Family<Label, Counter>,
    /// The reason of `dropped` that every call of a fresh actor has.
    dropped_fresh: Counter,
    guest_fault: Family<Label, Counter>,
    module_rejected: Family<Label, Counter>,
    limit_hit: Family<Label, Counter>,
    cache: Family<Label, Counter>,
    compiled: Counter,
    slow_lane: Counter,
    log_lines_dropped: Counter,
}

/// Nothing counted so far.
impl Default for Metrics {
    fn default() -> Self {
        let dropped: Family<Label, Counter> = Family::default();
        let dropped_fresh = dropped.get_or_create(&[("reason", FRESH)]).clone();
        Self {
            calls: Times::default(),
            queue_wait: Times::default(),
            instances: Gauge::default(),
            modules: Gauge::default(),
            created: Counter::default(),
            dropped,
            dropped_fresh,
            guest_fault: Family::default(),
            module_rejected: Family::default(),
            limit_hit: Family::default(),
            cache: Family::default(),
            compiled: Counter::default(),
            slow_lane: Counter::default(),
            log_lines_dropped: Counter::default(),
        }
    }
}

impl Metrics {
    /// Adds every counter to `registry`; the caller chooses a prefix.
    pub fn register(self: &Arc<Self>, registry: &mut Registry) {
        registry.register_collector(Box::new(Durations(Arc::clone(self))));
        let mut add = |name: &str, help: &str, metric: &Family<Label, Counter>| {
            registry.register(name, help, metric.clone());
        };
        add("instances_dropped", "Instances dropped, by reason", &self.dropped);
        add("guest_fault", "Calls that failed in the guest, by kind", &self.guest_fault);
        add("module_rejected", "Modules refused, by reason", &self.module_rejected);
        add("limit_hit", "Limits hit, by name", &self.limit_hit);
        add("compile_cache", "Compile cache, by result", &self.cache);
        registry.register("instances", "Live instances", self.instances.clone());
        registry.register("modules_resident", "Modules in memory", self.modules.clone());
        registry.register("instances_created", "Instances created", self.created.clone());
        registry.register("modules_compiled", "Modules compiled", self.compiled.clone());
        let help = "Calls moved off their caller's thread";
        registry.register("slow_lane_calls", help, self.slow_lane.clone());
        let help = "Log lines of actors dropped";
        registry.register("log_lines_dropped", help, self.log_lines_dropped.clone());
    }

    /// A call begins, on the clock of the ticker.
    #[inline]
    pub(crate) fn call_begins(&self, now: Tick) -> Timing {
        self.calls.begin(now)
    }

    #[inline]
    pub(crate) fn call_ended(&self, timing: Timing, now: Tick) {
        self.calls.end(timing, now);
    }

    /// Calls that ended.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.count()
    }

    pub(crate) fn queue_waited(&self, took: Duration) {
        self.queue_wait.observe(took);
    }

    pub(crate) fn instance_created(&self) {
        self.created.inc();
        self.instances.inc();
    }

    pub(crate) fn instance_gone(&self, reason: &'static str) {
        self.instances.dec();
        if reason == FRESH {
            self.dropped_fresh.inc();
            return;
        }
        self.dropped.get_or_create(&[("reason", reason)]).inc();
    }

    pub(crate) fn modules_resident(&self, count: usize) {
        self.modules.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(crate) fn guest_fault(&self, code: Code) {
        self.guest_fault.get_or_create(&[("kind", code.as_str())]).inc();
    }

    pub(crate) fn module_rejected(&self, code: Code) {
        self.module_rejected.get_or_create(&[("reason", code.as_str())]).inc();
    }

    /// Counts the limit a module was refused for; gives the error.
    pub(crate) fn refused(&self, refusal: Refusal) -> CallError {
        if let Some(limit) = refusal.limit {
            self.limit_hit(limit);
        }
        refusal.error
    }

    /// Counts the limits that an error's words name: of a module that was refused before the engine
    /// was asked to load it.
    pub fn limits_named_in(&self, words: &str) {
        let limits = TABLE.iter().chain(fixed::TABLE).map(|limit| limit.name);
        let of_modules = limits.filter(|name| name.starts_with("module_"));
        of_modules.filter(|name| words.contains(name)).for_each(|name| self.limit_hit(name));
    }

    /// A limit was hit: one of the engine, or of an actor that others keep to.
    pub fn limit_hit(&self, limit: &'static str) {
        self.limit_hit.get_or_create(&[("limit", limit)]).inc();
    }

    pub(crate) fn cache(&self, result: &'static str) {
        self.cache.get_or_create(&[("result", result)]).inc();
    }

    pub(crate) fn module_compiled(&self) {
        self.compiled.inc();
    }

    pub(crate) fn slow_lane(&self) {
        self.slow_lane.inc();
    }

    pub(crate) fn log_lines_dropped(&self, count: u32) {
        self.log_lines_dropped.inc_by(count.into());
    }

    /// Instances created since the start.
    #[must_use]
    pub fn instances_created(&self) -> u64 {
        self.created.get()
    }

    /// Instances alive now.
    #[must_use]
    pub fn instances_live(&self) -> u64 {
        u64::try_from(self.instances.get()).unwrap_or(0)
    }

    /// Modules compiled since the start; the rest came from the cache.
    #[must_use]
    pub fn modules_compiled(&self) -> u64 {
        self.compiled.get()
    }

    /// Compile cache events of one result: `hit`, `miss`, `reject` or `write_failed`.
    #[must_use]
    pub fn cache_events(&self, result: &'static str) -> u64 {
        self.cache.get_or_create(&[("result", result)]).get()
    }

    /// How often a limit was hit, by its name in `trellis_limits::TABLE`.
    #[must_use]
    pub fn limit_hits(&self, limit: &'static str) -> u64 {
        self.limit_hit.get_or_create(&[("limit", limit)]).get()
    }
}

/// Encodes the histograms when Prometheus asks.
#[derive(Debug)]
struct Durations(Arc<Metrics>);

impl Collector for Durations {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let calls = (
            "actor_call_duration_seconds",
            "Duration of calls into actors; short ones are sampled",
        );
        let waits = ("actor_queue_wait_seconds", "Time calls waited for an instance");
        for ((name, help), times) in [(calls, &self.0.calls), (waits, &self.0.queue_wait)] {
            times.encode(encoder.encode_descriptor(name, help, None, MetricType::Histogram)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_what_is_printed() {
        let metrics = Arc::<Metrics>::default();
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        metrics.calls.observe(Duration::from_micros(3));
        metrics.calls.observe(Duration::from_secs(9));
        metrics.guest_fault(Code::Trap);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("strings grow");
        for line in [
            "actor_call_duration_seconds_bucket{le=\"0.000005\"} 1",
            "actor_call_duration_seconds_bucket{le=\"+Inf\"} 2",
            "actor_call_duration_seconds_count 2",
            "guest_fault_total{kind=\"E_TRAP\"} 1",
        ] {
            assert!(text.contains(line), "{line} missing in\n{text}");
        }
    }
}
