//! What runs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;
use trellis_claims::{ActorClaims, TrustList, Verified};
use trellis_core::{ActorKey, BindingId, CallError};
use trellis_dispatch::{RouteHandle, Snapshot};
use trellis_engine::Actor;
use trellis_entitlements::{ActorId, BindingSpec, PrincipalSpec, TargetId};
use trellis_providers_sdk::Binding;
use trellis_targets::replay::Kept;

use crate::border::{self, Instance};
use crate::calls::Calls;
use crate::desired::{Bound, Inventory};
use crate::key::BindingKey;
use crate::left::{Former, Left};
use crate::lifecycle::Life;
use crate::prepare::{PreparedActor, PreparedBinding, PreparedProvider, Stores};
use crate::warrants::Warrants;

/// Everything that runs, and what of it the road is to see. Every edit is made at once, and every
/// state in between is one the host can stay in.
#[derive(Default)]
pub(crate) struct ActualState {
    /// The actors that have their name, by it.
    pub(crate) actors: BTreeMap<Arc<str>, RunningActor>,
    /// Versions without a name, which finish what they have.
    pub(crate) retired: BTreeMap<ActorId, RunningActor>,
    /// The providers that have their name, by it.
    pub(crate) providers: BTreeMap<Arc<str>, RunningProvider>,
    /// Every provider that serves some binding, those that have no name any more too.
    pub(crate) instances: BTreeMap<TargetId, Instance>,
    /// How many instances with a successor still finish what they have, by what they served: calls
    /// may come in through them over bindings that the successor has given up since.
    pub(crate) finishing: BTreeMap<TargetId, usize>,
    /// What every instance of a provider with claims runs by, wherever it is in its life.
    pub(crate) warrants: Warrants,
    /// Every binding that some provider serves, those of retired versions too.
    pub(crate) bindings: HashMap<BindingId, RunningBinding, RandomState>,
    /// Which of them belong to which version.
    owned: BTreeMap<ActorId, BTreeSet<BindingId>>,
    /// Bindings without force over which calls come in until what takes their place is there.
    pub(crate) outgoing: Vec<BindingId>,
    /// The bindings that are in force.
    pub(crate) current: HashMap<BindingKey, BindingId, RandomState>,
    /// Those of stores that were.
    pub(crate) left: Left,
    /// What the road sees once it is published.
    pub(crate) road: Snapshot,
    /// Whom the host trusts, once somebody said so.
    pub(crate) trust: Option<TrustList>,
    last_id: u64,
}

/// A version of an actor that runs.
pub(crate) struct RunningActor {
    pub(crate) id: ActorId,
    pub(crate) target: TargetId,
    pub(crate) prepared: PreparedActor,
    pub(crate) engine: Actor,
    pub(crate) route: RouteHandle,
    /// Its retirement has begun.
    pub(crate) leaving: bool,
    pub(crate) life: Arc<Life>,
    /// Its latest calls and those of the versions before it, if any are kept.
    pub(crate) kept: Option<Arc<Kept>>,
}

/// A provider that runs.
pub(crate) struct RunningProvider {
    /// The same for every instance that follows another under one name: a binding stays the same
    /// binding when its provider is replaced.
    pub(crate) target: TargetId,
    /// As whom it asks for something itself, if it has claims of its own.
    pub(crate) caller: Option<ActorId>,
    pub(crate) prepared: PreparedProvider,
    pub(crate) calls: Calls,
    /// Why there is no instance: neither the new one nor the old one could be started.
    pub(crate) broken: Option<CallError>,
}

/// A binding that some provider serves.
#[derive(Clone)]
pub(crate) struct RunningBinding {
    pub(crate) key: BindingKey,
    pub(crate) spec: BindingSpec,
    pub(crate) prepared: PreparedBinding,
    /// The key of the version it belongs to.
    pub(crate) actor: ActorKey,
}

impl ActualState {
    /// A handle that nothing ever had.
    pub(crate) const fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// What runs, to be compared with what is wanted.
    pub(crate) fn inventory(&self) -> Inventory<'_> {
        // Only a version that waits for its successor's bindings has any that are stale; and a
        // provider that was replaced.
        let waits = self.retired.values().any(|actor| !actor.leaving)
            || self.providers.values().any(|provider| provider.caller.is_some());
        let bound = |id: &BindingId| {
            let binding = self.bindings.get(id)?;
            let stale = waits && !self.runs(binding.spec.actor, &binding.key.actor);
            Some(Bound { binding: &binding.prepared, stale })
        };
        let (serving, broken): (Vec<_>, Vec<_>) =
            self.providers.values().partition(|provider| provider.broken.is_none());
        Inventory {
            actors: self.actors.values().map(|actor| &actor.prepared).collect(),
            providers: serving.into_iter().map(|provider| &provider.prepared).collect(),
            broken: broken.into_iter().map(|provider| &provider.prepared).collect(),
            bindings: self.current.values().filter_map(bound).collect(),
            rules: self.road.entitlements.rules(),
        }
    }

    /// Every version that runs, with and without its name.
    pub(crate) fn versions(&self) -> impl Iterator<Item = &RunningActor> {
        self.actors.values().chain(self.retired.values())
    }

    /// True when that version has the name: an actor, or a provider with claims of its own.
    pub(crate) fn runs(&self, id: ActorId, name: &str) -> bool {
        self.actors.get(name).is_some_and(|actor| actor.id == id)
            || self.providers.get(name).is_some_and(|provider| provider.caller == Some(id))
    }

    /// Under which handle and key the one asks for something that has that name.
    pub(crate) fn caller(&self, name: &str) -> Option<(ActorId, ActorKey)> {
        if let Some(actor) = self.actors.get(name) {
            return Some((actor.id, actor.claims().key()));
        }
        let provider = self.providers.get(name)?;
        let module = provider.prepared.module.as_ref()?;
        Some((provider.caller?, module.verified.claims().key()))
    }

    /// Puts a version of an actor in its place; the one before it retires.
    pub(crate) fn install(&mut self, actor: RunningActor) {
        let name = Arc::clone(&actor.prepared.name);
        let spec = actor.principal();
        match self.actors.remove(&name) {
            Some(old) => {
                self.road.entitlements.succeed(old.id, spec);
                self.retired.insert(old.id, old);
            }
            None => self.road.entitlements.add(spec),
        }
        self.actors.insert(name, actor);
    }

    /// The version before one that has the name, as long as it has not begun to go.
    pub(crate) fn predecessor(&self, id: ActorId, name: &str) -> Option<ActorId> {
        let before =
            self.retired.values().filter(|one| *one.prepared.name == *name && !one.leaving);
        let before = before.map(|one| one.id).filter(|before| before.0 < id.0).max();
        before.filter(|_| self.runs(id, name))
    }

    /// Gives the name of a version back to its [predecessor](Self::predecessor), with what that was
    /// bound to.
    pub(crate) fn reinstate(&mut self, id: ActorId, name: &Arc<str>) {
        let Some(before) = self.predecessor(id, name) else { return };
        let (Some(old), Some(new)) = (self.retired.remove(&before), self.actors.remove(name))
        else {
            return;
        };
        self.road.entitlements.reinstate(id, before);
        self.retired.insert(id, new);
        self.actors.insert(Arc::clone(name), old);
        let Self { owned, bindings, current, .. } = self;
        let of = |actor| owned.get(&actor).into_iter().flatten().filter_map(|id| bindings.get(id));
        for binding in of(id) {
            if current.get(&binding.key) == Some(&binding.spec.id) {
                current.remove(&binding.key);
            }
        }
        // Of two in the same place the later one was in force.
        for binding in of(before).filter(|binding| !binding.is_intake()) {
            current.insert(binding.key.clone(), binding.spec.id);
        }
    }

    /// Takes a binding out of force; gives it when nothing more comes over it. One of an earlier
    /// version goes with that.
    pub(crate) fn unbind(&mut self, key: &BindingKey) -> Option<BindingId> {
        let id = self.current.remove(key)?;
        self.leaves(id);
        let owner = self.bindings.get(&id)?.spec.actor;
        if !self.runs(owner, &key.actor) {
            return None;
        }
        if self.bindings.get(&id).is_some_and(RunningBinding::is_intake) {
            self.outgoing.push(id);
            return None;
        }
        Some(id)
    }

    /// Notes that a binding is in force no more, where its provider can tell what it keeps.
    fn leaves(&mut self, id: BindingId) {
        let Some(binding) = self.bindings.get(&id) else { return };
        let provider = self.providers.get(&binding.prepared.provider);
        if provider.is_some_and(|it| it.prepared.descriptor.data.is_some()) {
            let (actor, prepared) = (binding.actor.clone(), binding.prepared.clone());
            self.left.put(&binding.key, Former { actor, binding: prepared });
        }
    }

    /// Takes an actor's name away, and its bindings out of force.
    pub(crate) fn retire(&mut self, name: &str) {
        if let Some(old) = self.actors.remove(name) {
            self.road.entitlements.retire(old.id);
            self.retired.insert(old.id, old);
        }
        let versions = self.retired.values().filter(|actor| *actor.prepared.name == *name);
        let owned = versions.filter_map(|actor| self.owned.get(&actor.id)).flatten();
        for id in owned.copied().filter(|id| self.is_in_force(*id)).collect::<Vec<_>>() {
            self.leaves(id);
            if let Some(binding) = self.bindings.get(&id) {
                self.current.remove(&binding.key);
            }
        }
    }

    /// The retired versions that no binding in force belongs to and whose retirement has not begun;
    /// marks them.
    pub(crate) fn leaving(&mut self) -> Vec<ActorId> {
        let Self { retired, owned, bindings, current, .. } = self;
        let in_force = |id: &BindingId| {
            let binding = bindings.get(id);
            binding.is_some_and(|binding| current.get(&binding.key) == Some(id))
        };
        let needed = |actor: ActorId| owned.get(&actor).into_iter().flatten().any(in_force);
        let mut leaving = Vec::new();
        for actor in retired.values_mut().filter(|actor| !actor.leaving) {
            if !needed(actor.id) {
                actor.leaving = true;
                leaving.push(actor.id);
            }
        }
        leaving
    }

    /// Adds a binding that its provider serves or is about to serve; the road sees it.
    pub(crate) fn add(&mut self, binding: RunningBinding) {
        self.road.entitlements.bind(&binding.spec);
        self.owned.entry(binding.spec.actor).or_default().insert(binding.spec.id);
        self.bindings.insert(binding.spec.id, binding);
    }

    /// Puts a binding in force that its provider serves. Gives the one it takes over from, when
    /// that goes now. What an earlier version calls out over goes with that version; but calls come
    /// in over one of the two only, whether or not the earlier version has to stay for another one.
    pub(crate) fn put_in_force(&mut self, binding: &RunningBinding) -> Option<BindingId> {
        let old = self.current.insert(binding.key.clone(), binding.spec.id)?;
        self.leaves(old);
        let before = self.bindings.get(&old)?;
        (before.spec.actor == binding.spec.actor || before.is_intake()).then_some(old)
    }

    /// The bindings of a version: those over which calls come in, and the others.
    pub(crate) fn bindings_of(&self, actor: ActorId) -> (Vec<BindingId>, Vec<BindingId>) {
        let is_intake =
            |id: &BindingId| self.bindings.get(id).is_some_and(RunningBinding::is_intake);
        self.owned.get(&actor).into_iter().flatten().copied().partition(is_intake)
    }

    /// True when a binding is in force.
    pub(crate) fn is_in_force(&self, id: BindingId) -> bool {
        let binding = self.bindings.get(&id);
        binding.is_some_and(|binding| self.current.get(&binding.key) == Some(&id))
    }

    /// The bindings in force, by what serves them.
    pub(crate) fn in_force(&self) -> BTreeMap<TargetId, Vec<BindingId>> {
        let mut at = BTreeMap::<_, Vec<_>>::new();
        for binding in self.current.values().filter_map(|id| self.bindings.get(id)) {
            at.entry(binding.spec.target).or_default().push(binding.spec.id);
        }
        at
    }

    /// The kinds of providers that keep data over the bindings in force, by actor.
    pub(crate) fn stores(&self) -> BTreeMap<Arc<str>, Stores> {
        let kinds: HashMap<_, _> = (self.providers.values())
            .map(|known| (known.target, &known.prepared.descriptor))
            .filter(|(_, kind)| kind.stateful)
            .collect();
        let mut stores = BTreeMap::<_, Stores>::new();
        for binding in self.current.values().filter_map(|id| self.bindings.get(id)) {
            let Some(kind) = kinds.get(&binding.spec.target) else { continue };
            let BindingKey { actor, contract, name } = &binding.key;
            let of_actor = stores.entry(Arc::clone(actor)).or_default();
            let of_contract = of_actor.entry(contract.to_string()).or_default();
            of_contract.insert(name.to_string(), kind.name.to_string());
        }
        stores
    }

    /// The instance that serves a binding.
    pub(crate) fn instance_of(&self, id: BindingId) -> Option<&Instance> {
        self.instances.get(&self.bindings.get(&id)?.spec.target)
    }

    /// Those bindings that were taken away since, with the instance that is to be told so.
    pub(crate) fn gone_of(
        &self,
        told: Vec<BindingId>,
        instance: &Instance,
    ) -> Vec<(BindingId, Instance)> {
        let gone = told.into_iter().filter(|id| !self.bindings.contains_key(id));
        gone.map(|id| (id, instance.clone())).collect()
    }

    /// The actors that are bound to a provider.
    pub(crate) fn callers_of(&self, provider: &str) -> Vec<Actor> {
        let in_force = self.current.values().filter_map(|id| self.bindings.get(id));
        let bound = in_force.filter(|binding| *binding.prepared.provider == *provider);
        let names: BTreeSet<_> = bound.map(|binding| &binding.key.actor).collect();
        let actors = names.into_iter().filter_map(|name| self.actors.get(name));
        actors.map(|actor| actor.engine.clone()).collect()
    }

    /// The instances that serve under a name. Those that lost theirs are told apart by nothing.
    pub(crate) fn serving(&self) -> impl Iterator<Item = &Instance> {
        self.providers.values().filter_map(|running| self.instances.get(&running.target))
    }

    /// True when a binding is in force over which calls come in.
    pub(crate) fn has_intake(&self) -> bool {
        let in_force = self.current.values().filter_map(|id| self.bindings.get(id));
        { in_force }.any(RunningBinding::is_intake)
    }

    /// Takes a binding away; gives the instance that served it, so that it may be told.
    pub(crate) fn forget(&mut self, id: BindingId) -> Option<(BindingId, Instance)> {
        self.road.entitlements.unbind(id);
        let binding = self.bindings.remove(&id)?;
        if let Some(owned) = self.owned.get_mut(&binding.spec.actor) {
            owned.remove(&id);
            if owned.is_empty() {
                self.owned.remove(&binding.spec.actor);
            }
        }
        if self.current.get(&binding.key) == Some(&id) {
            self.current.remove(&binding.key);
        }
        Some((id, self.instances.get(&binding.spec.target)?.clone()))
    }
}

impl RunningActor {
    pub(crate) fn claims(&self) -> &ActorClaims {
        self.verified().claims()
    }

    pub(crate) const fn verified(&self) -> &Verified {
        &self.prepared.verified
    }

    fn principal(&self) -> PrincipalSpec {
        PrincipalSpec {
            id: self.id,
            target: self.target,
            name: Arc::clone(&self.prepared.name),
            claims: Arc::clone(self.verified().claims()),
        }
    }
}

impl RunningBinding {
    /// True when calls come in over it.
    pub(crate) fn is_intake(&self) -> bool {
        border::is_intake(&self.spec.contract)
    }

    /// What its provider is told; `provider` brings the values the binding leaves out.
    pub(crate) fn told(&self, provider: &PreparedProvider) -> Binding {
        self.prepared.told((self.spec.id, &self.actor), provider)
    }
}
