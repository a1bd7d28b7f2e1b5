//! Tells providers of bindings.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use futures_util::future::join_all;
use trellis_control::Step;
use trellis_core::{BindingId, CallError, Code};
use trellis_entitlements::BindingSpec;

use super::Change;
use super::make::{Made, MadeProvider};
use crate::actual::RunningBinding;
use crate::border::Instance;
use crate::key::BindingKey;
use crate::prepare::{PreparedLink, PreparedProvider};

/// A binding that is not in force yet.
pub(super) struct NewBinding {
    /// The place of its step; none for one that goes with its actor.
    pub(super) place: Option<usize>,
    pub(super) binding: RunningBinding,
    instance: Instance,
    provider: PreparedProvider,
}

/// The bindings of a change, and those of them that could not be had.
#[derive(Default)]
pub(super) struct Fresh {
    pub(super) outlets: Vec<NewBinding>,
    pub(super) intake: Vec<NewBinding>,
}

impl NewBinding {
    async fn tell(&self) -> Result<(), CallError> {
        self.instance.bind(self.binding.told(&self.provider)).await
    }

    /// What is to be told when it is not wanted after all.
    pub(super) fn undo(&self) -> (BindingId, Instance) {
        (self.binding.spec.id, self.instance.clone())
    }
}

impl Change {
    /// The bindings that are new: those with a step, and all those of new versions of actors.
    /// Those whose actor or provider could not be had wait with it: that was reported there.
    pub(super) fn fresh_bindings(&mut self, made: &Made) -> Fresh {
        let mut steps = HashMap::new();
        for (place, step) in self.steps.iter().enumerate() {
            if let Step::Bind { binding, .. } | Step::Rebind { binding, .. } = step {
                steps.insert((&*binding.actor, &*binding.contract, &*binding.name), place);
            }
        }
        let mut fresh = Fresh::default();
        if steps.is_empty() && made.actors.is_empty() {
            return fresh;
        }
        let mut postponed = Vec::new();
        let waiting = self.without_version();
        for link in &self.desired.prepared.links {
            let name = (&*link.actor, link.contract.id.as_str(), link.binding.as_str());
            let place = if steps.is_empty() { None } else { steps.get(&name).copied() };
            if place.is_none() && !made.actors.contains_key(&link.actor) {
                continue;
            }
            let new = self.new_binding(place, link, made);
            let Some(new) = new.filter(|_| !waiting.contains(&*link.actor)) else {
                postponed.extend(place);
                continue;
            };
            let list = if new.binding.is_intake() { &mut fresh.intake } else { &mut fresh.outlets };
            list.push(new);
        }
        self.postponed.extend(postponed);
        fresh
    }

    /// The actors of which a new version was to start and could not.
    fn without_version(&self) -> HashSet<&str> {
        let failed = self.failed.keys().filter_map(|place| self.steps.get(*place));
        let actors = failed.filter_map(|step| match step {
            Step::StartActor { actor, .. } | Step::ReplaceActor { actor, .. } => Some(&**actor),
            _ => None,
        });
        actors.collect()
    }

    fn new_binding(
        &self,
        place: Option<usize>,
        link: &PreparedLink,
        made: &Made,
    ) -> Option<NewBinding> {
        self.shared.look(|actual| {
            let (actor, key) = match made.actors.get(&link.actor) {
                Some(new) => (new.id, new.prepared.verified.claims().key()),
                None => {
                    let running = actual.actors.get(&link.actor)?;
                    (running.id, running.claims().key())
                }
            };
            let (target, instance, provider) = match made.providers.get(&link.provider) {
                Some(new) => (new.target, new.instance.clone(), new.prepared.clone()),
                None => {
                    let running = actual.providers.get(&link.provider)?;
                    let instance = actual.instances.get(&running.target)?.clone();
                    (running.target, instance, running.prepared.clone())
                }
            };
            let id = BindingId(actual.next_id());
            let (contract, name) = (Arc::clone(&link.contract), link.binding.clone());
            let binding = RunningBinding {
                key: link.key(),
                spec: BindingSpec { id, actor, contract, name, target },
                prepared: link.clone(),
                actor: key,
            };
            Some(NewBinding { place, binding, instance, provider })
        })
    }

    /// Binds what actors call out over, and moves the bindings of replaced providers. A new version
    /// of an actor that lacks a binding does not take over, nor does a provider that refuses one.
    pub(super) async fn bind_outlets(&mut self, made: &mut Made, fresh: &mut Fresh) {
        self.move_bindings(made, fresh).await;
        let bound = join_all(fresh.outlets.iter().map(NewBinding::tell)).await;
        let mut refused = Vec::new();
        let (mut kept, mut errors) = (Vec::new(), bound.into_iter());
        for new in std::mem::take(&mut fresh.outlets) {
            match errors.next() {
                Some(Err(error)) => refused.push((new, error)),
                _ => kept.push(new),
            }
        }
        fresh.outlets = kept;
        for (new, error) in refused {
            self.give_up(new, error, made, fresh);
        }
    }

    /// A binding could not be had. A version that was to replace another is given up with it, so
    /// that what works goes on.
    pub(super) fn give_up(
        &mut self,
        new: NewBinding,
        error: CallError,
        made: &mut Made,
        fresh: &mut Fresh,
    ) {
        let actor = Arc::clone(&new.binding.key.actor);
        let replaces = self.shared.look(|actual| actual.actors.contains_key(&actor));
        if let Some(version) = made.actors.get(&actor).filter(|_| replaces) {
            let place = version.place;
            made.actors.remove(&actor);
            self.fail(place, error.clone());
            let own = |other: &NewBinding| other.binding.spec.actor == new.binding.spec.actor;
            let (gone, kept) = std::mem::take(&mut fresh.outlets).into_iter().partition(own);
            fresh.outlets = kept;
            let gone: Vec<NewBinding> = gone;
            self.postponed.extend(gone.iter().filter_map(|other| other.place));
            let coming = fresh.intake.iter().filter(|other| own(other));
            self.postponed.extend(coming.filter_map(|other| other.place));
            fresh.intake.retain(|other| !own(other));
            self.shared.tell_unbound(gone.iter().map(NewBinding::undo).collect());
        }
        self.report(&new, error);
    }

    fn report(&mut self, new: &NewBinding, error: CallError) {
        match new.place {
            Some(place) => self.fail(place, error),
            None => {
                let provider = new.provider.name.to_string();
                let binding = new.binding.key.to_ref();
                self.more_failed.push((Step::Rebind { binding, provider, leaves: None }, error));
            }
        }
    }

    /// Has the successors of providers take over the bindings these serve.
    async fn move_bindings(&mut self, made: &mut Made, fresh: &Fresh) {
        let replaced: HashSet<&BindingKey> =
            fresh.outlets.iter().chain(&fresh.intake).map(|new| &new.binding.key).collect();
        let mut refused = Vec::new();
        for (name, successor) in made.providers.iter().filter(|(_, one)| one.succeeds) {
            if let Err(error) = self.move_all(successor, &replaced).await {
                refused.push((Arc::clone(name), error));
            }
        }
        for (name, error) in refused {
            self.keep_old(&name, error, made).await;
        }
    }

    async fn move_all(
        &self,
        successor: &MadeProvider,
        replaced: &HashSet<&BindingKey>,
    ) -> Result<(), CallError> {
        let serves: Vec<_> = self.shared.look(|actual| {
            let own = actual.bindings.values().filter(|one| one.spec.target == successor.target);
            let in_force = |one: &RunningBinding| {
                actual.current.get(&one.key) == Some(&one.spec.id) && !replaced.contains(&one.key)
            };
            // Over the others no new call comes in; calls that still go out over them may.
            let wanted = own.filter(|one| in_force(one) || !one.is_intake());
            wanted.map(|one| (one.told(&successor.prepared), in_force(one))).collect()
        });
        let told = serves.into_iter().map(|(binding, needed)| async move {
            let actor = binding.actor_name.clone();
            let bound = successor.instance.bind(binding).await;
            bound.or_else(|error| if needed { Err((actor, error)) } else { Ok(()) })
        });
        for moved in join_all(told).await {
            moved.map_err(|(actor, error)| {
                let text = format!("the binding of {actor}: {}", error.message());
                CallError::new(error.code(), text)
            })?;
        }
        Ok(())
    }

    /// A successor could not take over: the one that serves goes on, and is told of its bindings
    /// again, in case the other one took something from it.
    pub(super) async fn keep_old(&mut self, name: &str, error: CallError, made: &mut Made) {
        let Some(successor) = made.providers.remove(name) else { return };
        self.fail(successor.place, error);
        self.shared.discard(successor.instance);
        let serving = self.shared.look(|actual| {
            let running = actual.providers.get(name)?;
            let instance = actual.instances.get(&running.target)?.clone();
            let own = actual.current.values().filter_map(|id| actual.bindings.get(id));
            let own = own.filter(|one| one.spec.target == running.target);
            let told: Vec<_> = own.map(|one| one.told(&running.prepared)).collect();
            Some((instance, told))
        });
        let Some((instance, bindings)) = serving else { return };
        for bound in join_all(bindings.into_iter().map(|one| instance.bind(one))).await {
            if let Err(error) = bound {
                tracing::error!(provider = name, code = error.code().as_str(), "{error}");
            }
        }
    }

    /// A provider that is not well does not take over from one that is, unless that is forced.
    pub(super) async fn judge_health(&mut self, made: &mut Made, fresh: &mut Fresh) {
        if self.desired.options.force {
            return;
        }
        let successors = made.providers.iter().filter(|(_, one)| one.succeeds);
        let asked = successors
            .map(|(name, one)| async move { (Arc::clone(name), one.instance.ailment().await) });
        for (name, ailment) in join_all(asked).await {
            let well = self.is_well(&name);
            if let Some(why) = ailment.filter(|_| well) {
                self.keep_old(&name, worse(&name, &why), made).await;
            }
        }
        self.judge_moves(made, fresh).await;
    }

    async fn judge_moves(&mut self, made: &mut Made, fresh: &mut Fresh) {
        let mut moves = BTreeMap::new();
        for new in &fresh.outlets {
            let Some(Step::Rebind { leaves: Some(old), .. }) =
                new.place.and_then(|place| self.steps.get(place))
            else {
                continue;
            };
            if self.is_well(old) {
                moves.insert(Arc::clone(&new.provider.name), new.instance.clone());
            }
        }
        for (name, instance) in moves {
            let Some(why) = instance.ailment().await else { continue };
            let leaves_for = |new: &NewBinding| {
                let step = new.place.and_then(|place| self.steps.get(place));
                let moved = matches!(step, Some(Step::Rebind { leaves: Some(_), .. }));
                moved && new.provider.name == name
            };
            let (gone, kept): (Vec<_>, Vec<_>) =
                std::mem::take(&mut fresh.outlets).into_iter().partition(leaves_for);
            fresh.outlets = kept;
            self.shared.tell_unbound(gone.iter().map(NewBinding::undo).collect());
            for new in gone {
                self.give_up(new, worse(&name, &why), made, fresh);
            }
        }
    }

    fn is_well(&self, provider: &str) -> bool {
        self.shared.look(|actual| {
            let running = actual.providers.get(provider);
            running.is_some_and(|running| running.ailment.is_none() && running.broken.is_none())
        })
    }

    /// Tells the providers that bring calls in; what is published lets these calls pass already.
    /// One that is refused may wait for what another one gives up, so it is tried again as long as
    /// any succeeds.
    pub(super) async fn bind_intake(&mut self, mut waiting: Vec<NewBinding>) {
        while !waiting.is_empty() {
            let bound = join_all(waiting.iter().map(NewBinding::tell)).await;
            let mut refused = Vec::new();
            let mut taken = Vec::new();
            for (new, bound) in waiting.into_iter().zip(bound) {
                match bound {
                    Ok(()) => taken.push(new),
                    Err(error) => refused.push((new, error)),
                }
            }
            let progress = !taken.is_empty();
            let old = self.shared.look(|actual| {
                taken.iter().filter_map(|new| actual.put_in_force(&new.binding)).collect()
            });
            self.let_go(old);
            if progress && !refused.is_empty() {
                waiting = refused.into_iter().map(|(new, _)| new).collect();
                continue;
            }
            self.shared.edit(|actual| {
                refused.iter().for_each(|(new, _)| drop(actual.forget(new.binding.spec.id)));
            });
            refused.iter().for_each(|(new, error)| self.report(new, error.clone()));
            return;
        }
    }
}

fn worse(provider: &str, why: &str) -> CallError {
    let text = format!(
        "provider {provider} is not well ({why}), and what serves now is; it goes on until that \
         changes, or until the change is forced"
    );
    CallError::new(Code::Provider, text)
}
