//! What the host's own life counts.

use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use trellis_control::{Component, ComponentKind, LifecycleState};
use trellis_core::Code;

use crate::failure::Failure;

type Label = [(&'static str, &'static str); 1];

/// Most actors and providers that are shown by name.
const COMPONENTS_MAX: usize = 200;

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

/// A registry of how many edits are in force, and how much of them (entries and bytes), to be
/// encoded as any other.
pub(crate) fn edits_registry(count: usize, (entries, bytes): (usize, usize)) -> Registry {
    let gauge = |value: usize| {
        let gauge: Gauge = Gauge::default();
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        gauge
    };
    let (edits, entries, bytes) = (gauge(count), gauge(entries), gauge(bytes));
    let mut registry = Registry::with_prefix("trellis");
    registry.register("edits", "Edits in force, which a restart forgets", edits);
    let help = "Actors, providers and bindings that edits add or change (edit_entries_max)";
    registry.register("edit_entries", help, entries);
    let help = "Names and values of edits in force, in bytes (edit_values_bytes_max)";
    registry.register("edit_values_bytes", help, bytes);
    registry
}

/// A registry of how many streams are open, to be encoded as any other.
pub(crate) fn streams_registry(count: u64) -> Registry {
    let streams: Gauge = Gauge::default();
    streams.set(i64::try_from(count).unwrap_or(i64::MAX));
    let mut registry = Registry::with_prefix("trellis");
    registry.register("streams", "Streams of the admin API that are open", streams);
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

/// A registry of where actors and providers are in their lives: how many are in each state, and
/// which are in one that is worth a look; to be encoded as any other.
pub(crate) fn lifecycle_registry(components: &[Component]) -> Registry {
    let counts: Family<Vec<(&str, String)>, Gauge> = Family::default();
    let notable: Family<Vec<(&str, String)>, Gauge> = Family::default();
    for kind in [ComponentKind::Actor, ComponentKind::Provider] {
        for state in LifecycleState::ALL {
            let labels = vec![("kind", kind.to_string()), ("state", state.to_string())];
            // So that a series is there before it is first needed.
            counts.get_or_create(&labels).set(0);
        }
    }
    let mut shown = 0;
    for Component { kind, name, lifecycle } in components {
        let state = lifecycle.state();
        let labels = vec![("kind", kind.to_string()), ("state", state.to_string())];
        counts.get_or_create(&labels).inc();
        if state != LifecycleState::Ready && shown < COMPONENTS_MAX {
            shown += 1;
            let name = ("name", name.to_string());
            let labels = vec![("kind", kind.to_string()), name, ("state", state.to_string())];
            notable.get_or_create(&labels).set(1);
        }
    }
    let mut registry = Registry::with_prefix("trellis");
    let help = "Actors and providers in each state of their lifecycle";
    registry.register("lifecycle_components", help, counts);
    let help = "1 for the state in which an actor or a provider is that is not ready";
    registry.register("lifecycle_state", help, notable);
    registry
}

/// Counters of changes to a running host. Cheap to clone.
#[derive(Clone, Default, Debug)]
pub(crate) struct Metrics {
    reloads: Family<Label, Counter>,
    problems: Family<Label, Counter>,
    admin_refused: Family<Label, Counter>,
    taken_back: Counter,
    stream_lost: Counter,
    clients_late: Counter,
}

impl Metrics {
    /// Adds `build_info`, `reloads_total{result}`, `manifest_problems_total{reason}`,
    /// `admin_refused_total{code}`, `edits_taken_back_total`, `stream_lost_total`,
    /// `admin_clients_late_total` and `lines_lost_total{stream}`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let info: Family<Label, Gauge> = Family::default();
        info.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        registry.register("build_info", "The version that runs", info);
        registry.register("reloads", "Times the manifest was read again", self.reloads.clone());
        let help = "Edits that the host took back by itself, and rollbacks that could not be had";
        registry.register("edits_taken_back", help, self.taken_back.clone());
        let help = "What streams of the admin API lost: they were read too slowly";
        registry.register("stream_lost", help, self.stream_lost.clone());
        let help = "Connections to the admin API that were closed: their client took too long";
        registry.register("admin_clients_late", help, self.clients_late.clone());
        let help = "What was wrong with manifests and modules that were not applied";
        registry.register("manifest_problems", help, self.problems.clone());
        let help = "Requests that the admin API refused, or that came to nothing";
        registry.register("admin_refused", help, self.admin_refused.clone());
        let help = "Lines of the host that were lost: nobody read them in time, or they could not be written";
        registry.register("lines_lost", help, LINES_LOST.clone());
    }

    pub(crate) fn stream_lost(&self, lost: u64) {
        self.stream_lost.inc_by(lost);
    }

    pub(crate) fn client_late(&self) {
        self.clients_late.inc();
    }

    #[cfg(test)]
    pub(crate) fn clients_late(&self) -> u64 {
        self.clients_late.get()
    }

    pub(crate) fn taken_back(&self) {
        self.taken_back.inc();
    }

    pub(crate) fn applied(&self) {
        self.reloads.get_or_create(&[("result", "applied")]).inc();
    }

    pub(crate) fn admin_refused(&self, code: Code) {
        self.admin_refused.get_or_create(&[("code", code.as_str())]).inc();
    }

    pub(crate) fn refused(&self, failure: &Failure) {
        self.reloads.get_or_create(&[("result", "refused")]).inc();
        for code in failure.codes() {
            self.problems.get_or_create(&[("reason", code.as_str())]).inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode_registry;
    use trellis_control::Lifecycle;

    use super::*;

    #[test]
    fn every_state_is_counted_and_what_is_not_ready_is_named() {
        let component = |number: usize, state| {
            let mut lifecycle = Lifecycle::starting(0);
            lifecycle.enter(state, None, 1).expect("it may");
            Component { kind: ComponentKind::Actor, name: format!("a{number}").into(), lifecycle }
        };
        let many = COMPONENTS_MAX + 2;
        let mut components = vec![component(many, LifecycleState::Ready)];
        components.extend((0..many).map(|n| component(n, LifecycleState::BackingOff)));
        let mut text = String::new();
        encode_registry(&mut text, &lifecycle_registry(&components)).expect("a string takes it");
        for line in [
            "trellis_lifecycle_components{kind=\"actor\",state=\"ready\"} 1",
            "trellis_lifecycle_components{kind=\"actor\",state=\"backing_off\"} 202",
            "trellis_lifecycle_components{kind=\"provider\",state=\"quarantined\"} 0",
            "trellis_lifecycle_state{kind=\"actor\",name=\"a0\",state=\"backing_off\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} not in\n{text}");
        }
        let named = text.lines().filter(|it| it.starts_with("trellis_lifecycle_state{")).count();
        assert_eq!(named, COMPONENTS_MAX);
    }
}
