//! What is recorded of each call.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};

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
    targets: Arc<Mutex<BTreeMap<String, Weak<Times>>>>,
    failures: Family<FailureLabels, Counter>,
}

/// What the targets of one name had to do since the host started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TargetLoad {
    /// The name in the manifest.
    pub target: String,
    /// How many calls took less than so many microseconds, and no less than the one before says;
    /// `None` for all that took longer.
    pub times: Vec<(Option<u64>, u64)>,
    /// Admitted calls that failed.
    pub failures: u64,
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

    /// The metrics of one target, resolved once so that recording a call looks nothing up. They
    /// are shown for as long as anybody holds them.
    pub(crate) fn of_target(&self, name: &str) -> TargetMetrics {
        let mut targets = self.targets.lock();
        let durations = match targets.get(name).and_then(Weak::upgrade) {
            Some(durations) => durations,
            None => {
                let durations = Arc::<Times>::default();
                targets.insert(name.to_owned(), Arc::downgrade(&durations));
                durations
            }
        };
        TargetMetrics { name: Arc::from(name), durations, failures: self.failures.clone() }
    }

    /// What the targets had to do that are still there, by their names.
    #[must_use]
    pub fn loads(&self) -> Vec<TargetLoad> {
        let load = |(target, times): (String, Arc<Times>)| {
            let failed = |code: &Code| {
                let labels = FailureLabels { target: target.clone(), code: code.as_str() };
                self.failures.get(&labels).map_or(0, |count| count.get())
            };
            let failures = Code::ALL.iter().map(failed).sum();
            TargetLoad { target, times: times.buckets(), failures }
        };
        self.present().into_iter().map(load).collect()
    }

    /// The targets that are still there; forgets the others.
    fn present(&self) -> Vec<(String, Arc<Times>)> {
        let mut present = Vec::new();
        self.targets.lock().retain(|name, durations| {
            let held = durations.upgrade();
            match held {
                Some(durations) => present.push((name.clone(), durations)),
                None => self.forget_failures(name),
            }
            durations.strong_count() > 0
        });
        present
    }

    fn forget_failures(&self, name: &str) {
        for code in Code::ALL {
            let labels = FailureLabels { target: name.to_owned(), code: code.as_str() };
            self.failures.remove(&labels);
        }
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
        for (target, times) in &self.0.present() {
            times.encode(family.encode_family(&[("target", target.as_str())])?)?;
        }
        Ok(())
    }
}

/// The metrics of one target.
#[derive(Clone)]
pub(crate) struct TargetMetrics {
    name: Arc<str>,
    durations: Arc<Times>,
    failures: Family<FailureLabels, Counter>,
}

impl TargetMetrics {
    /// The target's name in the manifest.
    pub(crate) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The durations of all calls of targets with its name.
    pub(crate) const fn durations(&self) -> &Arc<Times> {
        &self.durations
    }

    /// A call begins.
    #[inline]
    pub(crate) fn begin(&self, now: Coarse) -> Timing {
        self.durations.begin(now.tick())
    }

    /// It ended with this outcome.
    #[inline]
    pub(crate) fn record<T>(&self, timing: Timing, outcome: &Result<T, CallError>) {
        self.durations.end(timing, Coarse::now().tick());
        if let Err(error) = outcome {
            self.count_failure(error.code());
        }
    }

    #[cold]
    fn count_failure(&self, code: Code) {
        let labels = FailureLabels { target: self.name.to_string(), code: code.as_str() };
        self.failures.get_or_create(&labels).inc();
    }
}
