//! What is recorded of each call.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use trellis_core::{CallError, Code};

/// Upper bounds of the duration histogram, in seconds.
const BUCKETS_S: [f64; 14] = [
    0.000_005, 0.000_02, 0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0,
    10.0,
];

/// Counters and durations per target. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    durations: Family<TargetLabels, Histogram>,
    failures: Family<FailureLabels, Counter>,
}

#[derive(Clone, PartialEq, Eq, Hash, EncodeLabelSet, Debug)]
struct TargetLabels {
    target: String,
}

#[derive(Clone, PartialEq, Eq, Hash, EncodeLabelSet, Debug)]
struct FailureLabels {
    target: String,
    code: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            durations: Family::new_with_constructor(|| Histogram::new(BUCKETS_S)),
            failures: Family::default(),
        }
    }
}

impl Metrics {
    /// Adds `call_duration_seconds{target}` and `call_failures_total{target,code}` to a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "call_duration",
            "Time from admission to answer",
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register("call_failures", "Admitted calls that failed", self.failures.clone());
    }

    /// The metrics of one target, resolved once so that recording a call looks nothing up.
    pub(crate) fn of_target(&self, name: &str) -> TargetMetrics {
        let labels = TargetLabels { target: name.to_owned() };
        TargetMetrics {
            name: name.to_owned(),
            durations: self.durations.get_or_create_owned(&labels),
            failures: self.failures.clone(),
        }
    }

    /// Forgets a target that is gone for good.
    pub(crate) fn forget(&self, name: &str) {
        self.durations.remove(&TargetLabels { target: name.to_owned() });
    }
}

/// The metrics of one target.
pub(crate) struct TargetMetrics {
    name: String,
    durations: Histogram,
    failures: Family<FailureLabels, Counter>,
}

impl TargetMetrics {
    pub(crate) fn record<T>(&self, took: Duration, outcome: &Result<T, CallError>) {
        self.durations.observe(took.as_secs_f64());
        if let Err(error) = outcome {
            self.count_failure(error.code());
        }
    }

    fn count_failure(&self, code: Code) {
        let labels = FailureLabels { target: self.name.clone(), code: code.as_str() };
        self.failures.get_or_create(&labels).inc();
    }
}
