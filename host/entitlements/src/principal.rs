//! One version of an actor, as the gate knows it.

use std::cmp::Ordering;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashSet;
use trellis_claims::ActorClaims;
use trellis_core::{BindingId, Entity};

use crate::binding::Binding;
use crate::spec::PrincipalSpec;
use crate::word::{Sought, Word};

/// One version of an actor with its own claims and its own bindings.
#[derive(Clone, Debug)]
pub(crate) struct Principal {
    pub(crate) spec: PrincipalSpec,
    pub(crate) entity: Entity,
    /// Its place in the order in which names are given.
    pub(crate) seniority: u64,
    /// In the order of their names, each under every id of its contract.
    bindings: Vec<Named>,
    callees: Arc<HashSet<Box<str>, RandomState>>,
}

/// A binding under one of its names.
#[derive(Clone, Debug)]
struct Named {
    /// A contract's id or alias.
    namespace: Word,
    name: Word,
    binding: Arc<Binding>,
}

impl Named {
    #[inline]
    fn order(&self, namespace: Sought<'_>, name: Sought<'_>) -> Ordering {
        self.namespace.order(namespace).then_with(|| self.name.order(name))
    }
}

impl Principal {
    pub(crate) fn new(spec: PrincipalSpec, seniority: u64) -> Self {
        let claims = &spec.claims;
        let callees = claims.calls.iter().chain(&claims.caps).map(|name| name.as_str().into());
        Self {
            entity: Entity::Actor(claims.key()),
            seniority,
            bindings: Vec::new(),
            callees: Arc::new(callees.collect()),
            spec,
        }
    }

    /// Binds; a binding of the same contract and name gives way.
    pub(crate) fn bind(&mut self, name: &str, binding: &Arc<Binding>) {
        for namespace in binding.namespaces() {
            match self.place(namespace, name) {
                Ok(at) => self.bindings[at].binding = Arc::clone(binding),
                Err(at) => {
                    let (namespace, name) = (Word::from(namespace), Word::from(name));
                    let named = Named { namespace, name, binding: Arc::clone(binding) };
                    self.bindings.insert(at, named);
                }
            }
        }
    }

    pub(crate) fn unbind(&mut self, id: BindingId) {
        self.bindings.retain(|named| named.binding.id != id);
    }

    #[inline]
    fn place(&self, namespace: &str, name: &str) -> Result<usize, usize> {
        let (namespace, name) = (Sought::from(namespace), Sought::from(name));
        self.bindings.binary_search_by(|named| named.order(namespace, name))
    }

    #[inline]
    pub(crate) fn binding(&self, namespace: &str, name: &str) -> Option<&Arc<Binding>> {
        let at = self.place(namespace, name).ok()?;
        self.bindings.get(at).map(|named| &named.binding)
    }

    /// The names of the bindings it has for that contract.
    pub(crate) fn binding_names(&self, namespace: &str) -> impl Iterator<Item = &str> {
        let sought = Sought::from(namespace);
        let named = self.bindings.iter().filter(move |named| named.namespace.is(sought));
        named.map(|named| named.name.as_str())
    }

    /// Every binding it has.
    pub(crate) fn bindings(&self) -> impl Iterator<Item = BindingId> {
        self.bindings.iter().map(|named| named.binding.id)
    }

    /// True when any binding of this actor is for that contract.
    pub(crate) fn has_contract(&self, namespace: &str) -> bool {
        self.binding_names(namespace).next().is_some()
    }

    /// True when the claims name `callee` among those it may call.
    pub(crate) fn lists(&self, callee: &str) -> bool {
        self.callees.contains(callee)
    }

    /// True when this actor's claims let it call `callee`: by key, by call alias, by the callee's
    /// issuer, or because it is itself. `caps` may list keys, as in waSCC.
    pub(crate) fn may_call(&self, callee: &Self) -> bool {
        self.spec.id == callee.spec.id || self.may_call_one_with(&callee.spec.claims)
    }

    /// The same of an actor that is known by its claims alone.
    pub(crate) fn may_call_one_with(&self, claims: &ActorClaims) -> bool {
        self.spec.claims.subject == claims.subject
            || self.lists(claims.subject.as_str())
            || claims.call_alias.as_deref().is_some_and(|alias| self.lists(alias))
            || self.lists(claims.issuer.as_str())
    }
}
