//! What the host's own life counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::failure::Failure;

type Label = [(&'static str, &'static str); 1];

/// Counters of changes to a running host. Cheap to clone.
#[derive(Clone, Default, Debug)]
pub(crate) struct Metrics {
    reloads: Family<Label, Counter>,
    problems: Family<Label, Counter>,
}

impl Metrics {
    /// Adds `build_info`, `reloads_total{result}` and `manifest_problems_total{reason}`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let info: Family<Label, Gauge> = Family::default();
        info.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        registry.register("build_info", "The version that runs", info);
        registry.register("reloads", "Times the manifest was read again", self.reloads.clone());
        let help = "What was wrong with manifests and modules that were not applied";
        registry.register("manifest_problems", help, self.problems.clone());
    }

    pub(crate) fn applied(&self) {
        self.reloads.get_or_create(&[("result", "applied")]).inc();
    }

    pub(crate) fn refused(&self, failure: &Failure) {
        self.reloads.get_or_create(&[("result", "refused")]).inc();
        for code in failure.codes() {
            self.problems.get_or_create(&[("reason", code.as_str())]).inc();
        }
    }
}
