//! What a manifest is made of once it was checked.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use trellis_artifacts::{KeptProgram, Wanted};
use trellis_claims::{Verified, VerifiedProvider};
use trellis_control::{ComponentKind, DataTerms, Loss};
use trellis_core::{ActorKey, BindingId, BindingName, CallError, Contract, Direction, Operation};
use trellis_engine::{Isolation, ModuleSource};
use trellis_limits::ActorLimits;
use trellis_manifest::Problem;
use trellis_providers_sdk::{Binding, BoxFuture, Descriptor, ProviderFactory, Values};
use trellis_targets::module::ModuleFile;

use super::known::{LastRuns, Modules};
use super::located::Resolved;
use super::places::Places;
use super::proof::CodeProof;
use super::stopped::Stopped;
use super::warning::Warning;

use crate::expiring::ends_soon;
use crate::key::BindingKey;

/// A manifest whose modules verify, whose bindings are claimed and served, and whose values are
/// known. Only `prepare` makes one.
pub struct Prepared {
    pub(crate) actors: Vec<PreparedActor>,
    pub(crate) providers: Vec<PreparedProvider>,
    pub(crate) bindings: Vec<PreparedBinding>,
    pub(crate) places: Places,
    pub(super) runs: LastRuns,
    pub(super) warnings: Vec<Warning>,
    pub(super) notes: Vec<Problem>,
    pub(super) images: Vec<Problem>,
    pub(crate) stopped: Stopped,
}

/// An actor that may run here; or a provider that is a module.
#[derive(Clone)]
pub(crate) struct PreparedActor {
    pub(crate) name: Arc<str>,
    pub(crate) module: Wanted,
    /// Of an image, what it stands for.
    pub(super) resolved: Option<Resolved>,
    /// Of a copy in the cache, what keeps it there: it may be read again.
    pub(super) held: Option<Arc<KeptProgram>>,
    /// Who reads it.
    pub(crate) modules: Modules,
    /// True for a provider.
    pub(crate) is_provider: bool,
    pub(crate) verified: Verified,
    /// What is known of its code.
    pub(crate) code: CodeProof,
    pub(crate) isolation: Isolation,
    pub(crate) limits: ActorLimits,
    /// Its settings in the manifest. No part of what runs: they reach it through a binding.
    pub(crate) values: Values,
    /// What it may no longer do that the version could which ran last.
    pub(crate) loses: Vec<Loss>,
    /// Its owner wants it although what runs may be newer.
    pub(crate) may_be_older: bool,
    /// How many of the calls that were kept it has to answer before it serves; `None` is all.
    pub(crate) replays: Option<u32>,
}

/// A provider this host can make.
#[derive(Clone)]
pub(crate) struct PreparedProvider {
    pub(crate) name: Arc<str>,
    /// In the original manifests: the only binding name it serves.
    pub(crate) binding_name: Option<String>,
    pub(crate) factory: Arc<dyn ProviderFactory>,
    pub(crate) descriptor: Arc<Descriptor>,
    /// The module that it is, if it is one.
    pub(crate) module: Option<Arc<PreparedActor>>,
    pub(crate) values: Values,
    /// Who vouches for it, when it came as an archive.
    pub(crate) claims: Option<VerifiedProvider>,
    /// Of an archive that is an image, what that stands for.
    pub(super) resolved: Option<Resolved>,
    /// Its owner wants it although what runs may be newer.
    pub(crate) may_be_older: bool,
    /// What the one that runs keeps is to go along to it.
    pub(crate) data: Option<DataTerms>,
    /// Its owner wants it although it is not well and what runs is.
    pub(crate) forced: bool,
}

/// A binding whose actor claims it and whose provider serves it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PreparedBinding {
    pub(crate) actor: Arc<str>,
    pub(crate) contract: Arc<Contract>,
    pub(crate) name: BindingName,
    pub(crate) provider: Arc<str>,
    /// Largest message in either direction, in bytes.
    pub(crate) payload_bytes_max: u32,
    pub(crate) values: Values,
}

impl PreparedBinding {
    /// What makes it the same binding: actor, contract and name.
    pub(crate) fn identity(&self) -> (&str, &str, &str) {
        (&self.actor, self.contract.id.as_str(), self.name.as_str())
    }

    /// The same to keep.
    pub(crate) fn key(&self) -> BindingKey {
        BindingKey {
            actor: Arc::clone(&self.actor),
            contract: self.contract.id.clone(),
            name: self.name.clone(),
        }
    }

    /// What its provider is told when it is called so and its actor has this key; `provider`
    /// brings the values that it leaves out.
    pub(crate) fn told(
        &self,
        (id, actor): (BindingId, &ActorKey),
        provider: &PreparedProvider,
    ) -> Binding {
        Binding {
            id,
            actor: actor.clone(),
            actor_name: self.actor.to_string(),
            contract: self.contract.id.clone(),
            name: self.name.clone(),
            payload_bytes_max: self.payload_bytes_max,
            values: self.values.over(&provider.values),
        }
    }
}

impl Prepared {
    /// The key of an actor, or of a provider that has claims of its own, whether or not it runs.
    pub(crate) fn key_of(&self, name: &str) -> Option<ActorKey> {
        if let Some(place) = self.places.of_actor(name) {
            return Some(self.actors.get(place)?.verified.claims().key());
        }
        let provider = self.providers.iter().find(|it| *it.name == *name)?;
        Some(provider.module.as_ref()?.verified.claims().key())
    }

    /// What will be known of its actors when they have run: to be given to the next `prepare` once
    /// they do.
    #[must_use]
    pub const fn runs(&self) -> &LastRuns {
        &self.runs
    }

    /// The names of its actors, in the order of the manifest.
    pub fn actor_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.actors.iter().map(|actor| &actor.name)
    }

    /// The owner wants this actor or provider although what runs may be newer.
    pub fn may_be_older(&mut self, kind: ComponentKind, name: &str) {
        match kind {
            ComponentKind::Actor => {
                let actors = self.actors.iter_mut().filter(|actor| *actor.name == *name);
                actors.for_each(|actor| actor.may_be_older = true);
            }
            ComponentKind::Provider => {
                let providers = self.providers.iter_mut().filter(|it| *it.name == *name);
                providers.for_each(|provider| provider.may_be_older = true);
            }
        }
    }

    /// This actor or provider is not to run, although it is wanted otherwise.
    pub fn stops(&mut self, kind: ComponentKind, name: &str) {
        self.stopped.add(kind, name);
    }

    /// This actor has to answer so many of the calls that were kept before it serves.
    pub fn replays(&mut self, name: &str, calls: u32) {
        let actors = self.actors.iter_mut().filter(|actor| *actor.name == *name);
        actors.for_each(|actor| actor.replays = Some(calls));
    }

    /// The owner wants this provider although it is not well. That says nothing of others.
    pub fn forces(&mut self, provider: &str) {
        let providers = self.providers.iter_mut().filter(|it| *it.name == *provider);
        providers.for_each(|it| it.forced = true);
    }

    /// What the provider of this name keeps is to go along when this takes its place.
    pub fn moves_data(&mut self, provider: &str, terms: DataTerms) {
        let providers = self.providers.iter_mut().filter(|it| *it.name == *provider);
        providers.for_each(|it| it.data = Some(terms));
    }

    /// What can run and was probably not meant.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Holds a provider to these claims, as if they vouched for the archive that it came in. That
    /// only takes away from what it may do: for tests of what becomes of such a provider.
    #[doc(hidden)]
    #[must_use]
    pub fn vouched_for(mut self, provider: &str, claims: &VerifiedProvider) -> Self {
        for known in self.providers.iter_mut().filter(|known| *known.name == *provider) {
            known.claims = Some(claims.clone());
        }
        self
    }

    /// What each image stands for, at its place in the manifest.
    #[must_use]
    pub fn images(&self) -> &[Problem] {
        &self.images
    }

    /// What a check that no start follows saw, and its reader may want to know.
    #[must_use]
    pub fn notes(&self) -> &[Problem] {
        &self.notes
    }
}

impl PreparedActor {
    /// Reads the module again and makes sure that it is the one that was verified: the checked
    /// file is not held in memory between checking and loading.
    pub(crate) async fn read(&self) -> Result<Bytes, CallError> {
        self.modules.fetch_again(&self.module, self.verified.digest()).await
    }

    /// When its claims end, if that is to be said by now.
    pub(crate) fn ends_soon(&self, now_unix_s: u64) -> Option<u64> {
        let claims = self.verified.claims();
        ends_soon(claims.ends_soon_from(), claims.expires, now_unix_s)
    }

    /// True when `other` runs the same code under the same bounds.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        self.verified.digest() == other.verified.digest()
            && self.isolation == other.isolation
            && self.limits == other.limits
    }
}

impl PreparedProvider {
    /// A provider under its own name and without values.
    pub(super) fn plain(factory: &Arc<dyn ProviderFactory>) -> Self {
        let descriptor = factory.descriptor();
        Self {
            name: Arc::from(&*descriptor.name),
            binding_name: None,
            factory: Arc::clone(factory),
            descriptor: Arc::new(descriptor),
            module: None,
            values: Values::default(),
            claims: None,
            resolved: None,
            may_be_older: false,
            data: None,
            forced: false,
        }
    }

    /// True when somebody has to vouch for it. Others are a part of the host, or a program that its
    /// owner named.
    pub(crate) fn has_claims(&self) -> bool {
        self.module.is_some() || self.claims.is_some()
    }

    /// Whether it may take the place of this one: an older revision takes that of no newer one,
    /// unless its owner says so.
    pub(crate) fn check_succeeds(&self, running: &Self) -> Result<(), CallError> {
        if self.may_be_older {
            return Ok(());
        }
        if let (Some(new), Some(former)) = (&self.claims, &running.claims) {
            new.check_succeeds(former)?;
        }
        let (Some(new), Some(former)) = (&self.module, &running.module) else { return Ok(()) };
        let (new, former) = (new.verified.claims(), former.verified.claims());
        if new.subject == former.subject {
            new.check_succeeds(former)?;
        }
        Ok(())
    }

    /// When its claims end, if it has any and that is to be said by now.
    pub(crate) fn ends_soon(&self, now_unix_s: u64) -> Option<u64> {
        match (&self.module, &self.claims) {
            (Some(module), _) => module.ends_soon(now_unix_s),
            (None, Some(claims)) => {
                let claims = claims.standard();
                ends_soon(claims.ends_soon_from(), claims.expires, now_unix_s)
            }
            (None, None) => None,
        }
    }

    /// True when both are the same implementation.
    pub(crate) fn is_kind_of(&self, other: &Self) -> bool {
        let (one, another) = (&self.descriptor, &other.descriptor);
        let same_build = self.factory.build() == other.factory.build();
        one.name == another.name && one.version == another.version && same_build
    }

    /// True when it serves what an actor may ask that is bound to this contract.
    pub(crate) fn serves(&self, contract: &Contract) -> bool {
        let known = self.descriptor.contract(contract.id.as_str());
        known.is_some_and(|known| is_same(known, contract))
    }
}

/// True when an actor that is bound to one contract may ask what it may ask of the other.
pub(crate) fn is_same(one: &Contract, other: &Contract) -> bool {
    let (a, b) = (&*one.operations, &*other.operations);
    let operation = |it: &Operation| (it.name.clone(), it.direction == Direction::ToActor);
    let all = |list: &[Operation]| list.iter().map(operation).collect::<BTreeSet<_>>();
    let pair = |(one, other): (&Operation, &Operation)| {
        one.name == other.name && one.direction == other.direction
    };
    // Mostly they are the same ones in the same order, which is seen without a set.
    let alike = || std::ptr::eq(a, b) || a.iter().zip(b).all(pair) || all(a) == all(b);
    one.id == other.id && a.len() == b.len() && alike()
}

impl ModuleFile for PreparedActor {
    fn fetch(&self) -> BoxFuture<'_, Result<Bytes, CallError>> {
        Box::pin(self.read())
    }
}

/// The engine asks for the bytes again when an idle actor is called and its code is no longer
/// cached.
impl ModuleSource for PreparedActor {
    fn read(&self) -> std::io::Result<Bytes> {
        self.module.read_again(self.verified.digest()).map_err(std::io::Error::other)
    }
}
