//! One version of an actor, as the gate knows it.

use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};
use trellis_core::{BindingId, Entity};

use crate::binding::Binding;
use crate::spec::PrincipalSpec;

/// One version of an actor with its own claims and its own bindings.
#[derive(Clone, Debug)]
pub(crate) struct Principal {
    pub(crate) spec: PrincipalSpec,
    pub(crate) entity: Entity,
    /// Its place in the order in which names are given.
    pub(crate) seniority: u64,
    /// By namespace (a contract id or alias), then by binding name: nearly always there is one.
    bindings: HashMap<Box<str>, Vec<Named>, RandomState>,
    callees: Arc<HashSet<Box<str>, RandomState>>,
}

/// A binding under its name.
type Named = (Box<str>, Arc<Binding>);

impl Principal {
    pub(crate) fn new(spec: PrincipalSpec, seniority: u64) -> Self {
        let claims = &spec.claims;
        let callees = claims.calls.iter().chain(&claims.caps).map(|name| name.as_str().into());
        Self {
            entity: Entity::Actor(claims.key()),
            seniority,
            bindings: HashMap::default(),
            callees: Arc::new(callees.collect()),
            spec,
        }
    }

    /// Binds; a binding of the same contract and name gives way.
    pub(crate) fn bind(&mut self, name: &str, binding: &Arc<Binding>) {
        for namespace in binding.namespaces() {
            let named = self.bindings.entry(namespace.into()).or_default();
            named.retain(|(known, _)| &**known != name);
            named.push((name.into(), Arc::clone(binding)));
        }
    }

    pub(crate) fn unbind(&mut self, id: BindingId) {
        self.bindings.retain(|_, named| {
            named.retain(|(_, binding)| binding.id != id);
            !named.is_empty()
        });
    }

    #[inline]
    pub(crate) fn binding(&self, namespace: &str, name: &str) -> Option<&Arc<Binding>> {
        let named = self.bindings.get(namespace)?;
        named.iter().find(|(known, _)| &**known == name).map(|(_, binding)| binding)
    }

    /// The names of the bindings it has for that contract.
    pub(crate) fn binding_names(&self, namespace: &str) -> impl Iterator<Item = &str> {
        self.bindings.get(namespace).into_iter().flatten().map(|(name, _)| &**name)
    }

    /// Every binding it has.
    pub(crate) fn bindings(&self) -> impl Iterator<Item = BindingId> {
        self.bindings.values().flatten().map(|(_, binding)| binding.id)
    }

    /// True when any binding of this actor is for that contract.
    pub(crate) fn has_contract(&self, namespace: &str) -> bool {
        self.bindings.contains_key(namespace)
    }

    /// True when the claims name `callee` among those it may call.
    pub(crate) fn lists(&self, callee: &str) -> bool {
        self.callees.contains(callee)
    }

    /// True when this actor's claims let it call `callee`: by key, by call alias, by the callee's
    /// issuer, or because it is itself. `caps` may list keys, as in waSCC.
    pub(crate) fn may_call(&self, callee: &Self) -> bool {
        let claims = &callee.spec.claims;
        self.spec.id == callee.spec.id
            || self.spec.claims.subject == claims.subject
            || self.lists(claims.subject.as_str())
            || claims.call_alias.as_deref().is_some_and(|alias| self.lists(alias))
            || self.lists(claims.issuer.as_str())
    }
}
