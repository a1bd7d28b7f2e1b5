//! The one moment at which the new takes over.

use std::sync::Arc;

use tokio::sync::watch;
use trellis_core::CallError;
use trellis_dispatch::Target;
use trellis_entitlements::PrincipalSpec;
use trellis_targets::ActorTarget;
use trellis_targets::replay::KeepingTarget;

use super::Change;
use super::bind::{Fresh, NewBinding};
use super::loads::MadeActor;
use super::make::{Made, MadeProvider};
use super::replay;
use crate::actual::{ActualState, RunningActor, RunningProvider};
use crate::calls::Calls;
use crate::desired::{Moment, vouch, vouch_for_provider};
use crate::prepare::PreparedProvider;
use crate::retire::Outgoing;

impl Change {
    /// Publishes names, rights and routes of everything that was made, all at once; then lets go
    /// what it took over from; instances of providers when the other end of `relieved` is gone.
    /// Gives the bindings over which calls are to come in.
    pub(super) fn take_over(
        &mut self,
        made: Made,
        fresh: Fresh,
        relieved: &watch::Receiver<()>,
    ) -> Vec<NewBinding> {
        let shared = Arc::clone(&self.shared);
        let (mut instances, mut never_served) = (Vec::new(), Vec::new());
        let (mut refused, mut unbound, mut intake) = (Vec::new(), Vec::new(), Vec::new());
        let old = shared.edit(|actual| {
            // Where they allow less they did so before.
            actual.road.entitlements.set_rules(self.desired.options.rules);
            for mut one in made.providers.into_values() {
                if let Err(error) = self.check_provider(actual, &one.prepared) {
                    refused.push((one.place, error));
                    never_served.push(one.instance);
                    continue;
                }
                let (target, told) = (one.target, std::mem::take(&mut one.told));
                unbound.extend(actual.gone_of(told, &one.instance));
                let old = self.install_provider(actual, one);
                self.succeeded.extend(old.as_ref().map(|_| target));
                instances.extend(old.map(|old| (target, old)));
            }
            for actor in made.actors.into_values() {
                if let Err((place, error)) = self.install_actor(actual, actor) {
                    refused.push((place, error));
                }
            }
            let (in_force, prepared) = (actual.current.len(), &self.desired.prepared);
            actual.left.forget(in_force, |actor| prepared.key_of(actor).is_some());
            let mut old = Vec::new();
            let Fresh { outlets, intake: coming } = fresh;
            for new in outlets.into_iter().chain(coming) {
                // Its actor or its provider may have lost its trust just now.
                let serving = actual.instances.get(&new.binding.spec.target);
                let is_served = serving.is_some_and(|instance| instance.is(&new.instance));
                if !actual.runs(new.binding.spec.actor, &new.binding.key.actor) || !is_served {
                    unbound.push(new.undo());
                    self.postponed.extend(new.place);
                    continue;
                }
                actual.add(new.binding.clone());
                if new.binding.is_intake() {
                    intake.push(new);
                } else {
                    old.extend(actual.put_in_force(&new.binding));
                }
            }
            old
        });
        refused.into_iter().for_each(|(place, error)| self.fail(place, error));
        self.let_go(old);
        shared.tell_unbound(unbound);
        // Nobody vouches for these any more.
        never_served.into_iter().for_each(|instance| shared.end_at_once(instance));
        for (target, old) in instances {
            self.relieved.extend(Some(&old.instance).filter(|it| it.is_server()).cloned());
            shared.let_instance_go(target, old, relieved.clone());
        }
        intake
    }

    /// Trust and time may have changed while it was made.
    fn check_provider(
        &self,
        actual: &ActualState,
        provider: &PreparedProvider,
    ) -> Result<(), CallError> {
        let now = Moment::of(&*self.shared.clock);
        Ok(vouch_for_provider(provider, actual.trust.as_ref(), &now)?)
    }

    fn install_provider(&self, actual: &mut ActualState, made: MadeProvider) -> Option<Outgoing> {
        let MadeProvider { target, caller, prepared, instance, .. } = made;
        let answers = instance.target();
        let (route, handle) = self.shared.dispatcher.route(&prepared.name, answers);
        actual.road.routes.put(target, route);
        if let (Some(id), Some(module)) = (caller, &prepared.module) {
            let (name, claims) = (Arc::clone(&prepared.name), Arc::clone(module.verified.claims()));
            actual.road.entitlements.add_caller(PrincipalSpec { id, target, name, claims });
        }
        let old = actual.instances.insert(target, instance);
        let name = Arc::clone(&prepared.name);
        let calls = match actual.providers.get_mut(&name) {
            Some(before) => before.calls.handed_over(handle),
            None => Calls::on(handle),
        };
        let running = RunningProvider { target, caller, prepared, calls, broken: None };
        let before = actual.providers.insert(name, running);
        let (instance, before) = old.zip(before)?;
        Some(Outgoing { instance, calls: before.calls, caller: before.caller })
    }

    /// Trust and time may have changed while it was loaded.
    fn install_actor(
        &mut self,
        actual: &mut ActualState,
        made: MadeActor,
    ) -> Result<(), (usize, CallError)> {
        let MadeActor { place, id, target, prepared, engine, life, kept, replayed } = made;
        let now = Moment::of(&*self.shared.clock);
        vouch(&prepared.verified, actual.trust.as_ref(), &now)
            .map_err(|error| (place, error.into()))?;
        let answers: Arc<dyn Target> = match &kept {
            Some(kept) => {
                kept.bound(replay::bounds(&prepared));
                Arc::new(KeepingTarget::new(engine.clone(), Arc::clone(kept)))
            }
            None => Arc::new(ActorTarget::new(engine.clone())),
        };
        let notes = replayed.map(|replayed| format!("actor {}: {replayed}", prepared.name));
        self.notes.extend(notes);
        let (on_road, route) = self.shared.dispatcher.route(&prepared.name, answers);
        actual.road.routes.put(target, on_road);
        let leaving = false;
        actual.install(RunningActor { id, target, prepared, engine, route, leaving, life, kept });
        Ok(())
    }
}
