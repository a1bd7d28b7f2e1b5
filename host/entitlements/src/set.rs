//! Every entitlement of a moment, interned for the road of a call.

use std::sync::Arc;

use trellis_claims::ActorClaims;
use trellis_core::BindingId;

use crate::binding::{Binding, Verbs};
use crate::cow::CowMap;
use crate::names::{Names, looks_like_a_contract};
use crate::principal::Principal;
use crate::spec::{ActorId, BindingSpec, PrincipalSpec, Rules};
use crate::unserved::UnservedBindings;

/// Who is here and who may do what. The control plane edits one and publishes copies of it, which
/// are cheap: a copy shares all that is not edited afterwards.
///
/// A version of an actor that was [retired](Self::retire) keeps its claims and its bindings, so
/// that calls of it under way work as before, but nobody reaches it by a name any more.
#[derive(Clone, Default, Debug)]
pub struct EntitlementSet {
    principals: CowMap<ActorId, Arc<Principal>>,
    names: Names,
    bindings: CowMap<BindingId, Arc<Binding>>,
    /// The operations of every contract that was ever bound, by each of its ids.
    verbs: CowMap<Arc<str>, Arc<Verbs>>,
    /// The highest id of a binding that ever was: ids are given in order, each once.
    last_binding: BindingId,
    rules: Rules,
    unserved: UnservedBindings,
}

impl EntitlementSet {
    /// Adds an actor, junior to all that are here.
    pub fn add(&mut self, spec: PrincipalSpec) {
        let seniority = spec.id.0;
        self.admit(Principal::new(spec, seniority));
    }

    /// Adds a new version of an actor, which inherits the place of the old one among those who
    /// claim the same names, and [retires](Self::retire) the old one.
    pub fn succeed(&mut self, old: ActorId, spec: PrincipalSpec) {
        let seniority = self.principals.get(&old).map_or(spec.id.0, |old| old.seniority);
        self.retire(old);
        self.admit(Principal::new(spec, seniority));
    }

    /// Gives the names of a version back to one that was [retired](Self::retire) for it.
    pub fn reinstate(&mut self, new: ActorId, old: ActorId) {
        self.retire(new);
        if let Some(old) = self.principals.get(&old) {
            self.names.add(old);
        }
    }

    /// Adds one that only calls: nobody reaches it by a name. A provider with claims of its own is
    /// one.
    pub fn add_caller(&mut self, spec: PrincipalSpec) {
        let seniority = spec.id.0;
        let principal = Principal::new(spec, seniority);
        self.principals.insert(principal.spec.id, Arc::new(principal));
    }

    fn admit(&mut self, principal: Principal) {
        self.names.add(&principal);
        self.principals.insert(principal.spec.id, Arc::new(principal));
    }

    /// Takes an actor's names away: no call finds it by name any more. What it is bound to still
    /// reaches it, and it may still call out.
    pub fn retire(&mut self, id: ActorId) {
        if let Some(principal) = self.principals.get(&id) {
            self.names.remove(&principal.spec);
        }
    }

    /// Takes an actor away with its names and bindings: it may call nobody any more.
    pub fn remove(&mut self, id: ActorId) {
        self.retire(id);
        let Some(principal) = self.principals.remove(&id) else { return };
        for binding in principal.bindings() {
            self.bindings.remove(&binding);
        }
    }

    /// Adds a binding. Of two of the same actor, contract and name the actor uses the later one;
    /// the provider may use both until the earlier is [removed](Self::unbind). A binding of an
    /// actor that is not here is left out.
    pub fn bind(&mut self, spec: &BindingSpec) {
        let verbs = self.verbs_of(spec);
        let Some(principal) = self.principals.get_mut(&spec.actor) else { return };
        let principal = Arc::make_mut(principal);
        let binding = Arc::new(Binding::new(spec, &principal.spec, verbs));
        principal.bind(spec.name.as_str(), &binding);
        self.bindings.insert(spec.id, binding);
        self.last_binding = self.last_binding.max(spec.id);
    }

    fn verbs_of(&mut self, spec: &BindingSpec) -> Arc<Verbs> {
        let known = self.verbs.get(spec.contract.id.as_str());
        if let Some(known) = known.filter(|known| known.are_of(&spec.contract)) {
            return Arc::clone(known);
        }
        let verbs = Arc::new(Verbs::of(&spec.contract));
        for id in std::iter::once(&spec.contract.id).chain(spec.contract.aliases.iter()) {
            self.verbs.insert(Arc::from(id.as_str()), Arc::clone(&verbs));
        }
        verbs
    }

    /// Takes a binding away, from both ends.
    pub fn unbind(&mut self, id: BindingId) {
        let Some(binding) = self.bindings.remove(&id) else { return };
        if let Some(principal) = self.principals.get_mut(&binding.owner) {
            Arc::make_mut(principal).unbind(id);
        }
    }

    /// Sets what the owner of the host decided for all actors.
    pub const fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// Sets which bindings are wanted and not here, for those who call over them.
    pub fn set_unserved(&mut self, unserved: UnservedBindings) {
        self.unserved = unserved;
    }

    /// The bindings that are wanted and not here.
    #[must_use]
    pub const fn unserved(&self) -> &UnservedBindings {
        &self.unserved
    }

    /// Whom calls by that key, manifest name or call alias reach.
    #[must_use]
    pub fn answers_to(&self, name: &str) -> Option<ActorId> {
        self.names.get(name)
    }

    #[inline]
    pub(crate) fn principal(&self, id: ActorId) -> Option<&Arc<Principal>> {
        self.principals.get(&id)
    }

    /// The actor of that key, manifest name or call alias.
    #[inline]
    pub(crate) fn named(&self, name: &str) -> Option<&Arc<Principal>> {
        self.principals.get(&self.names.get(name)?)
    }

    /// The claims of the actor that had that name last, if nobody has it now.
    pub(crate) fn departed(&self, name: &str) -> Option<&ActorClaims> {
        self.names.departed(name).map(|claims| &**claims)
    }

    #[inline]
    pub(crate) fn binding(&self, id: BindingId) -> Option<&Arc<Binding>> {
        self.bindings.get(&id)
    }

    /// True for the id of a binding that is here or was.
    pub(crate) fn was_bound(&self, id: BindingId) -> bool {
        id <= self.last_binding
    }

    /// True when some actor here was ever bound to that contract.
    pub(crate) fn has_contract(&self, namespace: &str) -> bool {
        self.verbs.contains(namespace)
    }

    /// True when a name can only mean a contract, and never an actor.
    pub(crate) fn is_a_contract(&self, namespace: &str) -> bool {
        looks_like_a_contract(namespace) || self.has_contract(namespace)
    }

    /// What the owner of the host decided for all actors.
    #[inline]
    #[must_use]
    pub const fn rules(&self) -> Rules {
        self.rules
    }
}
