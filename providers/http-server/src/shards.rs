//! A map that is changed by copying a small part of it, so that one more entry of ten thousand
//! costs no copy of ten thousand. Copies that were published stay as they are.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;

type Shard<V> = HashMap<Arc<str>, V, RandomState>;

/// A persistent map from texts.
#[derive(Clone, Debug)]
pub(crate) struct Shards<V> {
    /// A power of two of them.
    shards: Vec<Arc<Shard<V>>>,
    len: usize,
    hasher: RandomState,
}

/// Entries of a shard, on average, from which on there are twice as many shards.
const ENTRIES_MAX: usize = 64;

impl<V> Default for Shards<V> {
    fn default() -> Self {
        let hasher = RandomState::default();
        let shards = vec![Arc::new(HashMap::with_hasher(hasher.clone()))];
        Self { shards, len: 0, hasher }
    }
}

impl<V: Clone> Shards<V> {
    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn get(&self, key: &str) -> Option<&V> {
        match &self.shards[..] {
            [only] => only.get(key),
            shards => shards[self.index(key)].get(key),
        }
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.shards.iter().flat_map(|shard| shard.values())
    }

    /// Puts an entry in the place of any of the same key.
    pub(crate) fn insert(&mut self, key: &str, value: V) {
        let index = self.index(key);
        if Arc::make_mut(&mut self.shards[index]).insert(key.into(), value).is_none() {
            self.len += 1;
        }
        if self.len > self.shards.len() * ENTRIES_MAX {
            self.grow();
        }
    }

    pub(crate) fn remove(&mut self, key: &str) {
        let index = self.index(key);
        if self.shards[index].contains_key(key) {
            Arc::make_mut(&mut self.shards[index]).remove(key);
            self.len -= 1;
        }
    }

    fn grow(&mut self) {
        let empty = || Arc::new(HashMap::with_hasher(self.hasher.clone()));
        let count = self.shards.len() * 2;
        let old = std::mem::replace(&mut self.shards, (0..count).map(|_| empty()).collect());
        for (key, value) in old.iter().flat_map(|shard| shard.iter()) {
            let index = self.index(key);
            Arc::make_mut(&mut self.shards[index]).insert(Arc::clone(key), value.clone());
        }
    }

    fn index(&self, key: &str) -> usize {
        if self.shards.len() == 1 {
            return 0;
        }
        // The shard's own table uses the lowest bits and the highest ones.
        let hash = self.hasher.hash_one(key) >> 24;
        usize::try_from(hash).unwrap_or(usize::MAX) & (self.shards.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_and_go() {
        let mut map = Shards::default();
        for n in 0..2_000 {
            map.insert(&n.to_string(), n);
            map.insert(&n.to_string(), n + 1);
        }
        let before = map.clone();
        for n in (0..2_000).step_by(2) {
            map.remove(&n.to_string());
            map.remove("never there");
        }
        for n in 0..2_000 {
            assert_eq!(before.get(&n.to_string()), Some(&(n + 1)));
            assert_eq!(map.get(&n.to_string()).is_some(), n % 2 == 1, "{n}");
        }
        assert_eq!((before.len, map.len), (2_000, 1_000));
        (0..2_000).for_each(|n| map.remove(&n.to_string()));
        assert!(map.is_empty());
    }

    #[test]
    fn a_change_copies_one_shard_of_many() {
        let mut map = Shards::default();
        (0..10_000).for_each(|n| map.insert(&n.to_string(), n));
        let before = map.clone();
        map.insert("one more", 0);
        let pairs = || before.shards.iter().zip(&map.shards);
        let copied: Vec<_> = pairs().filter(|(old, new)| !Arc::ptr_eq(old, new)).collect();
        assert_eq!(copied.len(), 1, "of {}", map.shards.len());
        assert!(copied[0].1.len() <= 2 * ENTRIES_MAX, "{}", copied[0].1.len());
        assert!(before.shards.iter().all(|shard| shard.len() <= 3 * ENTRIES_MAX), "even shards");
    }
}
