//! What the supervisor counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use trellis_control::{ComponentKind, LifecycleState};
use trellis_core::Code;

type Reason = [(&'static str, &'static str); 1];
type Entered = [(&'static str, &'static str); 2];

/// Counters of what did not go as the manifest says. Cheap to clone.
#[derive(Clone, Default, Debug)]
pub struct Metrics {
    stopped: Family<Reason, Counter>,
    faults: Family<Reason, Counter>,
    entered: Family<Entered, Counter>,
    illegal: Counter,
    replayed: Family<Reason, Counter>,
    moved: Family<Reason, Counter>,
}

impl Metrics {
    /// Adds `actors_stopped_total{reason}` and `apply_faults_total{reason}` to a registry, where a
    /// reason is an error code; `lifecycle_transitions_total{kind,state}` and
    /// `lifecycle_illegal_total`; `replays_total{result}`; and `data_moves_total{result}`, whose
    /// result is `done` or an error code.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Running actors stopped because their claims hold no longer";
        registry.register("actors_stopped", help, self.stopped.clone());
        let help = "Actors, providers and bindings that could not be started as the manifest says";
        registry.register("apply_faults", help, self.faults.clone());
        let help = "States that actors and providers came to";
        registry.register("lifecycle_transitions", help, self.entered.clone());
        let help = "Steps of a lifecycle that were refused because they are illegal";
        registry.register("lifecycle_illegal", help, self.illegal.clone());
        let help =
            "Versions of actors that answered calls of the version before, or failed on them";
        registry.register("replays", help, self.replayed.clone());
        let help = "Providers whose data were to be copied to their successors";
        registry.register("data_moves", help, self.moved.clone());
    }

    pub(crate) fn stopped(&self, code: Code) {
        self.stopped.get_or_create(&[("reason", code.as_str())]).inc();
    }

    pub(crate) fn entered(&self, kind: ComponentKind, state: LifecycleState) {
        let labels = [("kind", kind.as_str()), ("state", state.as_str())];
        self.entered.get_or_create(&labels).inc();
    }

    pub(crate) fn replayed(&self, passed: bool) {
        let result = if passed { "passed" } else { "failed" };
        self.replayed.get_or_create(&[("result", result)]).inc();
    }

    pub(crate) fn moved(&self, result: &'static str) {
        self.moved.get_or_create(&[("result", result)]).inc();
    }

    pub(crate) fn illegal(&self) {
        self.illegal.inc();
    }

    pub(crate) fn fault(&self, code: Code) {
        self.faults.get_or_create(&[("reason", code.as_str())]).inc();
    }
}
