//! How the old goes: aside, one piece after the other, within a bound.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use trellis_core::BindingId;
use trellis_entitlements::{ActorId, TargetId};

use crate::actual::{ActualState, RunningProvider};
use crate::border::{Instance, by_instance};
use crate::calls::Calls;
use crate::shared::{DRAIN_MAX, Shared};

/// How long what is not wanted any more is still served, so that what is made may take over from
/// it: a port stays open then.
const SUCCESSOR_WAIT_MAX: Duration = Duration::from_secs(5);

/// An instance of a provider whose successor serves in its place.
pub(crate) struct Outgoing {
    pub(crate) instance: Instance,
    pub(crate) calls: Calls,
    /// As whom it asks for something itself.
    pub(crate) caller: Option<ActorId>,
}

impl Shared {
    /// Has what is not wanted any more served until a change says that it has been replaced, but
    /// not for long. The clock runs beside the change, whatever that waits for, and goes on when
    /// another one follows.
    pub(crate) fn let_outgoing_go_soon(self: &Arc<Self>) {
        let mut patience = self.patience.lock();
        if patience.is_some() {
            return;
        }
        let shared = Arc::downgrade(self);
        let task = tokio::spawn(async move {
            tokio::time::sleep(SUCCESSOR_WAIT_MAX).await;
            if let Some(shared) = shared.upgrade() {
                shared.let_outgoing_go();
            }
        });
        *patience = Some(task.abort_handle());
    }

    /// Lets go what has been replaced: bindings without force, and retired versions that nothing in
    /// force needs any more. Calls stop coming in over all of it in one moment: a server would give
    /// what one of them no longer gets to another that is still there.
    pub(crate) fn let_outgoing_go(self: &Arc<Self>) {
        if let Some(clock) = self.patience.lock().take() {
            clock.abort();
        }
        let (versions, bindings) = self.look(|actual| {
            let (versions, mut bindings) = (actual.leaving(), std::mem::take(&mut actual.outgoing));
            let known: HashSet<_> = bindings.iter().copied().collect();
            let theirs = versions.iter().flat_map(|id| actual.bindings_of(*id).0);
            bindings.extend(theirs.filter(|id| !known.contains(id)));
            (versions, bindings)
        });
        if !bindings.is_empty() {
            self.let_bindings_go(bindings);
        }
        for id in versions {
            let shared = Arc::clone(self);
            self.aside.spawn(async move { shared.let_version_go(id).await });
        }
    }

    /// First calls stop coming in, then those it has end, then it may ask for nothing any more, and
    /// last its providers forget it.
    async fn let_version_go(&self, id: ActorId) {
        let until = Instant::now() + DRAIN_MAX;
        let life = self.look(|actual| Some(Arc::clone(&actual.retired.get(&id)?.life)));
        life.into_iter().for_each(|life| life.drains());
        self.wait_for(until, |actual| actual.bindings_of(id).0.is_empty()).await;
        let route = self.edit(|actual| {
            // What has not ended by now is cut.
            actual.bindings_of(id).0.into_iter().for_each(|id| drop(actual.forget(id)));
            let version = actual.retired.get(&id)?;
            let (target, route) = (version.target, version.route.clone());
            actual.road.routes.remove(target);
            Some(route)
        });
        self.let_go.notify_waiters();
        // Without one, it was expelled meanwhile.
        let Some(route) = route else { return };
        if timeout_at(until, route.gone()).await.is_err() {
            tracing::warn!(drain_s = DRAIN_MAX.as_secs(), "calls of a replaced actor were cut");
        }
        let outlets = self.edit(|actual| {
            let name = actual.retired.get(&id).map(|version| Arc::clone(&version.prepared.name));
            name.map_or_else(Vec::new, |name| actual.expel(&name, id))
        });
        unbind(&outlets, Instant::now() + DRAIN_MAX).await;
        self.let_go.notify_waiters();
    }

    /// Tells providers of bindings that were taken away.
    pub(crate) fn tell_unbound(self: &Arc<Self>, bindings: Vec<(BindingId, Instance)>) {
        if bindings.is_empty() {
            return;
        }
        let shared = Arc::clone(self);
        self.aside.spawn(async move {
            unbind(&bindings, Instant::now() + DRAIN_MAX).await;
            shared.let_go.notify_waiters();
        });
    }

    /// Tells an instance that serves of bindings that were taken away while it learned of them: it
    /// may have heard of that before.
    pub(crate) fn take_back(self: &Arc<Self>, told: Vec<BindingId>, instance: &Instance) {
        let gone = self.look(|actual| actual.gone_of(told, instance));
        self.tell_unbound(gone);
    }

    /// Lets bindings go. Where calls come in, each provider stops taking them, over all of them in
    /// one moment, and then these go; elsewhere the actor cannot use it any more, and its provider
    /// forgets it when the calls that went out over it before have ended.
    pub(crate) fn let_bindings_go(self: &Arc<Self>, bindings: Vec<BindingId>) {
        let (intake, outlets) = self.edit(|actual| {
            let mut intake: BTreeMap<TargetId, Vec<BindingId>> = BTreeMap::new();
            let mut outlets = Vec::new();
            for id in bindings {
                let Some(binding) = actual.bindings.get(&id) else { continue };
                if binding.is_intake() {
                    intake.entry(binding.spec.target).or_default().push(id);
                } else {
                    outlets.push((binding.spec.target, id));
                    actual.road.entitlements.unbind(id);
                }
            }
            (intake, self.grace(actual, outlets))
        });
        for ids in intake.into_values() {
            let shared = Arc::clone(self);
            self.aside.spawn(async move {
                let intake = shared.look(|actual| {
                    let served = |id: &BindingId| Some((*id, actual.instance_of(*id)?.clone()));
                    ids.iter().filter_map(served).collect::<Vec<_>>()
                });
                shared.end_intake(&intake, Instant::now() + DRAIN_MAX).await;
                shared.edit(|actual| ids.iter().for_each(|id| drop(actual.forget(*id))));
                shared.let_go.notify_waiters();
            });
        }
        for (calls, ids) in outlets {
            let shared = Arc::clone(self);
            self.aside.spawn(async move {
                // Past that time a call that is still out finds its binding gone.
                let _ = timeout_at(Instant::now() + DRAIN_MAX, calls.ended()).await;
                let gone: Vec<_> =
                    shared.look(|actual| ids.iter().filter_map(|id| actual.forget(*id)).collect());
                unbind(&gone, Instant::now() + DRAIN_MAX).await;
                shared.let_go.notify_waiters();
            });
        }
    }

    /// For each provider the calls that began before now.
    fn grace(
        &self,
        actual: &mut ActualState,
        outlets: Vec<(TargetId, BindingId)>,
    ) -> Vec<(Calls, Vec<BindingId>)> {
        let mut by_target: BTreeMap<TargetId, Vec<BindingId>> = BTreeMap::new();
        for (target, id) in outlets {
            by_target.entry(target).or_default().push(id);
        }
        let mut graces = Vec::new();
        for (target, ids) in by_target {
            let provider = actual.providers.values_mut().find(|known| known.target == target);
            // One that is itself being let go waits for its last call anyway.
            let Some(provider) = provider else { continue };
            let Some(renewed) = actual.road.routes.renew(target) else { continue };
            graces.push((provider.calls.renew(renewed), ids));
        }
        graces
    }

    /// Lets a provider go that lost its name, with its instance if it has one: once nothing is
    /// bound to it any more, and its last call has ended. Until then it may ask for what it is
    /// bound to.
    pub(crate) fn let_provider_go(
        self: &Arc<Self>,
        provider: RunningProvider,
        instance: Option<Instance>,
    ) {
        let RunningProvider { target, calls, caller, .. } = provider;
        instance.iter().for_each(|instance| instance.life().drains());
        let shared = Arc::clone(self);
        self.aside.spawn(async move {
            let until = Instant::now() + DRAIN_MAX;
            let unused = |actual: &ActualState| {
                !actual.bindings.values().any(|binding| binding.spec.target == target)
            };
            // Of one that is expelled nothing is bound any more.
            shared.wait_for(until, unused).await;
            let known = shared.edit(|actual| {
                actual.road.routes.remove(target);
                actual.instances.remove(&target)
            });
            drop(known);
            if let Some(instance) = instance {
                instance.finish(&calls, until).await;
                instance.shut_down(Instant::now() + DRAIN_MAX).await;
            }
            shared.silence(caller).await;
        });
    }

    /// Lets an instance go whose successor serves in its place already, once the other end of
    /// `relieved` is gone: until then calls come in through it.
    pub(crate) fn let_instance_go(
        self: &Arc<Self>,
        target: TargetId,
        old: Outgoing,
        mut relieved: watch::Receiver<()>,
    ) {
        let Outgoing { instance, calls, caller } = old;
        instance.life().drains();
        self.look(|actual| *actual.finishing.entry(target).or_default() += 1);
        let shared = Arc::clone(self);
        self.aside.spawn(async move {
            // Nothing is ever sent: this ends when the change has ended, however it did.
            let _ = instance.unless_expelled(relieved.changed()).await;
            let until = Instant::now() + DRAIN_MAX;
            instance.finish(&calls, until).await;
            instance.shut_down(until).await;
            shared.silence(caller).await;
            shared.look(|actual| {
                if let Some(left) = actual.finishing.get_mut(&target) {
                    *left -= 1;
                }
                actual.finishing.retain(|_, left| *left > 0);
            });
            shared.let_go.notify_waiters();
        });
    }

    /// Has providers stop bringing calls in over bindings, the instances included that finish
    /// beside their successors; done by `until` in any case.
    async fn end_intake(&self, bindings: &[(BindingId, Instance)], until: Instant) {
        unbind(bindings, until).await;
        let targets: Vec<_> = self.look(|actual| {
            let binding = |(id, _): &(BindingId, Instance)| actual.bindings.get(id);
            bindings.iter().filter_map(binding).map(|binding| binding.spec.target).collect()
        });
        let finished = |actual: &ActualState| {
            !targets.iter().any(|target| actual.finishing.contains_key(target))
        };
        self.wait_for(until, finished).await;
    }

    /// A provider that is gone may ask for nothing any more, and what it was bound to forgets it.
    async fn silence(&self, caller: Option<ActorId>) {
        let Some(caller) = caller else { return };
        let unbound = self.edit(|actual| actual.silence(caller));
        unbind(&unbound, Instant::now() + DRAIN_MAX).await;
        self.let_go.notify_waiters();
    }

    /// Ends an instance that may not run any more: what it has is cut.
    pub(crate) fn end_at_once(&self, instance: Instance) {
        self.aside.spawn(async move { instance.end().await });
    }

    /// Lets an instance go that never served.
    pub(crate) fn discard(&self, instance: Instance) {
        self.aside.spawn(async move { instance.shut_down(Instant::now() + DRAIN_MAX).await });
    }
}

async fn unbind(bindings: &[(BindingId, Instance)], until: Instant) {
    let of_instance = by_instance(bindings.iter().cloned());
    join_all(of_instance.iter().map(|(instance, ids)| instance.unbind_all(ids.clone(), until)))
        .await;
}
