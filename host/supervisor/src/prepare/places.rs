//! Where a manifest's actors and bindings stand, by their names.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::parts::PreparedLink;

/// The places of actors and bindings by name. Made once with the manifest: whoever compares it with
/// what runs looks each of these up, and a change waits for that.
pub(crate) struct Places {
    actors: HashMap<Arc<str>, usize, RandomState>,
    /// By what makes a binding the same one, which is not kept twice.
    links: HashTable<usize>,
    hasher: RandomState,
}

impl Places {
    pub(super) fn of<'a>(
        actors: impl Iterator<Item = &'a Arc<str>>,
        links: &[PreparedLink],
    ) -> Self {
        let hasher = RandomState::default();
        let actors = actors.enumerate().map(|(place, name)| (Arc::clone(name), place));
        let mut table = HashTable::with_capacity(links.len());
        let hash = |place: &usize| hasher.hash_one(links[*place].name());
        for place in 0..links.len() {
            table.insert_unique(hash(&place), place, hash);
        }
        Self { actors: actors.collect(), links: table, hasher }
    }

    /// The place of the actor of that name.
    pub(crate) fn of_actor(&self, name: &str) -> Option<usize> {
        self.actors.get(name).copied()
    }

    /// The place among `links`, which these are of, of the same binding as `link`.
    pub(crate) fn of_link(&self, links: &[PreparedLink], link: &PreparedLink) -> Option<usize> {
        let name = link.name();
        let is_same = |place: &usize| links[*place].name() == name;
        self.links.find(self.hasher.hash_one(name), is_same).copied()
    }
}
