//! One binding, interned: every verdict that can be known before a call is known here.

use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use trellis_claims::ActorClaims;
use trellis_core::{Contract, ContractId, Direction, Entity, Operation, Parties};

use crate::denial::Reason;
use crate::roster::{LinkId, LinkSpec, Member, TargetId};

/// A binding with both directions of its calls resolved.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) contract: ContractId,
    /// Actor to provider.
    pub(crate) outward: Way,
    /// Provider to actor.
    pub(crate) inward: Way,
    verbs: HashMap<Arc<str>, Verb, RandomState>,
}

/// One direction of a link.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) parties: Arc<Parties>,
    pub(crate) target: TargetId,
}

/// One operation over a link.
#[derive(Debug)]
pub(crate) struct Verb {
    pub(crate) name: Arc<str>,
    direction: Direction,
    /// Why the claims refuse it, if they do.
    refused: Option<Reason>,
}

impl Link {
    /// Joins a binding with its actor's claims.
    pub(crate) fn new(spec: &LinkSpec, member: &Member) -> Self {
        let actor = Entity::Actor(member.claims.key());
        let provider =
            Entity::Provider { contract: spec.contract.id.clone(), binding: spec.binding.clone() };
        let outward = Parties { origin: actor.clone(), target: provider.clone() };
        let inward = Parties { origin: provider, target: actor };
        let verb = |operation: &Operation| {
            let name: Arc<str> = Arc::from(operation.name.as_ref());
            let refused = refusal(&member.claims, &spec.contract, &operation.name);
            (Arc::clone(&name), Verb { name, direction: operation.direction, refused })
        };
        Self {
            id: spec.id,
            contract: spec.contract.id.clone(),
            outward: Way { parties: Arc::new(outward), target: spec.target },
            inward: Way { parties: Arc::new(inward), target: member.target },
            verbs: spec.contract.operations.iter().map(verb).collect(),
        }
    }

    /// The operation, if it exists, goes this way and is claimed.
    #[inline]
    pub(crate) fn verb(&self, operation: &str, direction: Direction) -> Result<&Arc<str>, Reason> {
        let verb = self.verbs.get(operation).ok_or(Reason::UnknownOperation)?;
        if verb.direction != direction {
            return Err(Reason::WrongDirection);
        }
        match verb.refused {
            Some(reason) => Err(reason),
            None => Ok(&verb.name),
        }
    }
}

/// True when the claims list the contract, by its id or an alias.
pub(crate) fn claims_contract(claims: &ActorClaims, contract: &Contract) -> bool {
    claims.caps.iter().any(|cap| contract.answers_to(cap))
}

/// Why the claims refuse an operation. A `grants` entry narrows the contract to what it lists.
fn refusal(claims: &ActorClaims, contract: &Contract, operation: &str) -> Option<Reason> {
    if !claims_contract(claims, contract) {
        return Some(Reason::NotClaimed);
    }
    let mut entries = claims.grants.iter().filter(|(id, _)| contract.answers_to(id)).peekable();
    entries.peek()?;
    let granted = entries.any(|(_, operations)| operations.iter().any(|name| name == operation));
    (!granted).then_some(Reason::NotGranted)
}
