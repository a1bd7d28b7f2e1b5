//! The bindings of a change.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use trellis_control::Step;
use trellis_core::{BindingId, CallError, Code};
use trellis_entitlements::BindingSpec;
use trellis_providers_sdk::Binding;

use super::Change;
use super::make::Made;
use super::outcome::{Again, Failed};
use crate::actual::RunningBinding;
use crate::border::Instance;
use crate::key::BindingKey;
use crate::prepare::{PreparedBinding, PreparedProvider};

/// A binding that is not in force yet.
pub(super) struct NewBinding {
    /// The place of its step; none for one that goes with its actor.
    pub(super) place: Option<usize>,
    pub(super) binding: RunningBinding,
    /// Who is to serve it.
    pub(super) instance: Instance,
    pub(super) provider: PreparedProvider,
}

/// The bindings of a change, and those of them that could not be had.
#[derive(Default)]
pub(super) struct Fresh {
    pub(super) outlets: Vec<NewBinding>,
    pub(super) intake: Vec<NewBinding>,
}

impl Fresh {
    /// What they take the place of.
    pub(super) fn replaced(&self) -> HashSet<BindingKey> {
        self.outlets.iter().chain(&self.intake).map(|new| new.binding.key.clone()).collect()
    }
}

impl NewBinding {
    /// What its provider is told.
    pub(super) fn told(&self) -> Binding {
        self.binding.told(&self.provider)
    }

    /// What is to be told when it is not wanted after all.
    pub(super) fn undo(&self) -> (BindingId, Instance) {
        (self.binding.spec.id, self.instance.clone())
    }
}

impl Change {
    /// The bindings that are new: those with a step, and all those of new versions of actors.
    /// Those whose provider could not be had wait with it: that was reported there. A version that
    /// was to replace another is given up with such a provider. What was to change with a version
    /// that was refused waits for it, and says so.
    pub(super) fn fresh_bindings(&mut self, made: &mut Made) -> Fresh {
        let mut steps = HashMap::new();
        for (place, step) in self.steps.iter().enumerate() {
            if let Step::Bind { binding, .. } | Step::Rebind { binding, .. } = step {
                steps.insert((&*binding.actor, &*binding.contract, &*binding.name), place);
            }
        }
        let mut fresh = Fresh::default();
        if steps.is_empty() && made.actors.is_empty() && made.providers.is_empty() {
            return fresh;
        }
        let (mut postponed, mut lacking) = (Vec::new(), BTreeMap::new());
        let (refused, mut waiting) = (self.refused_versions(), Vec::new());
        for binding in &self.desired.prepared.bindings {
            let name = (&*binding.actor, binding.contract.id.as_str(), binding.name.as_str());
            let place = if steps.is_empty() { None } else { steps.get(&name).copied() };
            if place.is_none() && made.caller(&binding.actor).is_none() {
                continue;
            }
            // It waits for the start of that, and is in no version's way.
            if self.desired.prepared.stopped.has_provider(&binding.provider) {
                continue;
            }
            if let Some((code, again)) = refused.get(&*binding.actor) {
                waiting.extend(place.map(|place| (place, waits(&binding.actor, *code), *again)));
                continue;
            }
            let Some(new) = self.new_binding(place, binding, made) else {
                postponed.extend(place);
                lacking.entry(Arc::clone(&binding.actor)).or_insert_with(|| lacks(binding));
                continue;
            };
            let list = if new.binding.is_intake() { &mut fresh.intake } else { &mut fresh.outlets };
            list.push(new);
        }
        self.postponed.extend(postponed);
        for (place, error, again) in waiting {
            self.fail_until(place, error, again);
        }
        for (actor, error) in lacking {
            self.give_up_version(&actor, &error, made, &mut fresh);
            self.give_up_successor(&actor, &error, made, &mut fresh);
        }
        fresh
    }

    /// The actors of which a new version was refused while another one runs.
    fn refused_versions(&self) -> HashMap<&str, (Code, Again)> {
        let failed = self.failed.iter().filter_map(|(place, (error, again))| {
            let Step::ReplaceActor { actor, .. } = self.steps.get(*place)? else { return None };
            Some((&**actor, (error.code(), *again)))
        });
        failed.collect()
    }

    fn new_binding(
        &self,
        place: Option<usize>,
        binding: &PreparedBinding,
        made: &Made,
    ) -> Option<NewBinding> {
        self.shared.look(|actual| {
            let caller = made.caller(&binding.actor);
            let (actor, key) = caller.or_else(|| actual.caller(&binding.actor))?;
            let (target, instance, provider) = match made.providers.get(&binding.provider) {
                Some(new) => (new.target, new.instance.clone(), new.prepared.clone()),
                None => {
                    let running = actual.providers.get(&binding.provider)?;
                    // The one that was to serve this could not be had.
                    if !running.prepared.serves(&binding.contract) {
                        return None;
                    }
                    let instance = actual.instances.get(&running.target)?.clone();
                    (running.target, instance, running.prepared.clone())
                }
            };
            let id = BindingId(actual.next_id());
            let (contract, name) = (Arc::clone(&binding.contract), binding.name.clone());
            let binding = RunningBinding {
                key: binding.key(),
                spec: BindingSpec { id, actor, contract, name, target },
                prepared: binding.clone(),
                actor: key,
            };
            Some(NewBinding { place, binding, instance, provider })
        })
    }

    /// A binding could not be had. A version that was to replace another is given up with it, so
    /// that what works goes on.
    pub(super) fn give_up(
        &mut self,
        new: &NewBinding,
        error: CallError,
        made: &mut Made,
        fresh: &mut Fresh,
    ) {
        self.give_up_version(&new.binding.key.actor, &error, made, fresh);
        self.report(new, error);
    }

    /// Gives up the new version of an actor when there is one and it was to replace another: what
    /// runs has its bindings and goes on.
    fn give_up_version(
        &mut self,
        actor: &Arc<str>,
        error: &CallError,
        made: &mut Made,
        fresh: &mut Fresh,
    ) {
        if !self.shared.look(|actual| actual.actors.contains_key(actor)) {
            return;
        }
        let Some(version) = made.actors.remove(actor) else { return };
        // The module is right: it is the binding that is tried again.
        self.fail_until(version.place, error.clone(), Again::Soon);
        let own = |other: &NewBinding| other.binding.spec.actor == version.id;
        let (gone, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut fresh.outlets).into_iter().partition(own);
        fresh.outlets = kept;
        let (coming, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut fresh.intake).into_iter().partition(own);
        fresh.intake = kept;
        for other in gone.iter().chain(&coming) {
            if let Some(place) = other.place {
                let error = waits(&other.binding.key.actor, error.code());
                self.failed.entry(place).or_insert((error, Again::Soon));
            }
        }
        let told = gone.iter().chain(&coming).map(NewBinding::undo);
        self.shared.tell_unbound(told.collect());
    }

    /// The same for a provider that is bound to something itself. True when there was a successor:
    /// the one that serves on has to be told of its bindings again.
    pub(super) fn give_up_successor(
        &mut self,
        provider: &Arc<str>,
        error: &CallError,
        made: &mut Made,
        fresh: &mut Fresh,
    ) -> bool {
        let one = made.providers.get(provider);
        let succeeds = one.is_some_and(|one| one.succeeds && one.caller.is_some());
        if succeeds {
            self.drop_successor(provider, error.clone(), made, fresh);
        }
        succeeds
    }

    pub(super) fn report(&mut self, new: &NewBinding, error: CallError) {
        match new.place {
            Some(place) => self.fail(place, error),
            None => {
                let provider = new.provider.name.to_string();
                let binding = new.binding.key.to_ref();
                let step = Step::Rebind { binding, provider, leaves: None, changes: Vec::new() };
                self.more_failed.push(Failed { step, error, again: Again::Soon });
            }
        }
    }
}

/// Why a binding does not change: what runs keeps what it has, as a whole.
pub(super) fn waits(actor: &str, code: Code) -> CallError {
    let text = format!(
        "waits for the new version of {actor}, which was refused; the version before keeps the \
         binding it has"
    );
    CallError::new(code, text)
}

/// Why a version is not started: the same in every try, whatever its provider said last.
fn lacks(binding: &PreparedBinding) -> CallError {
    let PreparedBinding { contract, provider, .. } = binding;
    let text = format!(
        "it is bound to {} at provider {provider}, which does not run; the version before goes on",
        contract.id
    );
    CallError::new(Code::Provider, text)
}
