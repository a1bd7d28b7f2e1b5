//! Who answers to which name.

use std::sync::Arc;

use trellis_claims::ActorClaims;

use crate::cow::CowMap;
use crate::departed::Departed;
use crate::principal::Principal;
use crate::spec::{ActorId, PrincipalSpec};

/// The actors by their keys, manifest names and call aliases. Keys first, then manifest names, then
/// aliases; within each, the first registered wins, so that a later actor can never take a name
/// away.
#[derive(Clone, Default, Debug)]
pub(crate) struct Names {
    claimants: CowMap<Arc<str>, Claimants>,
    departed: Departed,
}

/// Who claims one name, the one who has it first; nearly always there is one.
#[derive(Clone, Debug)]
struct Claimants {
    first: Claim,
    others: Vec<Claim>,
}

/// In the order of precedence.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Claim {
    kind: Kind,
    seniority: u64,
    actor: ActorId,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Kind {
    Key,
    Name,
    Alias,
}

impl Names {
    #[inline]
    pub(crate) fn get(&self, name: &str) -> Option<ActorId> {
        self.claimants.get(name).map(|claimants| claimants.first.actor)
    }

    /// The claims of the actor that had the name last, if nobody has it now.
    pub(crate) fn departed(&self, name: &str) -> Option<&Arc<ActorClaims>> {
        self.departed.get(name)
    }

    pub(crate) fn add(&mut self, principal: &Principal) {
        for (kind, name) in names(&principal.spec) {
            let (seniority, actor) = (principal.seniority, principal.spec.id);
            let claim = Claim { kind, seniority, actor };
            self.departed.forget(name);
            match self.claimants.get_mut(name) {
                Some(claimants) => claimants.add(claim),
                None => {
                    let alone = Claimants { first: claim, others: Vec::new() };
                    self.claimants.insert(Arc::from(name), alone);
                }
            }
        }
    }

    pub(crate) fn remove(&mut self, spec: &PrincipalSpec) {
        for (_, name) in names(spec) {
            let Some(claimants) = self.claimants.get_mut(name) else { continue };
            if !claimants.remove(spec.id) {
                self.claimants.remove(name);
                self.departed.add(name, &spec.claims);
            }
        }
    }
}

impl Claimants {
    fn add(&mut self, claim: Claim) {
        let later = claim.max(self.first);
        self.first = claim.min(self.first);
        self.others.push(later);
        self.others.sort_unstable();
    }

    /// False when nobody is left.
    fn remove(&mut self, actor: ActorId) -> bool {
        self.others.retain(|claim| claim.actor != actor);
        if self.first.actor != actor {
            return true;
        }
        if self.others.is_empty() {
            return false;
        }
        self.first = self.others.remove(0);
        true
    }
}

/// Contract ids belong to bindings: neither a name nor an alias may look like one, or calls that
/// are meant for a provider would reach an actor.
#[must_use]
pub fn looks_like_a_contract(name: &str) -> bool {
    name.contains(':')
}

fn names(spec: &PrincipalSpec) -> impl Iterator<Item = (Kind, &str)> {
    let named = [Some(&*spec.name).map(|name| (Kind::Name, name))];
    let alias = spec.claims.call_alias.as_deref().map(|alias| (Kind::Alias, alias));
    let chosen = named.into_iter().flatten().chain(alias);
    std::iter::once((Kind::Key, spec.claims.subject.as_str()))
        .chain(chosen.filter(|(_, name)| !looks_like_a_contract(name)))
}
