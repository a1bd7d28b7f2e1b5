//! One binding, interned: every verdict that can be known before a call is known here.

use std::borrow::Cow;
use std::sync::Arc;

use hashbrown::HashTable;
use trellis_claims::ActorClaims;
use trellis_core::{BindingId, Contract, ContractId, Direction, Entity};

use crate::denial::Reason;
use crate::spec::{ActorId, BindingSpec, PrincipalSpec, TargetId};
use crate::word::{Sought, Word};

/// A binding with both directions of its calls resolved.
#[derive(Debug)]
pub(crate) struct Binding {
    pub(crate) id: BindingId,
    /// The bound actor.
    pub(crate) owner: ActorId,
    pub(crate) actor: End,
    pub(crate) provider: End,
    verbs: Arc<Verbs>,
    refused: Refused,
}

/// One end of a binding.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) entity: Entity,
    pub(crate) target: TargetId,
}

/// The operations of a contract by name; one for all its bindings.
#[derive(Debug)]
pub(crate) struct Verbs {
    contract: Arc<Contract>,
    by_name: HashTable<Verb>,
}

#[derive(Debug)]
struct Verb {
    word: Word,
    name: Cow<'static, str>,
    direction: Direction,
    /// Its place among the contract's operations.
    index: usize,
}

/// What an actor's claims refuse of a contract.
#[derive(Debug)]
enum Refused {
    Nothing,
    Everything,
    /// All operations but those marked, by their place.
    AllBut(Box<[bool]>),
}

impl Verbs {
    pub(crate) fn of(contract: &Arc<Contract>) -> Self {
        let hash = |verb: &Verb| Sought::from(verb.word.as_str()).hash();
        let mut by_name = HashTable::with_capacity(contract.operations.len());
        for (index, operation) in contract.operations.iter().enumerate() {
            let (name, direction) = (operation.name.clone(), operation.direction);
            let verb = Verb { word: Word::from(&*name), name, direction, index };
            by_name.insert_unique(hash(&verb), verb, hash);
        }
        Self { contract: Arc::clone(contract), by_name }
    }

    /// True when these are that contract's operations.
    pub(crate) fn are_of(&self, contract: &Arc<Contract>) -> bool {
        Arc::ptr_eq(&self.contract, contract) || self.contract == *contract
    }
}

impl Binding {
    /// Joins a binding with its actor's claims; `verbs` are those of its contract.
    pub(crate) fn new(spec: &BindingSpec, actor: &PrincipalSpec, verbs: Arc<Verbs>) -> Self {
        let provider =
            Entity::Provider { contract: spec.contract.id.clone(), binding: spec.name.clone() };
        Self {
            id: spec.id,
            owner: actor.id,
            actor: End { entity: Entity::Actor(actor.claims.key()), target: actor.target },
            provider: End { entity: provider, target: spec.target },
            refused: refused(&actor.claims, &verbs.contract),
            verbs,
        }
    }

    #[inline]
    pub(crate) fn contract(&self) -> &ContractId {
        &self.verbs.contract.id
    }

    /// Every id the contract answers to.
    pub(crate) fn namespaces(&self) -> impl Iterator<Item = &str> {
        let contract = &self.verbs.contract;
        std::iter::once(&contract.id).chain(contract.aliases.iter()).map(ContractId::as_str)
    }

    /// The operation, if it exists, goes this way and is claimed.
    #[inline]
    pub(crate) fn verb(
        &self,
        operation: &str,
        direction: Direction,
    ) -> Result<&Cow<'static, str>, Reason> {
        let sought = Sought::from(operation);
        let found = self.verbs.by_name.find(sought.hash(), |verb| verb.word.is(sought));
        let verb = found.ok_or(Reason::UnknownOperation)?;
        if verb.direction != direction {
            return Err(Reason::WrongDirection);
        }
        match &self.refused {
            Refused::Nothing => Ok(&verb.name),
            Refused::Everything => Err(Reason::NotClaimed),
            Refused::AllBut(granted) if granted[verb.index] => Ok(&verb.name),
            Refused::AllBut(_) => Err(Reason::NotGranted),
        }
    }
}

/// What the claims refuse. A `grants` entry narrows the contract to what it lists.
fn refused(claims: &ActorClaims, contract: &Contract) -> Refused {
    if !claims.caps.iter().any(|cap| contract.answers_to(cap)) {
        return Refused::Everything;
    }
    let lists: Vec<_> = (claims.grants.iter())
        .filter(|(id, _)| contract.answers_to(id))
        .map(|(_, operations)| operations)
        .collect();
    if lists.is_empty() {
        return Refused::Nothing;
    }
    let granted = |name: &str| lists.iter().any(|list| list.iter().any(|listed| listed == name));
    Refused::AllBut(contract.operations.iter().map(|known| granted(&known.name)).collect())
}
