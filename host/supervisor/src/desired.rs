//! What is wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use trellis_claims::{ClaimsError, Clock, TrustList, Verified};
use trellis_control::BindingRef;
use trellis_core::{BindingName, ContractId};
use trellis_entitlements::Rules;

use crate::prepare::{Prepared, PreparedActor, PreparedLink, PreparedProvider};

/// How a manifest is to be applied.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ApplyOptions {
    /// What the owner of the host decided for all actors.
    pub rules: Rules,
    /// Also what would make things worse: a provider that is not well takes over from one that is.
    pub force: bool,
}

/// A prepared manifest that is to run.
pub(crate) struct Desired {
    pub(crate) prepared: Prepared,
    pub(crate) options: ApplyOptions,
}

/// What makes a binding the same binding.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct BindingKey {
    pub(crate) actor: Arc<str>,
    pub(crate) contract: ContractId,
    pub(crate) name: BindingName,
}

/// What is wanted, or what runs, by name: the two are compared.
#[derive(Default)]
pub(crate) struct Inventory<'a> {
    pub(crate) actors: BTreeMap<&'a str, &'a PreparedActor>,
    pub(crate) providers: BTreeMap<&'a str, &'a PreparedProvider>,
    pub(crate) bindings: BTreeMap<BindingKey, &'a PreparedLink>,
    /// Bindings that belong to an earlier version of their actor, because they could not be had
    /// for the one that runs.
    pub(crate) stale: BTreeSet<BindingKey>,
}

impl BindingKey {
    pub(crate) fn of(link: &PreparedLink) -> Self {
        Self {
            actor: Arc::clone(&link.actor),
            contract: link.contract.id.clone(),
            name: link.binding.clone(),
        }
    }

    /// True when that is the same binding.
    pub(crate) fn is(&self, binding: &BindingRef) -> bool {
        *self.actor == *binding.actor
            && self.contract.as_str() == binding.contract
            && self.name.as_str() == binding.name
    }

    pub(crate) fn as_ref(&self) -> BindingRef {
        BindingRef {
            actor: self.actor.to_string(),
            contract: self.contract.to_string(),
            name: self.name.to_string(),
        }
    }
}

impl Desired {
    /// What is wanted, but for actors that may not run, with their bindings.
    pub(crate) fn inventory(&self, barred: &BTreeMap<Arc<str>, ClaimsError>) -> Inventory<'_> {
        let Prepared { actors, providers, links, .. } = &self.prepared;
        let may_run = |name: &Arc<str>| !barred.contains_key(name);
        let links = links.iter().filter(|link| may_run(&link.actor));
        Inventory {
            actors: (actors.iter().filter(|actor| may_run(&actor.name)))
                .map(|actor| (&*actor.name, actor))
                .collect(),
            providers: providers.iter().map(|provider| (&*provider.name, provider)).collect(),
            bindings: links.map(|link| (BindingKey::of(link), link)).collect(),
            stale: BTreeSet::new(),
        }
    }

    /// The actors that may not run, and why: trust and time may have changed since the manifest was
    /// prepared.
    pub(crate) fn barred(
        &self,
        trust: Option<&TrustList>,
        clock: &dyn Clock,
    ) -> BTreeMap<Arc<str>, ClaimsError> {
        let refused = |actor: &PreparedActor| {
            let error = vouch(&actor.verified, trust, clock).err()?;
            Some((Arc::clone(&actor.name), error))
        };
        self.prepared.actors.iter().filter_map(refused).collect()
    }
}

/// Checks again what may have changed since a module was verified.
pub(crate) fn vouch(
    verified: &Verified,
    trust: Option<&TrustList>,
    clock: &dyn Clock,
) -> Result<(), ClaimsError> {
    match trust {
        Some(trust) => verified.recheck(trust, clock),
        None => verified.check_time(clock),
    }
}
