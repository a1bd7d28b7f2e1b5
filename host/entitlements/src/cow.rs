//! The map snapshots are made of.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Parts of a map. An edit copies one of them: of ten thousand entries some forty.
const SHARDS: usize = 256;

type Shard<K, V> = Arc<HashTable<(K, V)>>;

/// A map that is cheap to copy: copies share their entries, and an edit of one copies only the part
/// of it that holds the entry. The control plane edits its own and publishes copies.
pub struct CowMap<K, V> {
    shards: [Shard<K, V>; SHARDS],
    hasher: RandomState,
    len: usize,
}

impl<K, V> CowMap<K, V> {
    /// How many entries it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True when it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Every entry, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.shards.iter().flat_map(|shard| shard.iter().map(|(key, value)| (key, value)))
    }

    #[inline]
    fn shard_of(hash: u64) -> usize {
        // Neither the lowest bits nor the highest: a table places its entries by those.
        (hash >> 40) as usize % SHARDS
    }
}

impl<K: Eq + Hash, V> CowMap<K, V> {
    /// The value under `key`.
    #[inline]
    pub fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        let found =
            self.shards[Self::shard_of(hash)].find(hash, |(known, _)| known.borrow() == key);
        found.map(|(_, value)| value)
    }

    /// True when there is a value under `key`.
    #[inline]
    pub fn contains<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.get(key).is_some()
    }
}

impl<K: Clone + Eq + Hash, V: Clone> CowMap<K, V> {
    /// Puts a value under `key`; gives the one that stood there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let hash = self.hasher.hash_one(&key);
        let shard = Arc::make_mut(&mut self.shards[Self::shard_of(hash)]);
        if let Some((_, old)) = shard.find_mut(hash, |(known, _)| *known == key) {
            return Some(std::mem::replace(old, value));
        }
        shard.insert_unique(hash, (key, value), |(key, _)| self.hasher.hash_one(key));
        self.len += 1;
        None
    }

    /// Takes the value under `key` away.
    pub fn remove<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.get(key)?;
        let hash = self.hasher.hash_one(key);
        let shard = Arc::make_mut(&mut self.shards[Self::shard_of(hash)]);
        let entry = shard.find_entry(hash, |(known, _)| known.borrow() == key).ok()?;
        self.len -= 1;
        Some(entry.remove().0.1)
    }

    /// The value under `key`, to be changed.
    pub fn get_mut<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.get(key)?;
        let hash = self.hasher.hash_one(key);
        let shard = Arc::make_mut(&mut self.shards[Self::shard_of(hash)]);
        shard.find_mut(hash, |(known, _)| known.borrow() == key).map(|(_, value)| value)
    }
}

impl<K, V> Default for CowMap<K, V> {
    fn default() -> Self {
        let empty = Shard::<K, V>::default();
        Self {
            shards: std::array::from_fn(|_| Arc::clone(&empty)),
            hasher: RandomState::default(),
            len: 0,
        }
    }
}

impl<K, V> Clone for CowMap<K, V> {
    fn clone(&self) -> Self {
        Self { shards: self.shards.clone(), hasher: self.hasher.clone(), len: self.len }
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for CowMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn it_holds_what_a_map_holds() {
        let (mut ours, mut theirs) = (CowMap::default(), HashMap::new());
        for round in 0..20_000_u64 {
            let key = round.wrapping_mul(7_919) % 3_000;
            match round % 5 {
                0 => assert_eq!(ours.remove(&key), theirs.remove(&key)),
                1 => {
                    let both = (ours.get_mut(&key), theirs.get_mut(&key));
                    if let (Some(mine), Some(its)) = both {
                        (*mine, *its) = (round, round);
                    }
                }
                _ => assert_eq!(ours.insert(key, round), theirs.insert(key, round)),
            }
            assert_eq!(ours.get(&key), theirs.get(&key));
            assert_eq!(ours.len(), theirs.len());
        }
        assert_eq!(
            ours.iter().map(|(key, value)| (*key, *value)).collect::<HashMap<_, _>>(),
            theirs
        );
        assert!(!ours.is_empty() && ours.contains(&1) == theirs.contains_key(&1));
    }

    #[test]
    fn a_copy_keeps_what_it_was_copied_with() {
        let mut map: CowMap<u64, u64> = CowMap::default();
        (0..1_000).for_each(|key| assert_eq!(map.insert(key, key), None));
        let copy = map.clone();
        map.insert(5, 0);
        map.remove(&6);
        *map.get_mut(&7).expect("it is there") = 0;
        assert_eq!((copy.get(&5), copy.get(&6), copy.get(&7)), (Some(&5), Some(&6), Some(&7)));
    }

    #[test]
    fn an_edit_copies_one_part() {
        let mut map: CowMap<u64, u64> = CowMap::default();
        (0..10_000).for_each(|key| assert_eq!(map.insert(key, key), None));
        let copy = map.clone();
        map.insert(5, 0);
        let shared = map.shards.iter().zip(&copy.shards).filter(|(a, b)| Arc::ptr_eq(a, b));
        assert_eq!(shared.count(), SHARDS - 1);
    }
}
