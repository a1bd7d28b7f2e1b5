//! What is wanted and not here just now: bindings that nothing serves, and actors that were
//! stopped.

use std::collections::BTreeMap;
use std::sync::Arc;

use trellis_claims::ActorClaims;
use trellis_core::{BindingName, Contract};

/// A binding that the manifest has and that nothing serves just now. It takes no rights and gives
/// none: whoever calls over it is told the reason, and not that the manifest lacks it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unserved {
    /// The actor's name in the manifest.
    pub actor: Arc<str>,
    /// What it is bound to.
    pub contract: Arc<Contract>,
    /// The binding's name.
    pub name: BindingName,
    /// Why, as the rest of a sentence.
    pub why: String,
}

/// All of them. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct UnservedBindings(Arc<Missing>);

#[derive(Clone, PartialEq, Eq, Default, Debug)]
struct Missing {
    /// Bindings by their actors.
    bindings: BTreeMap<Arc<str>, Vec<Unserved>>,
    /// Why an actor is not here, by everything it may be called by.
    actors: BTreeMap<Arc<str>, Arc<str>>,
}

impl FromIterator<Unserved> for UnservedBindings {
    fn from_iter<T: IntoIterator<Item = Unserved>>(all: T) -> Self {
        let mut bindings = BTreeMap::<_, Vec<_>>::new();
        for one in all {
            bindings.entry(Arc::clone(&one.actor)).or_default().push(one);
        }
        Self(Arc::new(Missing { bindings, actors: BTreeMap::new() }))
    }
}

impl UnservedBindings {
    /// The same with actors that are not here on purpose, by everything that each may be called by,
    /// and why, as a sentence.
    #[must_use]
    pub fn without_actors(
        mut self,
        actors: impl IntoIterator<Item = (Arc<str>, Arc<str>)>,
    ) -> Self {
        Arc::make_mut(&mut self.0).actors.extend(actors);
        self
    }

    /// Why an actor is not here, if it is one of these.
    pub(crate) fn why_not_here(&self, actor: &str) -> Option<&str> {
        self.0.actors.get(actor).map(|why| &**why)
    }

    /// Why a binding of an actor with these claims is not served, if it is one of these.
    pub(crate) fn why(
        &self,
        (actor, claims): (&str, &ActorClaims),
        (namespace, name): (&str, &str),
    ) -> Option<&str> {
        let is_it = |one: &&Unserved| {
            one.name.as_str() == name
                && one.contract.answers_to(namespace)
                && claims.caps.iter().any(|cap| one.contract.answers_to(cap))
        };
        self.0.bindings.get(actor)?.iter().find(is_it).map(|one| &*one.why)
    }
}
