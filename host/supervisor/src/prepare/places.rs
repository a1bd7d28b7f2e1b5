//! Where a manifest's actors and bindings stand, by their names.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// What makes a binding the same one: actor, contract and name.
type Name<'a> = (&'a str, &'a str, &'a str);

/// The places of actors and bindings by name. Made once with the manifest: whoever compares it with
/// what runs looks each of these up, and a change waits for that.
pub(crate) struct Places {
    actors: HashMap<Arc<str>, usize, RandomState>,
    /// By what makes a binding the same one, which is not kept twice.
    bindings: HashTable<usize>,
    hasher: RandomState,
}

impl Places {
    pub(super) fn of<'a>(
        actors: impl Iterator<Item = &'a Arc<str>>,
        bindings: impl ExactSizeIterator<Item = Name<'a>>,
    ) -> Self {
        let hasher = RandomState::default();
        let actors = actors.enumerate().map(|(place, name)| (Arc::clone(name), place));
        // With room for all, nothing is moved and so hashed again.
        let mut table = HashTable::with_capacity(bindings.len());
        for (place, name) in bindings.enumerate() {
            table.insert_unique(hasher.hash_one(name), place, |_| 0);
        }
        Self { actors: actors.collect(), bindings: table, hasher }
    }

    /// The place of the actor of that name.
    pub(crate) fn of_actor(&self, name: &str) -> Option<usize> {
        self.actors.get(name).copied()
    }

    /// The place of a binding, where `at` gives the name of the one at a place.
    pub(crate) fn of_binding<'a>(
        &self,
        name: Name<'_>,
        at: impl Fn(usize) -> Name<'a>,
    ) -> Option<usize> {
        self.bindings.find(self.hasher.hash_one(name), |place| at(*place) == name).copied()
    }
}
