//! What the gate counts.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::{counter::Counter, family::Family};
use prometheus_client::registry::Registry;

use crate::denial::{AbsentEnd, Denial};

/// Counters of refused calls. Cheap to clone.
#[derive(Clone, Default, Debug)]
pub struct Metrics {
    denied: Family<DeniedLabels, Counter>,
    absent: Family<AbsentLabels, Counter>,
}

#[derive(Clone, PartialEq, Eq, Hash, EncodeLabelSet, Debug)]
struct DeniedLabels {
    cap: String,
    reason: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, EncodeLabelSet, Debug)]
struct AbsentLabels {
    end: &'static str,
}

impl Metrics {
    /// Adds `authz_denied_total{cap,reason}` and `calls_absent_total{end}` to a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("authz_denied", "Calls the gate denied", self.denied.clone());
        let absent = "Calls whose caller, callee or provider does not run here";
        registry.register("calls_absent", absent, self.absent.clone());
    }

    /// Counts a denial; `known` says that its namespace is one of this host's own words. A guest
    /// chooses namespaces freely: all others get one label, so that no guest can grow the metrics
    /// without bound.
    pub(crate) fn denied(&self, denial: &Denial, known: bool) {
        let cap = if known { denial.namespace.clone() } else { "other".to_owned() };
        let labels = DeniedLabels { cap, reason: denial.reason.as_str() };
        self.denied.get_or_create(&labels).inc();
    }

    /// Counts a call one of whose ends is not here.
    pub(crate) fn absent(&self, end: AbsentEnd) {
        self.absent.get_or_create(&AbsentLabels { end: end.as_str() }).inc();
    }
}
