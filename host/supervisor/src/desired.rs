//! What is wanted.

use std::collections::BTreeMap;
use std::sync::Arc;

use trellis_claims::{ClaimsError, Clock, TrustList, Verified};
use trellis_control::BindingRef;
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

/// Actors that may not run, and why.
pub(crate) type Barred = BTreeMap<Arc<str>, ClaimsError>;

/// What is wanted, or what runs: the two are compared.
#[derive(Default)]
pub(crate) struct Inventory<'a> {
    pub(crate) actors: Vec<&'a PreparedActor>,
    pub(crate) providers: Vec<&'a PreparedProvider>,
    /// Those that have a name here and no instance.
    pub(crate) broken: Vec<&'a PreparedProvider>,
    pub(crate) bindings: Vec<Bound<'a>>,
}

/// A binding that is wanted, or in force.
#[derive(Clone, Copy)]
pub(crate) struct Bound<'a> {
    pub(crate) link: &'a PreparedLink,
    /// It belongs to an earlier version of its actor, because it could not be had for the one that
    /// runs.
    pub(crate) stale: bool,
}

impl<'a> Bound<'a> {
    pub(crate) const fn of(link: &'a PreparedLink) -> Self {
        Self { link, stale: false }
    }

    /// What makes it the same binding.
    pub(crate) fn name(&self) -> (&'a str, &'a str, &'a str) {
        (&self.link.actor, self.link.contract.id.as_str(), self.link.binding.as_str())
    }

    pub(crate) fn to_ref(self) -> BindingRef {
        let (actor, contract, name) = self.name();
        BindingRef { actor: actor.to_owned(), contract: contract.to_owned(), name: name.to_owned() }
    }
}

impl Desired {
    /// What is wanted, but for actors that may not run, with their bindings.
    pub(crate) fn inventory(&self, barred: &Barred) -> Inventory<'_> {
        let Prepared { actors, providers, links, .. } = &self.prepared;
        let may_run = |name: &Arc<str>| !barred.contains_key(name);
        Inventory {
            actors: actors.iter().filter(|actor| may_run(&actor.name)).collect(),
            providers: providers.iter().collect(),
            broken: Vec::new(),
            bindings: links.iter().filter(|it| may_run(&it.actor)).map(Bound::of).collect(),
        }
    }

    /// The actors that may not run, and why: trust and time may have changed since the manifest was
    /// prepared.
    pub(crate) fn barred(&self, trust: Option<&TrustList>, clock: &dyn Clock) -> Barred {
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
