//! Bindings that are wanted and that nothing serves just now.

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

/// All of them, by their actors. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct UnservedBindings(Arc<BTreeMap<Arc<str>, Vec<Unserved>>>);

impl FromIterator<Unserved> for UnservedBindings {
    fn from_iter<T: IntoIterator<Item = Unserved>>(all: T) -> Self {
        let mut of_actor = BTreeMap::<_, Vec<_>>::new();
        for one in all {
            of_actor.entry(Arc::clone(&one.actor)).or_default().push(one);
        }
        Self(Arc::new(of_actor))
    }
}

impl UnservedBindings {
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
        self.0.get(actor)?.iter().find(is_it).map(|one| &*one.why)
    }
}
