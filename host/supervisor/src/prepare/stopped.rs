//! What the owner of a host stopped: it stays wanted with all it is bound to, and does not run.

use std::collections::BTreeSet;
use std::sync::Arc;

use trellis_control::ComponentKind;

/// The actors and providers that are not to run.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Stopped {
    actors: BTreeSet<Arc<str>>,
    providers: BTreeSet<Arc<str>>,
}

impl Stopped {
    pub(super) fn add(&mut self, kind: ComponentKind, name: &str) {
        let names = match kind {
            ComponentKind::Actor => &mut self.actors,
            ComponentKind::Provider => &mut self.providers,
        };
        names.insert(Arc::from(name));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.actors.is_empty() && self.providers.is_empty()
    }

    pub(crate) fn has_actor(&self, name: &str) -> bool {
        self.actors.contains(name)
    }

    pub(crate) fn has_provider(&self, name: &str) -> bool {
        self.providers.contains(name)
    }

    /// Why nobody is served by it, as the rest of a sentence.
    pub(crate) fn why(kind: ComponentKind, name: &str) -> String {
        format!(
            "{kind} {name} was stopped by an edit; `trellis start {kind} {name}` starts it again"
        )
    }
}
