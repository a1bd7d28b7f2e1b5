//! What is recorded of each call.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use trellis_core::{CallError, Code};
use trellis_meters::{Coarse, Times, Timing};

/// Counters and durations per target. Cheap to clone.
#[derive(Clone, Default, Debug)]
pub struct Metrics {
    durations: Arc<Mutex<BTreeMap<String, Arc<Times>>>>,
    failures: Family<FailureLabels, Counter>,
}

#[derive(Clone, PartialEq, Eq, Hash, EncodeLabelSet, Debug)]
struct FailureLabels {
    target: String,
    code: &'static str,
}

impl Metrics {
    /// Adds `call_duration_seconds{target}` and `call_failures_total{target,code}` to a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(Durations(self.clone())));
        registry.register("call_failures", "Admitted calls that failed", self.failures.clone());
    }

    /// The metrics of one target, resolved once so that recording a call looks nothing up.
    pub(crate) fn of_target(&self, name: &str) -> TargetMetrics {
        let mut durations = self.durations.lock();
        TargetMetrics {
            name: name.to_owned(),
            durations: Arc::clone(durations.entry(name.to_owned()).or_default()),
            failures: self.failures.clone(),
        }
    }

    /// Forgets a target that is gone for good.
    pub(crate) fn forget(&self, name: &str) {
        self.durations.lock().remove(name);
    }
}

/// Encodes the durations when Prometheus asks.
#[derive(Debug)]
struct Durations(Metrics);

impl Collector for Durations {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Time from admission to answer";
        let mut family = encoder.encode_descriptor(
            "call_duration_seconds",
            help,
            None,
            MetricType::Histogram,
        )?;
        for (target, times) in &*self.0.durations.lock() {
            times.encode(family.encode_family(&[("target", target.as_str())])?)?;
        }
        Ok(())
    }
}

/// The metrics of one target.
pub(crate) struct TargetMetrics {
    name: String,
    durations: Arc<Times>,
    failures: Family<FailureLabels, Counter>,
}

impl TargetMetrics {
    /// The target's name in the manifest.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A call begins.
    #[inline]
    pub(crate) fn begin(&self, now: Coarse) -> Timing {
        self.durations.begin(now.tick())
    }

    /// It ended so.
    #[inline]
    pub(crate) fn record<T>(&self, timing: Timing, outcome: &Result<T, CallError>) {
        self.durations.end(timing, Coarse::now().tick());
        if let Err(error) = outcome {
            self.count_failure(error.code());
        }
    }

    #[cold]
    fn count_failure(&self, code: Code) {
        let labels = FailureLabels { target: self.name.clone(), code: code.as_str() };
        self.failures.get_or_create(&labels).inc();
    }
}
