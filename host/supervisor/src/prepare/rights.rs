//! What claims let an actor do.

use std::collections::{BTreeMap, BTreeSet};

use trellis_claims::{ActorClaims, PublicKey};
use trellis_core::Contract;

/// What an actor may do by its claims, as far as it has a use for it. Nothing of unsigned ones.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Rights {
    /// The contracts that it is bound to, by their ids: which operations, when not all.
    pub uses: BTreeMap<String, Option<BTreeSet<String>>>,
    /// Whom it may call: keys and call aliases.
    pub calls: BTreeSet<String>,
}

impl Rights {
    /// What these claims let an actor do that is bound to these contracts.
    pub(super) fn of(claims: &ActorClaims, bound: &[&Contract]) -> Self {
        let uses = bound.iter().map(|contract| {
            let granted = granted(claims, contract);
            let owned = granted.map(|names| names.into_iter().map(str::to_owned).collect());
            (contract.id.to_string(), owned)
        });
        let calls = callees(claims).into_iter().map(str::to_owned);
        Self { uses: uses.collect(), calls: calls.collect() }
    }
}

/// Whom claims let an actor call: also, by waSCC's rule, the keys among its capabilities.
pub(crate) fn callees(claims: &ActorClaims) -> BTreeSet<&str> {
    let keys = claims.caps.iter().filter(|cap| PublicKey::parse(cap).is_ok());
    claims.calls.iter().chain(keys).map(String::as_str).collect()
}

/// The operations of a contract that claims grant, when they do not grant all.
pub(super) fn granted<'a>(
    claims: &'a ActorClaims,
    contract: &Contract,
) -> Option<BTreeSet<&'a str>> {
    let mut lists = claims.grants.iter().filter(|(id, _)| contract.answers_to(id)).peekable();
    lists.peek()?;
    Some(lists.flat_map(|(_, operations)| operations).map(String::as_str).collect())
}
