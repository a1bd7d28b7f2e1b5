//! What an edit is about.

use std::fmt;

use trellis_control::ComponentKind;

/// An actor or a provider, by its name in the manifest.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Subject {
    pub(crate) kind: ComponentKind,
    pub(crate) name: String,
}

impl Subject {
    pub(crate) fn of(kind: ComponentKind, name: &str) -> Self {
        Self { kind, name: name.to_owned() }
    }

    pub(crate) fn actor(name: impl Into<String>) -> Self {
        Self { kind: ComponentKind::Actor, name: name.into() }
    }

    pub(crate) fn provider(name: impl Into<String>) -> Self {
        Self { kind: ComponentKind::Provider, name: name.into() }
    }

    pub(crate) fn as_pair(&self) -> (ComponentKind, &str) {
        (self.kind, &self.name)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}
