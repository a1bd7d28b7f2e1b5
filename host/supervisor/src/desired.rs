//! What is wanted.

use std::collections::BTreeMap;
use std::sync::Arc;

use trellis_claims::{ClaimsError, Clock, TrustList, Verified};
use trellis_control::{BindingRef, Degraded};
use trellis_entitlements::Rules;

use crate::prepare::{Prepared, PreparedActor, PreparedBinding, PreparedProvider};

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

/// What may not run, and why, by its name.
#[derive(Clone, Default)]
pub(crate) struct Barred {
    actors: BTreeMap<Arc<str>, ClaimsError>,
    providers: BTreeMap<Arc<str>, ClaimsError>,
}

/// What is wanted: a manifest, but for what may not run or was stopped, with its bindings.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) prepared: &'a Prepared,
    pub(crate) barred: &'a Barred,
    /// What the owner of the host decided for all actors.
    pub(crate) rules: Rules,
}

/// What runs, to be compared with what is wanted.
#[derive(Default)]
pub(crate) struct Inventory<'a> {
    pub(crate) actors: Vec<&'a PreparedActor>,
    pub(crate) providers: Vec<&'a PreparedProvider>,
    /// Those that have a name here and no instance.
    pub(crate) broken: Vec<&'a PreparedProvider>,
    pub(crate) bindings: Vec<Bound<'a>>,
    pub(crate) rules: Rules,
}

/// A binding that is wanted, or in force.
#[derive(Clone, Copy)]
pub(crate) struct Bound<'a> {
    pub(crate) binding: &'a PreparedBinding,
    /// It belongs to an earlier version of its actor, because it could not be had for the one that
    /// runs.
    pub(crate) stale: bool,
}

impl<'a> Bound<'a> {
    pub(crate) const fn of(binding: &'a PreparedBinding) -> Self {
        Self { binding, stale: false }
    }

    /// What makes it the same binding.
    pub(crate) fn name(&self) -> (&'a str, &'a str, &'a str) {
        self.binding.identity()
    }

    pub(crate) fn to_ref(self) -> BindingRef {
        let (actor, contract, name) = self.name();
        BindingRef { actor: actor.to_owned(), contract: contract.to_owned(), name: name.to_owned() }
    }
}

impl<'a> Wanted<'a> {
    /// The actors that are wanted, with their places.
    pub(crate) fn actors(self) -> impl Iterator<Item = (usize, &'a PreparedActor)> {
        let actors = self.prepared.actors.iter().enumerate();
        actors.filter(move |(_, actor)| self.may_run(&actor.name))
    }

    /// The providers that are wanted.
    pub(crate) fn providers(self) -> impl Iterator<Item = &'a PreparedProvider> {
        let providers = self.prepared.providers.iter();
        providers.filter(move |provider| self.may_provide(&provider.name))
    }

    /// The bindings that are wanted, with their places.
    pub(crate) fn bindings(self) -> impl Iterator<Item = (usize, &'a PreparedBinding)> {
        let bindings = self.prepared.bindings.iter().enumerate();
        bindings.filter(move |(_, binding)| self.may_serve(binding))
    }

    /// The place of the wanted actor of that name.
    pub(crate) fn place_of_actor(self, name: &str) -> Option<usize> {
        self.prepared.places.of_actor(name).filter(|_| self.may_run(name))
    }

    /// True when something of that name is wanted that may be bound to providers: an actor, or a
    /// provider with claims of its own.
    pub(crate) fn has_caller(self, name: &str) -> bool {
        let mut providers = self.providers();
        self.place_of_actor(name).is_some()
            || providers.any(|provider| *provider.name == *name && provider.module.is_some())
    }

    /// The place of the same binding, if it is wanted.
    pub(crate) fn place_of_binding(self, binding: &PreparedBinding) -> Option<usize> {
        let Prepared { places, bindings, .. } = self.prepared;
        places
            .of_binding(binding.identity(), |place| bindings[place].identity())
            .filter(|place| self.may_serve(&bindings[*place]))
    }

    /// All of it, as if it ran.
    pub(crate) fn inventory(self) -> Inventory<'a> {
        Inventory {
            actors: self.actors().map(|(_, actor)| actor).collect(),
            providers: self.providers().collect(),
            broken: Vec::new(),
            bindings: self.bindings().map(|(_, binding)| Bound::of(binding)).collect(),
            rules: self.rules,
        }
    }

    fn may_run(self, name: &str) -> bool {
        !self.barred.actors.contains_key(name) && !self.prepared.stopped.has_actor(name)
    }

    fn may_provide(self, name: &str) -> bool {
        !self.barred.providers.contains_key(name) && !self.prepared.stopped.has_provider(name)
    }

    fn may_serve(self, binding: &PreparedBinding) -> bool {
        self.may_call(&binding.actor) && self.may_provide(&binding.provider)
    }

    /// The same of who is bound to a provider: an actor, or else another provider.
    fn may_call(self, name: &str) -> bool {
        let is_actor = || self.prepared.places.of_actor(name).is_some();
        self.may_run(name) && (self.may_provide(name) || is_actor())
    }
}

impl Desired {
    pub(crate) const fn wanted<'a>(&'a self, barred: &'a Barred) -> Wanted<'a> {
        Wanted { prepared: &self.prepared, barred, rules: self.options.rules }
    }

    /// What may not run, and why: trust and time may have changed since the manifest was prepared.
    pub(crate) fn barred(&self, trust: Option<&TrustList>, clock: &dyn Clock) -> Barred {
        let now = Moment::of(clock);
        let actor = |actor: &PreparedActor| {
            let error = vouch(&actor.verified, trust, &now).err()?;
            Some((Arc::clone(&actor.name), error))
        };
        let provider = |provider: &PreparedProvider| {
            let error = vouch_for_provider(provider, trust, &now).err()?;
            Some((Arc::clone(&provider.name), error))
        };
        let Prepared { actors, providers, .. } = &self.prepared;
        Barred {
            actors: actors.iter().filter_map(actor).collect(),
            providers: providers.iter().filter_map(provider).collect(),
        }
    }
}

impl Barred {
    /// True when all that is wanted may run.
    pub(crate) fn is_empty(&self) -> bool {
        self.actors.is_empty() && self.providers.is_empty()
    }

    /// All of them, as a status tells them that last since now.
    pub(crate) fn rows(&self, since_unix_s: u64) -> Vec<Degraded> {
        let row = |(what, error): (String, &ClaimsError)| {
            let (code, why) = (error.code(), error.message().to_owned());
            Degraded { what, code, why, since_unix_s, retry_unix_s: None }
        };
        self.iter().map(row).collect()
    }

    /// All of them, as part of a sentence.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (String, &ClaimsError)> {
        let actors = self.actors.iter().map(|(name, error)| (format!("actor {name}"), error));
        let providers = self.providers.iter();
        actors.chain(providers.map(|(name, error)| (format!("provider {name}"), error)))
    }
}

/// One moment, for all that is looked at together: a look at a clock takes longer than a check.
pub(crate) struct Moment(u64);

impl Moment {
    pub(crate) fn of(clock: &dyn Clock) -> Self {
        Self(clock.now_unix_s())
    }
}

impl Clock for Moment {
    fn now_unix_s(&self) -> u64 {
        self.0
    }
}

/// Checks again what may have changed since a module was verified.
pub(crate) fn vouch(
    verified: &Verified,
    trust: Option<&TrustList>,
    now: &Moment,
) -> Result<(), ClaimsError> {
    match trust {
        Some(trust) => verified.recheck(trust, now),
        None => verified.check_time(now),
    }
}

/// The same of a provider. One that is neither a module nor came as an archive is a part of the
/// host, or a program that its owner named.
pub(crate) fn vouch_for_provider(
    provider: &PreparedProvider,
    trust: Option<&TrustList>,
    now: &Moment,
) -> Result<(), ClaimsError> {
    if let Some(module) = &provider.module {
        return vouch(&module.verified, trust, now);
    }
    match (&provider.claims, trust) {
        (Some(claims), Some(trust)) => claims.recheck(trust, now),
        (Some(claims), None) => claims.check_time(now),
        (None, _) => Ok(()),
    }
}
