//! Where everything that runs is in its life: kept, told in the log, and counted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::Notify;
use trellis_claims::Clock;
use trellis_control::{Cause, Component, ComponentKind, Lifecycle, LifecycleState};
use trellis_core::{CallError, Code};
use trellis_providers_sdk::Restart;
use trellis_targets::Overseer;

use crate::metrics::Metrics;
use crate::witness::Witness;

/// The lifecycles of all versions of actors and all instances of providers that there are, with a
/// name and without.
pub(crate) struct Lifecycles {
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    lives: Mutex<Lives>,
    /// A provider may be in another state than it last said.
    pub(crate) health_changed: Notify,
    /// Something failed, recovered, or is well or not other than before.
    pub(crate) changed: Notify,
    /// Something began or ended since somebody looked.
    stale: AtomicBool,
    /// Who is told of every step.
    pub(crate) witness: OnceLock<Arc<dyn Witness>>,
}

#[derive(Default)]
struct Lives {
    last_id: u64,
    all: BTreeMap<u64, Weak<Life>>,
}

/// The life of one version of an actor, or one instance of a provider. It is stopped once nobody
/// has it any more.
pub(crate) struct Life {
    id: u64,
    kind: ComponentKind,
    name: ArcSwap<Arc<str>>,
    lifecycle: Mutex<Lifecycle>,
    all: Arc<Lifecycles>,
}

impl Lifecycles {
    pub(crate) fn new(clock: Arc<dyn Clock>, metrics: Metrics) -> Self {
        Self {
            clock,
            metrics,
            lives: Mutex::default(),
            health_changed: Notify::new(),
            changed: Notify::new(),
            stale: AtomicBool::default(),
            witness: OnceLock::new(),
        }
    }

    /// Something is being made.
    pub(crate) fn begin(self: &Arc<Self>, kind: ComponentKind, name: &Arc<str>) -> Arc<Life> {
        let lifecycle = Lifecycle::starting(self.clock.now_unix_s());
        let (name, lifecycle) = (ArcSwap::from_pointee(Arc::clone(name)), Mutex::new(lifecycle));
        let mut lives = self.lives.lock();
        lives.last_id += 1;
        let id = lives.last_id;
        let life = Arc::new(Life { id, kind, name, lifecycle, all: Arc::clone(self) });
        lives.all.insert(id, Arc::downgrade(&life));
        life
    }

    /// An actor goes on with other keys than it had.
    pub(crate) fn left_behind(&self, actor: &str, why: &str) {
        if let Some(witness) = self.witness.get() {
            witness.left_behind(actor, why);
        }
    }

    /// Everything that there is, but for what has stopped.
    pub(crate) fn components(&self) -> Vec<Component> {
        // Dropping the last reference takes the lock.
        let lives: Vec<_> = self.lives.lock().all.values().cloned().collect();
        let components = lives.iter().filter_map(Weak::upgrade).map(|life| life.component());
        { components }.filter(|it| it.lifecycle.state() != LifecycleState::Stopped).collect()
    }

    /// True once after something began or ended, of which nobody is told at once: it may be one of
    /// thousands.
    pub(crate) fn take_stale(&self) -> bool {
        // Relaxed: one that is missed is seen the next time.
        self.stale.swap(false, Ordering::Relaxed)
    }
}

impl Life {
    /// It runs.
    pub(crate) fn is_made(&self) {
        self.step(|_| Some((LifecycleState::Ready, None)));
    }

    /// It takes no new calls.
    pub(crate) fn drains(&self) {
        self.step(|_| Some((LifecycleState::Draining, None)));
    }

    /// It has let go of everything.
    pub(crate) fn stops(&self) {
        self.step(|_| Some((LifecycleState::Stopped, None)));
    }

    /// What it says of how it is; true when that is news. What failed says nothing of itself until
    /// it has recovered, and what is let go need not be well.
    pub(crate) fn is(&self, ailment: Option<String>) -> bool {
        self.step(|now| {
            let (state, cause) = match ailment {
                Some(why) => (LifecycleState::Degraded, Some(cause(Code::Provider, why))),
                None => (LifecycleState::Ready, None),
            };
            let listens = matches!(
                now.state(),
                LifecycleState::Starting | LifecycleState::Ready | LifecycleState::Degraded
            );
            let is_news = now.state() != state || now.cause() != cause.as_ref();
            (listens && is_news).then_some((state, cause))
        })
    }

    /// What nothing else has since the start of the host.
    pub(crate) const fn id(&self) -> u64 {
        self.id
    }

    /// What it is spoken of by.
    pub(crate) fn name(&self) -> Arc<str> {
        Arc::clone(&**self.name.load())
    }

    /// It is spoken of by another name.
    pub(crate) fn rename(&self, name: &Arc<str>) {
        self.name.store(Arc::new(Arc::clone(name)));
    }

    /// True when nothing ails it.
    pub(crate) fn is_well(&self) -> bool {
        self.lifecycle.lock().state() == LifecycleState::Ready
    }

    /// Tells whoever wants to know.
    fn show(&self, before: LifecycleState, lifecycle: &Lifecycle, name: &Arc<str>) {
        let Some(witness) = self.all.witness.get() else { return };
        let (name, lifecycle) = (Arc::clone(name).into(), lifecycle.clone());
        witness.entered(&Component { kind: self.kind, name, lifecycle }, before);
    }

    fn component(&self) -> Component {
        let lifecycle = self.lifecycle.lock().clone();
        Component { kind: self.kind, name: self.name().into(), lifecycle }
    }

    /// Takes the step that is to be taken from where it is now, if that is legal; true when
    /// anything is another.
    fn step(
        &self,
        decide: impl FnOnce(&Lifecycle) -> Option<(LifecycleState, Option<Cause>)>,
    ) -> bool {
        let now = self.all.clock.now_unix_s();
        let (next, entered, lifecycle) = {
            let mut lifecycle = self.lifecycle.lock();
            let Some((next, cause)) = decide(&lifecycle) else { return false };
            let entered = lifecycle.enter(next, cause, now);
            (next, entered, lifecycle.clone())
        };
        let name = self.name.load();
        match entered {
            Ok(Some(before)) => {
                self.all.metrics.entered(self.kind, next);
                self.show(before, &lifecycle, &name);
                if is_in_life(before) && is_in_life(next) {
                    tell((self.kind, &name), before, &lifecycle);
                    self.all.changed.notify_one();
                } else {
                    // Relaxed: see `take_stale`.
                    self.all.stale.store(true, Ordering::Relaxed);
                }
            }
            Ok(None) => self.all.changed.notify_one(),
            Err(illegal) => {
                // Such as the end of a process that was told to end.
                self.all.metrics.illegal();
                let (kind, from, to) = (self.kind, illegal.from, illegal.to);
                tracing::debug!("{kind} {name} is {from}, and does not become {to}");
            }
        }
        entered.is_ok()
    }
}

impl Overseer for Life {
    fn name(&self) -> Arc<str> {
        Self::name(self)
    }

    fn failed(&self, next: Restart, why: &CallError) {
        let now = self.all.clock.now_unix_s();
        let retry_unix_s = Some(now + next.pause().as_secs_f64().ceil() as u64);
        let why = why.message().to_owned();
        let (state, cause) = match next {
            Restart::AtOnce => (LifecycleState::Restarting, cause(Code::Provider, why)),
            Restart::BackOff(_) => {
                let cause = Cause { retry_unix_s, ..cause(Code::CrashLoop, why) };
                (LifecycleState::BackingOff, cause)
            }
            Restart::Quarantine(_) => {
                let cause = Cause { retry_unix_s, ..cause(Code::CrashLoop, why) };
                (LifecycleState::Quarantined, cause)
            }
        };
        self.step(|_| Some((state, Some(cause))));
    }

    fn recovered(&self) {
        self.step(|_| Some((LifecycleState::Ready, None)));
    }

    fn health_changed(&self) {
        self.all.health_changed.notify_one();
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.stops();
        self.all.lives.lock().all.remove(&self.id);
    }
}

/// True for what runs or is to run, and is not well.
pub(crate) fn is_unwell(lifecycle: &Lifecycle) -> bool {
    lifecycle.state() == LifecycleState::Degraded || lifecycle.state().is_failed()
}

const fn cause(code: Code, why: String) -> Cause {
    Cause { code, why, retry_unix_s: None }
}

/// True between the beginning and the end, of which a change tells.
const fn is_in_life(state: LifecycleState) -> bool {
    !matches!(state, LifecycleState::Starting | LifecycleState::Draining | LifecycleState::Stopped)
}

/// Tells the log, once for each step.
fn tell((kind, name): (ComponentKind, &str), before: LifecycleState, now: &Lifecycle) {
    let (actor, provider) = match kind {
        ComponentKind::Actor => (Some(name), None),
        ComponentKind::Provider => (None, Some(name)),
    };
    let state = now.state().as_str();
    let (code, why) = now.cause().map_or(("", ""), |cause| (cause.code.as_str(), &*cause.why));
    match now.state() {
        LifecycleState::Degraded | LifecycleState::Restarting => {
            tracing::warn!(actor, provider, state, code, "{state}: {why}");
        }
        LifecycleState::BackingOff => {
            tracing::error!(
                actor,
                provider,
                state,
                code,
                "it fails again and again, and is left alone for a while: {why}"
            );
        }
        LifecycleState::Quarantined => {
            tracing::error!(
                actor,
                provider,
                state,
                code,
                "quarantined: no back-off helped, and it is only tried now and then: {why}"
            );
        }
        _ if before == LifecycleState::Degraded => {
            tracing::info!(actor, provider, state, "healthy again");
        }
        _ => tracing::info!(actor, provider, state, "it runs again; it was {before}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;
    use trellis_claims::FixedClock;

    use super::*;

    #[test]
    fn an_illegal_step_is_refused_and_counted() {
        let metrics = Metrics::default();
        let lifecycles = Lifecycles::new(Arc::new(FixedClock::at(100)), metrics.clone());
        let life = Arc::new(lifecycles).begin(ComponentKind::Provider, &"geo".into());
        life.is_made();
        life.drains();
        let ended = CallError::new(Code::Provider, "it ended");
        life.failed(Restart::BackOff(Duration::from_secs(1)), &ended);
        assert_eq!(life.component().lifecycle.state(), LifecycleState::Draining);
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).expect("a string takes it");
        for line in [
            "lifecycle_illegal_total 1",
            "lifecycle_transitions_total{kind=\"provider\",state=\"ready\"} 1",
            "lifecycle_transitions_total{kind=\"provider\",state=\"draining\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} not in\n{text}");
        }
        assert!(!text.contains("backing_off"), "{text}");
    }

    #[test]
    fn what_nobody_has_any_more_is_not_listed() {
        let clock = Arc::new(FixedClock::at(100));
        let lifecycles = Arc::new(Lifecycles::new(clock, Metrics::default()));
        let name = Arc::from("counter");
        let (one, other) = (
            lifecycles.begin(ComponentKind::Actor, &name),
            lifecycles.begin(ComponentKind::Actor, &name),
        );
        assert_eq!(lifecycles.components().len(), 2);
        drop(one);
        other.stops();
        assert_eq!(lifecycles.components(), []);
        assert!(lifecycles.take_stale() && !lifecycles.take_stale());
    }
}
