//! What the host's own life counts.

use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::failure::Failure;

type Label = [(&'static str, &'static str); 1];

/// One for the process, as its streams are: lines are lost before there is a host, too.
static LINES_LOST: LazyLock<Family<Label, Counter>> = LazyLock::new(Family::default);

/// The counter of lines that one of the process's streams lost.
pub(crate) fn lines_lost(stream: &'static str) -> Counter {
    LINES_LOST.get_or_create(&[("stream", stream)]).clone()
}

/// A registry of how long the change under way takes so far, to be encoded as any other.
pub(crate) fn change_registry(taken: Duration) -> Registry {
    let seconds: Gauge<f64, AtomicU64> = Gauge::default();
    seconds.set(taken.as_secs_f64());
    let mut registry = Registry::with_prefix("trellis");
    let help = "Time that the change under way takes so far; 0 when there is none";
    registry.register_with_unit("change", help, Unit::Seconds, seconds);
    registry
}

/// A registry of how many things `/readyz` lists, to be encoded as any other.
pub(crate) fn degraded_registry(count: usize) -> Registry {
    let degraded: Gauge = Gauge::default();
    degraded.set(i64::try_from(count).unwrap_or(i64::MAX));
    let mut registry = Registry::with_prefix("trellis");
    let help = "Things that are not as they should be, as /readyz lists them";
    registry.register("degraded", help, degraded);
    registry
}

/// Counters of changes to a running host. Cheap to clone.
#[derive(Clone, Default, Debug)]
pub(crate) struct Metrics {
    reloads: Family<Label, Counter>,
    problems: Family<Label, Counter>,
}

impl Metrics {
    /// Adds `build_info`, `reloads_total{result}`, `manifest_problems_total{reason}` and
    /// `lines_lost_total{stream}`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let info: Family<Label, Gauge> = Family::default();
        info.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        registry.register("build_info", "The version that runs", info);
        registry.register("reloads", "Times the manifest was read again", self.reloads.clone());
        let help = "What was wrong with manifests and modules that were not applied";
        registry.register("manifest_problems", help, self.problems.clone());
        let help = "Lines of the host that were lost: nobody read them in time, or they could not be written";
        registry.register("lines_lost", help, LINES_LOST.clone());
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
