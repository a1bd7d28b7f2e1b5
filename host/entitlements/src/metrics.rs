//! What the gate counts.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::{counter::Counter, family::Family};
use prometheus_client::registry::Registry;

use crate::denial::Denial;

/// Counters of refused calls. Cheap to clone.
#[derive(Clone, Default, Debug)]
pub struct Metrics {
    denied: Family<DeniedLabels, Counter>,
}

#[derive(Clone, PartialEq, Eq, Hash, EncodeLabelSet, Debug)]
struct DeniedLabels {
    cap: String,
    reason: &'static str,
}

impl Metrics {
    /// Adds `authz_denied_total{cap,reason}` to a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("authz_denied", "Calls the gate refused", self.denied.clone());
    }

    /// Counts a denial; `known` says that its namespace is one of this host's own words. A guest
    /// chooses namespaces freely: all others get one label, so that no guest can grow the metrics
    /// without bound.
    pub(crate) fn count(&self, denial: &Denial, known: bool) {
        let cap = if known { denial.namespace.clone() } else { "other".to_owned() };
        let labels = DeniedLabels { cap, reason: denial.reason.as_str() };
        self.denied.get_or_create(&labels).inc();
    }
}
