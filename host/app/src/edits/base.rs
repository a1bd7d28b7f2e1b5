//! The manifest that edits are laid over.

use std::sync::Arc;

use trellis_control::ComponentKind;
use trellis_core::{CallError, Code, nearest_name};
use trellis_manifest::{Manifest, SourceText};

use super::subject::Subject;
use super::version::Entry;

/// The manifest that is applied, as its text says it.
#[derive(Clone)]
pub(crate) struct Base {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) source: SourceText,
    /// The names of its actors, in its order.
    pub(crate) names: Arc<[Arc<str>]>,
}

impl Base {
    /// What it says of an actor or a provider.
    ///
    /// # Errors
    /// [`Code::NotFound`] when it has none of that name.
    pub(crate) fn entry(&self, subject: &Subject) -> Result<Entry, CallError> {
        let name = &*subject.name;
        let found = match subject.kind {
            ComponentKind::Actor => {
                let place = self.names.iter().position(|known| **known == *name);
                let spec = place.and_then(|place| self.manifest.actors.get(place));
                spec.map(|spec| Entry::Actor(spec.value.clone()))
            }
            ComponentKind::Provider => {
                let mut providers = self.manifest.providers.iter();
                let spec = providers.find(|it| *it.value.name.value == *name);
                spec.map(|spec| Entry::Provider(spec.value.clone()))
            }
        };
        found.ok_or_else(|| self.unknown(subject))
    }

    /// True when it has such an entry.
    pub(crate) fn has(&self, subject: &Subject) -> bool {
        self.entry(subject).is_ok()
    }

    /// That it has neither an actor nor a provider of that name.
    pub(crate) fn unknown_to_all(&self, name: &str) -> CallError {
        let providers = self.manifest.providers.iter().map(|it| &*it.value.name.value);
        let near = nearest_name(name, self.names.iter().map(|it| &**it).chain(providers));
        let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        let text = format!("the manifest has no actor or provider `{name}`{near}");
        CallError::new(Code::NotFound, text)
    }

    fn unknown(&self, Subject { kind, name }: &Subject) -> CallError {
        let near = match kind {
            ComponentKind::Actor => nearest_name(name, self.names.iter().map(|it| &**it)),
            ComponentKind::Provider => {
                let providers = self.manifest.providers.iter();
                nearest_name(name, providers.map(|it| &*it.value.name.value))
            }
        };
        let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        let text = format!("the manifest has no {kind} `{name}`{near}");
        CallError::new(Code::NotFound, text)
    }
}
