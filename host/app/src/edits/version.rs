//! What an edit puts in the place of what the manifest says.

use std::sync::{Arc, OnceLock};

use trellis_artifacts::KeptProgram;
use trellis_control::{ComponentKind, for_everybody};
use trellis_limits::ActorLimits;
use trellis_manifest::{
    ActorSpec, Isolation, Manifest, ProviderKind, ProviderSpec, Span, Spanned, TextPairs,
};
use trellis_supervisor::Part;

use super::besides::Besides;
use super::subject::Subject;
use super::words::{Named, keeps, what};

/// A version that an edit brought.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) replacement: Replacement,
    pub(crate) besides: Besides,
    /// Its file, which stays in the cache for as long as somebody may go back to it.
    pub(crate) file: Option<Arc<KeptProgram>>,
    /// What the replacement is, unless it is what the manifest says.
    pub(crate) named: Option<Named>,
    /// What all of it is, for people: never a value, which may be a secret.
    pub(crate) what: String,
    /// What the manifest would have to say to keep it, after "to keep it,".
    pub(crate) keeps: String,
    /// The revision of what is wanted that it came with.
    pub(crate) origin: u64,
    /// As it was prepared, once it was: what is gone back to is not read again, and a tag stays the
    /// digest that it stood for.
    pub(crate) part: OnceLock<Part>,
}

impl Version {
    /// True when both bring the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.replacement == other.replacement && self.besides == other.besides
    }

    /// The same, with this besides. How many instances there are is part of what was prepared.
    pub(super) fn with(&self, besides: Besides, (subject, is_new): (&Subject, bool)) -> Self {
        let named = self.named.as_ref();
        let is_prepared = self.besides.instances == besides.instances;
        Self {
            what: what(named, &besides),
            keeps: keeps((subject, is_new), named, &besides),
            replacement: self.replacement.clone(),
            file: self.file.clone(),
            named: self.named.clone(),
            origin: self.origin,
            part: if is_prepared { self.part.clone() } else { OnceLock::new() },
            besides,
        }
    }

    /// What it is, with what tells it from others of that name.
    pub(crate) fn told(&self) -> String {
        let identity = self.part.get().map(Part::identity).unwrap_or_default();
        let told = match identity.is_empty() {
            true => self.what.clone(),
            false => format!("{} ({})", self.what, identity.join(", ")),
        };
        for_everybody(&told)
    }
}

/// What is other than the manifest says; the rest of the entry stays the manifest's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Replacement {
    /// An actor's module: a file that nobody changes, or an image.
    Actor { name: String, image: String },
    /// What implements a provider, and all its values.
    Provider { kind: ProviderKind, values: TextPairs },
}

/// An entry of a manifest that can be edited.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Actor(ActorSpec),
    Provider(ProviderSpec),
    /// The manifest has none.
    Absent,
}

impl Replacement {
    /// True for an entry of an actor over which it was laid.
    pub(super) fn is_actor(&self, entry: &ActorSpec) -> bool {
        let Self::Actor { name, image } = self else { return false };
        entry.image.value == *image && entry.name.as_ref().is_some_and(|it| it.value == *name)
    }

    /// The file that it names, or the image.
    pub(crate) fn file(&self) -> Option<&str> {
        match self {
            Self::Actor { image, .. } => Some(image),
            Self::Provider { kind: ProviderKind::Builtin(_), .. } => None,
            Self::Provider { kind, .. } => Some(kind.written()),
        }
    }

    /// The entry of an actor with this in its place, unless it is of another kind.
    pub(super) fn over_actor(&self, entry: &ActorSpec) -> ActorSpec {
        let Self::Actor { name, image } = self else { return entry.clone() };
        let span = entry.image.span;
        let at = |text: &str| Spanned::new(text.to_owned(), span);
        ActorSpec { image: at(image), name: Some(at(name)), ..entry.clone() }
    }

    /// The entry of an actor that the manifest does not have, unless it is of another kind.
    pub(super) fn to_actor(&self) -> Option<ActorSpec> {
        let Self::Actor { name, image } = self else { return None };
        let brought = |text: &str| brought(text.to_owned(), Span::default());
        Some(ActorSpec {
            image: brought(image),
            name: Some(brought(name)),
            isolation: Isolation::default(),
            limits: ActorLimits::default(),
            written_limits: Vec::new(),
            values: Vec::new(),
        })
    }

    /// The same of a provider.
    pub(super) fn to_provider(&self, name: &str) -> Option<ProviderSpec> {
        let Self::Provider { kind, values } = self else { return None };
        let name = brought(name.to_owned(), Span::default());
        Some(ProviderSpec { name, kind: kind.clone(), binding_name: None, values: values.clone() })
    }

    /// The entry of a provider with this in its place, likewise.
    pub(super) fn over_provider(&self, entry: &ProviderSpec) -> ProviderSpec {
        let Self::Provider { kind, values } = self else { return entry.clone() };
        ProviderSpec { kind: kind.clone(), values: values.clone(), ..entry.clone() }
    }
}

impl Entry {
    /// What the manifest says, as if an edit had brought it; `None` when it says nothing.
    pub(super) fn as_replacement(&self, name: &str) -> Option<Replacement> {
        match self {
            Self::Actor(spec) => {
                let image = spec.image.value.clone();
                Some(Replacement::Actor { name: name.to_owned(), image })
            }
            Self::Provider(spec) => {
                let (kind, values) = (spec.kind.clone(), spec.values.clone());
                Some(Replacement::Provider { kind, values })
            }
            Self::Absent => None,
        }
    }

    /// True when a manifest has the same entry, wherever that stands in its text; or none, where
    /// there was none.
    pub(super) fn is_in(&self, subject: &Subject, manifest: &Manifest) -> bool {
        match self {
            Self::Actor(_) => manifest.actors.iter().any(|it| self.is_actor(&it.value)),
            Self::Provider(_) => manifest.providers.iter().any(|it| self.is_provider(&it.value)),
            Self::Absent => self.again_in(subject, manifest).is_none(),
        }
    }

    /// What a manifest says by now of what had this entry.
    pub(super) fn again_in(&self, subject: &Subject, manifest: &Manifest) -> Option<Self> {
        let name = &*subject.name;
        if subject.kind == ComponentKind::Provider {
            let mut providers = manifest.providers.iter();
            let found = providers.find(|it| it.value.name.value == name)?;
            return Some(Self::Provider(found.value.clone()));
        }
        // One without a name is known by its module.
        let id = if let Self::Actor(own) = self { own.id() } else { name };
        let mut actors = manifest.actors.iter();
        let found = actors.find(|it| it.value.id() == name || it.value.id() == id)?;
        Some(Self::Actor(found.value.clone()))
    }

    /// True for the same entry, wherever it stands in its text.
    pub(super) fn is_actor(&self, other: &ActorSpec) -> bool {
        let Self::Actor(own) = self else { return false };
        own.image == other.image && plain_actor(own) == plain_actor(other)
    }

    /// The same of a provider.
    pub(super) fn is_provider(&self, other: &ProviderSpec) -> bool {
        let Self::Provider(own) = self else { return false };
        own.name == other.name && plain_provider(own) == plain_provider(other)
    }
}

/// Without what only says where a limit is written; the limits themselves are there besides.
fn plain_actor(entry: &ActorSpec) -> ActorSpec {
    ActorSpec { written_limits: Vec::new(), ..entry.clone() }
}

fn plain_provider(entry: &ProviderSpec) -> ProviderSpec {
    let mut plain = entry.clone();
    if let ProviderKind::Module(module) = &mut plain.kind {
        module.written_limits.clear();
    }
    plain
}

/// A text that an edit brought: it stands nowhere, so errors point at the entry.
pub(super) const fn brought(text: String, at: Span) -> Spanned<String> {
    Spanned::new(text, at)
}
