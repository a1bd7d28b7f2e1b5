//! What the owner task counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use trellis_core::Code;

type Reason = [(&'static str, &'static str); 1];

/// Counters of what did not go as the manifest says. Cheap to clone.
#[derive(Clone, Default, Debug)]
pub struct Metrics {
    stopped: Family<Reason, Counter>,
    faults: Family<Reason, Counter>,
}

impl Metrics {
    /// Adds `actors_stopped_total{reason}` and `apply_faults_total{reason}` to a registry; a reason
    /// is an error code.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Running actors stopped because their claims hold no longer";
        registry.register("actors_stopped", help, self.stopped.clone());
        let help = "Actors, providers and bindings that could not be started as the manifest says";
        registry.register("apply_faults", help, self.faults.clone());
    }

    pub(crate) fn stopped(&self, code: Code) {
        self.stopped.get_or_create(&[("reason", code.as_str())]).inc();
    }

    pub(crate) fn fault(&self, code: Code) {
        self.faults.get_or_create(&[("reason", code.as_str())]).inc();
    }
}
