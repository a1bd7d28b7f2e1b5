//! Where a manifest's actors and bindings stand, by their names.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::key::BindingKey;

/// The places of actors and bindings by name. Made once with the manifest: whoever compares it with
/// what runs looks each of these up, and a change waits for that.
pub(crate) struct Places {
    actors: HashMap<Arc<str>, usize, RandomState>,
    links: HashMap<BindingKey, usize, RandomState>,
}

impl Places {
    pub(super) fn of<'a>(
        actors: impl Iterator<Item = &'a Arc<str>>,
        links: impl Iterator<Item = BindingKey>,
    ) -> Self {
        let actors = actors.enumerate().map(|(place, name)| (Arc::clone(name), place));
        let links = links.enumerate().map(|(place, key)| (key, place));
        Self { actors: actors.collect(), links: links.collect() }
    }

    /// The place of the actor of that name.
    pub(crate) fn of_actor(&self, name: &str) -> Option<usize> {
        self.actors.get(name).copied()
    }

    /// The place of the same binding.
    pub(crate) fn of_link(&self, key: &BindingKey) -> Option<usize> {
        self.links.get(key).copied()
    }
}
