//! What was prepared before and is taken as it was: nothing is read, fetched or asked for it.
//!
//! An edit of one thing prepares that alone. So a tag that was moved elsewhere comes in with no
//! edit of something else, and what is broken elsewhere is in no edit's way.

use std::collections::BTreeMap;
use std::fmt;
use std::path::absolute;
use std::sync::Arc;

use trellis_artifacts::{ProgramCache, Reference, Wanted, written_digest};
use trellis_control::ComponentKind;
use trellis_core::CallError;

use super::located::Located;
use super::parts::{Prepared, PreparedActor, PreparedProvider};
use super::proof::Proof;
use crate::key::BindingKey;

/// What was prepared of one actor or provider. Cheap to clone.
#[derive(Clone)]
pub struct Part(Kind);

#[derive(Clone)]
enum Kind {
    Actor(Arc<PreparedActor>),
    Provider(Arc<PreparedProvider>),
}

/// All that was prepared of a manifest, actors in its order.
#[derive(Clone, Default)]
pub struct Parts {
    actors: Vec<Arc<PreparedActor>>,
    providers: BTreeMap<Arc<str>, Arc<PreparedProvider>>,
    /// Which provider each binding means.
    bound: Vec<(BindingKey, Arc<str>)>,
}

/// What of a manifest is taken as it was prepared before: actors by their places in it, providers
/// by their names.
#[derive(Default)]
pub struct Kept {
    actors: BTreeMap<usize, Keep<PreparedActor>>,
    providers: BTreeMap<Arc<str>, Keep<PreparedProvider>>,
}

/// One of them.
pub(super) struct Keep<T> {
    pub(super) part: Arc<T>,
    /// Whoever wants it now is told when it may not run any more. Else that is for who runs it:
    /// it is no part of what is being changed.
    pub(super) is_asked: bool,
}

impl Parts {
    /// What was prepared of an actor or provider.
    #[must_use]
    pub fn get(&self, (kind, name): (ComponentKind, &str)) -> Option<Part> {
        match kind {
            ComponentKind::Actor => {
                let actor = self.actors.iter().find(|actor| *actor.name == *name)?;
                Some(Part(Kind::Actor(Arc::clone(actor))))
            }
            ComponentKind::Provider => {
                Some(Part(Kind::Provider(Arc::clone(self.providers.get(name)?))))
            }
        }
    }
}

impl Parts {
    /// By what an actor may be called in a binding: its name, its key and its call alias.
    #[must_use]
    pub fn names_of(&self, actor: &str) -> Vec<String> {
        let Some(actor) = self.actors.iter().find(|it| *it.name == *actor) else {
            return Vec::new();
        };
        let claims = actor.verified.claims();
        let names =
            [Some(&*actor.name), Some(claims.subject.as_str()), claims.call_alias.as_deref()];
        names.into_iter().flatten().map(str::to_owned).collect()
    }

    /// Whether an actor's claims list a contract of these ids.
    #[must_use]
    pub fn claims_any(&self, actor: &str, contracts: &[String]) -> bool {
        let actor = self.actors.iter().find(|it| *it.name == *actor);
        actor.is_some_and(|it| it.verified.claims().caps.iter().any(|cap| contracts.contains(cap)))
    }

    /// All ids of a contract that one of the providers serves, its own first; none when none does.
    #[must_use]
    pub fn ids_of(&self, contract: &str) -> Vec<String> {
        let served = self.providers.values().find_map(|it| it.descriptor.contract(contract));
        let ids = served.iter().flat_map(|it| std::iter::once(&it.id).chain(it.aliases.iter()));
        ids.map(ToString::to_string).collect()
    }

    /// The providers that serve a contract, and whether each binds itself to whoever claims it.
    pub fn serving<'a>(&'a self, contract: &str) -> impl Iterator<Item = (&'a str, bool)> {
        let serving =
            self.providers.iter().filter(move |(_, it)| it.descriptor.contract(contract).is_some());
        serving.map(|(name, it)| (&**name, it.descriptor.implicit))
    }

    /// The provider that a binding means.
    #[must_use]
    pub fn provider_of(&self, (actor, contract, name): (&str, &str, &str)) -> Option<&str> {
        let is_it = |key: &BindingKey| {
            *key.actor == *actor && key.contract.as_str() == contract && key.name.as_str() == name
        };
        self.bound.iter().find(|(key, _)| is_it(key)).map(|(_, provider)| &**provider)
    }

    /// Every provider, by its name.
    pub fn providers(&self) -> impl Iterator<Item = &str> + Clone {
        self.providers.keys().map(|name| &**name)
    }

    /// Every contract that is served.
    pub fn contracts(&self) -> impl Iterator<Item = &str> + Clone {
        self.providers
            .values()
            .flat_map(|it| it.descriptor.contracts.iter().map(|it| it.id.as_str()))
    }
}

impl Prepared {
    /// All that was prepared, to be taken again as it is.
    #[must_use]
    pub fn parts(&self) -> Parts {
        let provider =
            |it: &PreparedProvider| (Arc::clone(&it.name), Arc::new(PreparedProvider::clone(it)));
        Parts {
            actors: self.actors.iter().cloned().map(Arc::new).collect(),
            providers: self.providers.iter().map(provider).collect(),
            bound: self.bindings.iter().map(|it| (it.key(), Arc::clone(&it.provider))).collect(),
        }
    }
}

impl Kept {
    /// All of a manifest that was prepared.
    #[must_use]
    pub fn all(parts: &Parts) -> Self {
        let was = |part| Keep { part, is_asked: false };
        Self {
            actors: parts.actors.iter().cloned().map(was).enumerate().collect(),
            providers: (parts.providers.iter())
                .map(|(name, part)| {
                    let part = Arc::clone(part);
                    (Arc::clone(name), Keep { part, is_asked: false })
                })
                .collect(),
        }
    }

    /// The same, but for one thing: of that this part, if there is one, which is asked again
    /// whether it may run. An actor has, or gets, this `place` among all; `None` when it goes.
    #[must_use]
    pub fn all_but(
        parts: &Parts,
        ((kind, name), place): ((ComponentKind, &str), Option<usize>),
        part: Option<&Part>,
    ) -> Self {
        let mut kept = Self::all(parts);
        match kind {
            ComponentKind::Actor => {
                let others = parts.actors.iter().filter(|actor| *actor.name != *name);
                // It comes between them, or goes from there.
                let at = |other: usize| other + usize::from(place.is_some_and(|it| it <= other));
                let others = others.cloned().enumerate();
                let keep = |part| Keep { part, is_asked: false };
                kept.actors = others.map(|(other, part)| (at(other), keep(part))).collect();
                place.into_iter().for_each(|place| kept.keep_actor(place, part));
            }
            ComponentKind::Provider => {
                kept.providers.remove(name);
                kept.keep_provider(name, part);
            }
        }
        kept
    }

    /// Also the actor at this place of the manifest, which is asked again whether it may run.
    pub fn keep_actor(&mut self, place: usize, part: Option<&Part>) {
        if let Some(Part(Kind::Actor(actor))) = part {
            self.actors.insert(place, Keep { part: Arc::clone(actor), is_asked: true });
        }
    }

    /// Also this provider, likewise.
    pub fn keep_provider(&mut self, name: &str, part: Option<&Part>) {
        if let Some(Part(Kind::Provider(provider))) = part {
            let keep = Keep { part: Arc::clone(provider), is_asked: true };
            self.providers.insert(Arc::from(name), keep);
        }
    }

    pub(super) fn actor(&self, place: usize) -> Option<&Keep<PreparedActor>> {
        self.actors.get(&place)
    }

    pub(super) fn provider(&self, name: &str) -> Option<&Keep<PreparedProvider>> {
        self.providers.get(name)
    }
}

impl Part {
    /// An actor as it runs.
    pub(crate) fn of_actor(running: &PreparedActor) -> Self {
        Self(Kind::Actor(Arc::new(running.clone())))
    }

    /// A provider as it runs, without what its owner meant once.
    pub(crate) fn of_provider(running: &PreparedProvider) -> Self {
        let once =
            PreparedProvider { may_be_older: false, data: None, forced: false, ..running.clone() };
        Self(Kind::Provider(Arc::new(once)))
    }

    /// True for another release of the same kind. A program that nobody signed is whatever its file
    /// is, and a part of the host is what the manifest says of it.
    pub(crate) fn stands_in_for(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kind::Actor(_), Kind::Actor(_)) => !self.is_same_release(other),
            (Kind::Provider(one), Kind::Provider(another)) => {
                let both = one.module.is_some() == another.module.is_some()
                    && one.claims.is_some() == another.claims.is_some();
                one.has_claims() && both && !self.is_same_release(other)
            }
            (Kind::Actor(_), Kind::Provider(_)) | (Kind::Provider(_), Kind::Actor(_)) => false,
        }
    }

    /// True for the same code, whatever is said of it besides.
    #[must_use]
    pub fn is_same_release(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kind::Actor(one), Kind::Actor(another)) => {
                one.verified.digest() == another.verified.digest()
            }
            (Kind::Provider(one), Kind::Provider(another)) => {
                let module = |it: &PreparedProvider| {
                    it.module.as_ref().map(|module| *module.verified.digest())
                };
                one.is_kind_of(another) && module(one) == module(another)
            }
            (Kind::Actor(_), Kind::Provider(_)) | (Kind::Provider(_), Kind::Actor(_)) => false,
        }
    }

    /// The same with its module where nobody changes it: a file that is gone or another one when
    /// it is gone back to would be missed. What has no file of the user's is the same. Blocks.
    ///
    /// # Errors
    /// As [`Wanted::read_again`] and [`ProgramCache::keep`].
    pub fn kept_in(&self, cache: &ProgramCache) -> Result<Self, CallError> {
        match &self.0 {
            Kind::Actor(actor) => Ok(Self(Kind::Actor(Arc::new(actor.kept_in(cache)?)))),
            Kind::Provider(provider) => {
                let Some(module) = &provider.module else { return Ok(self.clone()) };
                let module = Some(Arc::new(module.kept_in(cache)?));
                let kept = PreparedProvider { module, ..PreparedProvider::clone(provider) };
                Ok(Self(Kind::Provider(Arc::new(kept))))
            }
        }
    }

    /// What tells it from others, for people: its revision, its version, and what an image stands
    /// for.
    #[must_use]
    pub fn identity(&self) -> Vec<String> {
        let module = match &self.0 {
            Kind::Actor(actor) => Some(&**actor),
            Kind::Provider(provider) => provider.module.as_deref(),
        };
        let mut told = Vec::new();
        if let Some(module) = module {
            let claims = module.verified.claims();
            told.extend(claims.revision.map(|revision| format!("claims revision {revision}")));
            told.extend(claims.version.as_ref().map(|version| format!("version {version}")));
            told.extend(module.resolved.as_ref().map(|it| written_digest(&it.digest)));
        }
        if let Kind::Provider(provider) = &self.0
            && let Some(claims) = &provider.claims
        {
            let revision = claims.body().revision;
            told.extend(revision.map(|revision| format!("claims revision {revision}")));
            told.extend(provider.resolved.as_ref().map(|it| written_digest(&it.digest)));
        }
        told
    }

    /// The key that it was signed for, of an actor.
    #[must_use]
    pub fn actor_key(&self) -> Option<&str> {
        match &self.0 {
            Kind::Actor(actor) => Some(actor.verified.claims().subject.as_str()),
            Kind::Provider(_) => None,
        }
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.0 {
            Kind::Actor(actor) => &actor.name,
            Kind::Provider(provider) => &provider.name,
        };
        f.debug_tuple("Part").field(name).finish()
    }
}

impl PreparedActor {
    /// Where its module is, and what is known of it.
    pub(super) fn found(&self) -> (Located, Proof) {
        let (module, resolved) = (self.module.clone(), self.resolved.clone());
        let proof = Proof { verified: self.verified.clone(), code: self.code.clone() };
        (Located { module, resolved, held: self.held.clone() }, proof)
    }

    fn kept_in(&self, cache: &ProgramCache) -> Result<Self, CallError> {
        let Reference::File(_) = &self.module.reference else { return Ok(self.clone()) };
        if self.held.is_some() {
            return Ok(self.clone());
        }
        let digest = self.verified.digest();
        let held = Arc::new(cache.keep(digest, &self.module.read_again(digest)?)?);
        let path = absolute(held.path()).unwrap_or_else(|_| held.path().to_owned());
        let module = Wanted { reference: Reference::File(path), ..self.module };
        Ok(Self { module, held: Some(held), ..self.clone() })
    }
}
