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

    pub(crate) fn count(&self, denial: &Denial) {
        // A guest chooses the namespace freely: only contract ids become labels, and all else one
        // label, so that no guest can grow the metrics without bound.
        let known = matches!(
            denial.reason,
            crate::Reason::NotGranted | crate::Reason::UnknownOperation | crate::Reason::Policy
        ) || denial.reason == crate::Reason::NotBound && denial.origin.is_some();
        let cap = if known { denial.namespace.clone() } else { "other".to_owned() };
        let labels = DeniedLabels { cap, reason: denial.reason.as_str() };
        self.denied.get_or_create(&labels).inc();
    }
}
