//! Where a manifest's actors and bindings stand, by their names.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::parts::{PreparedActor, PreparedLink};
use crate::key::BindingKey;

/// The places of actors and bindings by name. Made once with the manifest: whoever compares it with
/// what runs looks each of these up, and a change waits for that.
pub(crate) struct Places {
    actors: HashMap<Arc<str>, usize, RandomState>,
    links: HashMap<BindingKey, usize, RandomState>,
}

impl Places {
    pub(super) fn of(actors: &[PreparedActor], links: &[PreparedLink]) -> Self {
        let actors = actors.iter().enumerate();
        let links = links.iter().enumerate();
        Self {
            actors: actors.map(|(place, actor)| (Arc::clone(&actor.name), place)).collect(),
            links: links.map(|(place, link)| (link.key(), place)).collect(),
        }
    }

    /// The place of the actor of that name.
    pub(crate) fn of_actor(&self, name: &str) -> Option<usize> {
        self.actors.get(name).copied()
    }

    /// The place of the same binding.
    pub(crate) fn of_link(&self, link: &PreparedLink) -> Option<usize> {
        self.links.get(&link.key()).copied()
    }
}
