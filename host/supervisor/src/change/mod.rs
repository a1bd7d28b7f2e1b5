//! Carries out the steps of a change.
//!
//! Which steps there are was planned. A step that fails leaves in place what it was to replace:
//! what has to stay with it is all that is decided here. The order keeps calls alive. First acts
//! what takes rights away. Then the new is made beside the old and bound to the providers it calls,
//! and those that bring calls in reserve what they need. Then one publish gives it names, rights
//! and routes. Then the providers that bring calls in learn of it, because the first call may come
//! before they have answered. And last the old is let go, which nobody waits for, but until servers
//! that were replaced have left their doors.

mod bind;
mod health;
mod idle;
mod intake;
mod left_behind;
pub(crate) mod loads;
mod make;
mod moves;
pub(crate) mod outcome;
mod outlets;
mod ready;
pub(crate) mod replay;
mod restore;
mod swap;
mod take_over;
mod undo;
mod weigh;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::Instant;
use trellis_claims::ActorClaims;
use trellis_control::{Moved, Step};
use trellis_core::{BindingId, CallError};
use trellis_entitlements::TargetId;

use self::loads::Loads;
use self::outcome::{Again, Failed, Outcome};
use crate::actual::{ActualState, RunningActor};
use crate::border::Instance;
use crate::desired::Desired;
use crate::key::BindingKey;
use crate::prepare::{Prepared, PreparedActor, PreparedProvider};
use crate::shared::{DRAIN_MAX, Shared};

/// One change on its way.
pub(crate) struct Change {
    shared: Arc<Shared>,
    desired: Arc<Desired>,
    steps: Vec<Step>,
    /// True once something newer is wanted.
    superseded: watch::Receiver<bool>,
    /// The modules it loads; at first those that a change before left to it.
    loads: Loads,
    /// The steps that failed, by their place.
    failed: BTreeMap<usize, (CallError, Again)>,
    /// What failed beside the steps: a binding that was to go with its actor.
    more_failed: Vec<Failed>,
    /// Steps that have to wait for one that failed.
    postponed: BTreeSet<usize>,
    /// The steps that are done before anything takes over, and stay done if nothing does.
    done_before: BTreeSet<usize>,
    /// What the providers serve that another instance serves now than when the change began.
    succeeded: BTreeSet<TargetId>,
    /// What is to be known of what was done.
    notes: Vec<String>,
    /// What bindings have no more, though it is somewhere else.
    left_behind: Vec<String>,
    /// What providers kept and is with their successors now.
    moved: Vec<Moved>,
    /// Servers whose successors serve.
    relieved: Vec<Instance>,
}

impl Change {
    pub(crate) fn new(
        shared: Arc<Shared>,
        desired: Arc<Desired>,
        steps: Vec<Step>,
        superseded: watch::Receiver<bool>,
        loads: Loads,
    ) -> Self {
        Self {
            shared,
            desired,
            steps,
            superseded,
            loads,
            failed: BTreeMap::new(),
            more_failed: Vec::new(),
            postponed: BTreeSet::new(),
            done_before: BTreeSet::new(),
            succeeded: BTreeSet::new(),
            notes: Vec::new(),
            left_behind: Vec::new(),
            moved: Vec::new(),
            relieved: Vec::new(),
        }
    }

    pub(crate) async fn carry_out(mut self) -> Outcome {
        self.check_revisions();
        self.check_provider_revisions();
        let before = self.look_before().await;
        self.shrink();
        let Some(mut made) = self.make().await else { return self.leaves_off(before) };
        self.swap_contested().await;
        if *self.superseded.borrow() {
            self.leave(made);
            return self.leaves_off(before);
        }
        let fresh = self.fresh_bindings(&mut made);
        let Some((mut made, mut fresh)) = self.get_ready(made, fresh).await else {
            return self.leaves_off(before);
        };
        let Some(held) = self.move_data(&mut made, &mut fresh).await else {
            self.undo(made, &fresh).await;
            return self.leaves_off(before);
        };
        // A server that is replaced serves until its successor has all its bindings.
        let (relief, relieved) = watch::channel(());
        let intake = self.take_over(made, fresh, &relieved);
        drop(held);
        self.unbind(true);
        let made_way = self.bind_intake(intake).await;
        drop(relief);
        self.let_providers_go();
        self.tell_left_behind(before).await;
        if made_way {
            let left = std::mem::take(&mut self.loads);
            return Outcome { superseded: true, left, failed: Vec::new(), ..self.outcome() };
        }
        self.shared.let_outgoing_go();
        self.servers_leave().await;
        self.outcome()
    }

    /// Servers that were replaced leave their doors: whoever is told that the change is done meets
    /// none of them there.
    async fn servers_leave(&mut self) {
        let until = Instant::now() + DRAIN_MAX;
        let relieved = std::mem::take(&mut self.relieved);
        join_all(relieved.iter().map(|server| server.leave(until))).await;
    }

    /// The actors that steps want, with the places of these.
    fn wanted_actors(&self) -> Vec<(usize, &PreparedActor)> {
        let Prepared { actors, places, .. } = &self.desired.prepared;
        let wanted = self.steps.iter().enumerate().filter_map(|(place, step)| match step {
            Step::StartActor { actor, .. } | Step::ReplaceActor { actor, .. } => {
                Some((place, &actors[places.of_actor(actor)?]))
            }
            _ => None,
        });
        wanted.collect()
    }

    /// The providers that steps want and nothing refused, with the places of these; those that
    /// calls wait for apart.
    fn wanted_providers(&self, contested: bool) -> Vec<(usize, &PreparedProvider)> {
        let providers = &self.desired.prepared.providers;
        let named = |name: &str| providers.iter().find(|provider| *provider.name == *name);
        let wanted = self.steps.iter().enumerate().filter_map(|(place, step)| match step {
            Step::StartProvider { provider, .. } if !contested => Some((place, named(provider)?)),
            Step::ReplaceProvider { provider, waits_for, .. }
                if contested != waits_for.is_empty() =>
            {
                Some((place, named(provider)?))
            }
            _ => None,
        });
        wanted.filter(|(place, _)| !self.failed.contains_key(place)).collect()
    }

    /// An older revision takes the place of no newer one, whatever their names are, unless the
    /// owner says so: checked before anything is let go.
    fn check_revisions(&mut self) {
        let mut wanted: HashMap<&str, Vec<_>> = HashMap::new();
        let actors = self.wanted_actors().into_iter().filter(|(_, actor)| !actor.may_be_older);
        for (place, actor) in actors {
            let claims = actor.verified.claims();
            wanted.entry(claims.subject.as_str()).or_default().push((place, claims));
        }
        let refused: Vec<_> = self.shared.look(|actual| {
            let same = |running: &RunningActor| wanted.get(running.claims().subject.as_str());
            let pairs = actual.versions().filter_map(|running| Some((running, same(running)?)));
            let refused = pairs.flat_map(|(running, same)| {
                let checked = |(place, claims): &(usize, &Arc<ActorClaims>)| {
                    Some((*place, claims.check_succeeds(running.claims()).err()?))
                };
                same.iter().filter_map(checked)
            });
            refused.collect()
        });
        refused.into_iter().for_each(|(place, error)| self.fail(place, error.into()));
    }

    /// The same of providers: one that takes over what another one served, which goes, need not
    /// have its name. What stays beside it is not replaced, whatever revision it has.
    fn check_provider_revisions(&mut self) {
        let refused: Vec<_> = self.shared.look(|actual| {
            let going = self.steps.iter().filter_map(|step| match step {
                Step::StopProvider { provider } => actual.providers.get(&**provider),
                _ => None,
            });
            let going: Vec<_> = going.map(|running| &running.prepared).collect();
            let wanted = [false, true].map(|contested| self.wanted_providers(contested));
            let refused = wanted.into_iter().flatten().filter_map(|(place, wanted)| {
                Some((place, going.iter().find_map(|going| wanted.check_succeeds(going).err())?))
            });
            refused.collect()
        });
        refused.into_iter().for_each(|(place, error)| self.fail(place, error));
    }

    /// Names change first. Then what may be done less acts: rules narrow, actors that are not
    /// wanted lose their names, bindings that are not wanted go. Where calls come in they still do
    /// for a moment, when this change brings something that may take over. So do the bindings of a
    /// version that is replaced: until then its calls need them.
    fn shrink(&mut self) {
        let replaced = self.replaced_actors();
        let acts = |step: &Step| match step {
            Step::RenameProvider { .. } | Step::RestrictCalls | Step::StopActor { .. } => true,
            Step::Unbind { binding, .. } => !replaced.contains(&*binding.actor),
            _ => false,
        };
        let places = self.steps.iter().enumerate().filter(|(_, step)| acts(step));
        self.done_before = places.map(|(place, _)| place).collect();
        self.shared.park(&self.steps, &self.desired.prepared);
        self.shared.edit(|actual| {
            for step in &self.steps {
                match step {
                    Step::RenameProvider { provider, was } => {
                        self.rename_provider(actual, was, &Arc::from(&**provider));
                    }
                    Step::RestrictCalls => {
                        actual.road.entitlements.set_rules(self.desired.options.rules);
                    }
                    Step::StopActor { actor } => actual.retire(actor),
                    _ => {}
                }
            }
        });
        self.unbind(false);
        let binds = |step: &Step| matches!(step, Step::Bind { .. } | Step::Rebind { .. });
        if self.steps.iter().any(binds) {
            self.shared.let_outgoing_go_soon();
        } else {
            self.shared.let_outgoing_go();
        }
    }

    /// Takes bindings that are not wanted out of force: those of actors that were to be replaced,
    /// with the version before or from it when the new one was refused; or those of all others.
    fn unbind(&self, of_replaced: bool) {
        let unwanted = self.unwanted(of_replaced);
        let unbound = self.shared.look(|actual| {
            unwanted.iter().filter_map(|key| actual.unbind(key)).collect::<Vec<_>>()
        });
        self.let_go(unbound);
    }

    /// The bindings that are not wanted any more, of actors that are to be replaced or of others.
    fn unwanted(&self, of_replaced: bool) -> Vec<BindingKey> {
        let replaced = self.replaced_actors();
        let unwanted = self.steps.iter().filter_map(|step| match step {
            Step::Unbind { binding, .. } if replaced.contains(&*binding.actor) == of_replaced => {
                Some(BindingKey::from_ref(binding))
            }
            _ => None,
        });
        unwanted.collect()
    }

    /// The actors that are replaced, and the providers that are bound to something themselves.
    fn replaced_actors(&self) -> HashSet<&str> {
        let providers = &self.desired.prepared.providers;
        let is_module = |name: &str| {
            providers.iter().any(|provider| *provider.name == *name && provider.module.is_some())
        };
        let replaced = self.steps.iter().filter_map(|step| match step {
            Step::ReplaceActor { actor, .. } => Some(&**actor),
            Step::ReplaceProvider { provider, .. } => Some(&**provider).filter(|it| is_module(it)),
            _ => None,
        });
        replaced.collect()
    }

    /// The calls that a provider has are counted under the name that it had.
    fn rename_provider(&self, actual: &mut ActualState, was: &str, name: &Arc<str>) {
        let Some((target, instance)) = actual.rename_provider(was, name) else { return };
        let answers = instance.target();
        let (route, handle) = self.shared.dispatcher.route(name, answers);
        actual.road.routes.put(target, route);
        if let Some(running) = actual.providers.get_mut(name) {
            running.calls.go_on(handle);
        }
    }

    fn let_go(&self, bindings: Vec<BindingId>) {
        if !bindings.is_empty() {
            self.shared.let_bindings_go(bindings);
        }
    }

    /// Providers that are not wanted go, unless a binding that was to leave one could not.
    fn let_providers_go(&mut self) {
        let mut gone = Vec::new();
        self.shared.look(|actual| {
            for (place, step) in self.steps.iter().enumerate() {
                let Step::StopProvider { provider } = step else { continue };
                let Some(target) = actual.providers.get(&**provider).map(|known| known.target)
                else {
                    continue;
                };
                let bindings = actual.current.values().filter_map(|id| actual.bindings.get(id));
                if { bindings }.any(|binding| binding.spec.target == target) {
                    self.postponed.insert(place);
                } else if let Some(provider) = actual.providers.remove(&**provider) {
                    gone.push((provider, actual.instances.get(&target).cloned()));
                }
            }
        });
        for (provider, instance) in gone {
            self.shared.let_provider_go(provider, instance);
        }
    }

    /// A step failed by itself.
    fn fail(&mut self, place: usize, error: CallError) {
        let again = self.steps.get(place).map_or(Again::Soon, |step| Again::after(step, &error));
        self.fail_until(place, error, again);
    }

    /// A step failed, and this is when it is tried again.
    fn fail_until(&mut self, place: usize, error: CallError, again: Again) {
        self.failed.entry(place).or_insert((error, again));
    }

    /// Something newer is wanted before anything took over, and may go on with the modules.
    fn makes_way(self) -> Outcome {
        let Self { steps, done_before, loads: left, .. } = self;
        let steps = steps.into_iter().enumerate();
        let done = steps.filter(|(place, _)| done_before.contains(place));
        let done = done.map(|(_, step)| step).collect();
        Outcome { done, superseded: true, left, ..Outcome::default() }
    }

    fn outcome(mut self) -> Outcome {
        let Self { more_failed: failed, moved, notes, left_behind, .. } = self;
        let mut outcome = Outcome { failed, moved, notes, left_behind, ..Outcome::default() };
        for (place, step) in self.steps.into_iter().enumerate() {
            match self.failed.remove(&place) {
                Some((error, again)) => outcome.failed.push(Failed { step, error, again }),
                None if self.postponed.contains(&place) => {}
                None => outcome.done.push(step),
            }
        }
        outcome
    }
}
