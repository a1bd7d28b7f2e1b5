//! One binding, interned: every verdict that can be known before a call is known here.

use std::borrow::Cow;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use trellis_claims::ActorClaims;
use trellis_core::{Contract, ContractId, Direction, Entity, Operation};

use crate::denial::Reason;
use crate::roster::{LinkId, LinkSpec, Member, TargetId};

/// A binding with both directions of its calls resolved.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) contract: ContractId,
    pub(crate) actor: End,
    pub(crate) provider: End,
    verbs: HashMap<Box<str>, Verb, RandomState>,
}

/// One end of a link.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) entity: Entity,
    pub(crate) target: TargetId,
}

/// One operation over a link.
#[derive(Debug)]
pub(crate) struct Verb {
    name: Cow<'static, str>,
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
        let verb = |operation: &Operation| {
            let name = operation.name.clone();
            let refused = refusal(&member.claims, &spec.contract, &name);
            (Box::from(&*name), Verb { name, direction: operation.direction, refused })
        };
        Self {
            id: spec.id,
            contract: spec.contract.id.clone(),
            actor: End { entity: actor, target: member.target },
            provider: End { entity: provider, target: spec.target },
            verbs: spec.contract.operations.iter().map(verb).collect(),
        }
    }

    /// The operation, if it exists, goes this way and is claimed.
    #[inline]
    pub(crate) fn verb(
        &self,
        operation: &str,
        direction: Direction,
    ) -> Result<&Cow<'static, str>, Reason> {
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
