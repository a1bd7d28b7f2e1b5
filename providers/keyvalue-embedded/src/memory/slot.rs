//! One key's place in its shard, and the bytes it is charged for.

use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::hash_table::{self, HashTable};

use super::budget::Budget;
use super::charge::key_bytes;
use super::collection::PIECE;
use super::shard::{Entry, Shard, Value};
use crate::namespace::NamespaceId;

/// Which key, and what it takes to find it.
pub(super) struct Place<'a> {
    pub(super) space: NamespaceId,
    pub(super) key: &'a str,
    pub(super) hash: u64,
    pub(super) hasher: &'a foldhash::fast::RandomState,
    pub(super) budget: &'a Budget,
}

/// One key of a locked shard, present or not.
pub(super) struct Slot<'a> {
    place: Place<'a>,
    found: hash_table::Entry<'a, Entry>,
    expiries: &'a mut BTreeSet<(u64, NamespaceId, Arc<str>)>,
    trash: &'a mut Trash,
}

/// What was removed under a lock and takes long to free: freed when this is dropped, which must be
/// after the lock was given back.
#[derive(Default)]
pub(super) struct Trash(Vec<Value>);

impl Trash {
    fn take(&mut self, value: Value) {
        let elements = match &value {
            Value::List(list) => list.items().len(),
            Value::Set(set) => set.members().len(),
            Value::Number(_) | Value::Text(_) => 0,
        };
        if elements > PIECE {
            self.0.push(value);
        }
    }
}

impl Drop for Trash {
    fn drop(&mut self) {
        if self.0.is_empty() {
            return;
        }
        let values = std::mem::take(&mut self.0);
        // Without a runtime nobody waits for this thread.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(move || drop(values));
        }
    }
}

impl<'a> Slot<'a> {
    pub(super) fn open(shard: &'a mut Shard, place: Place<'a>, trash: &'a mut Trash) -> Self {
        let Shard { entries, expiries } = shard;
        Self { found: find(entries, &place), place, expiries, trash }
    }

    /// When the key expires, if it is there and ever does.
    pub(super) fn expires_ms(&self) -> Option<u64> {
        match &self.found {
            hash_table::Entry::Occupied(entry) => Some(entry.get().expires_ms).filter(|at| *at > 0),
            hash_table::Entry::Vacant(_) => None,
        }
    }

    /// What the key holds.
    pub(super) fn value(&self) -> Option<&Value> {
        match &self.found {
            hash_table::Entry::Occupied(entry) => Some(&entry.get().value),
            hash_table::Entry::Vacant(_) => None,
        }
    }

    /// What the key holds, to be changed; a change of size is the caller's to charge.
    pub(super) fn value_mut(&mut self) -> Option<&mut Value> {
        match &mut self.found {
            hash_table::Entry::Occupied(entry) => Some(&mut entry.get_mut().value),
            hash_table::Entry::Vacant(_) => None,
        }
    }

    /// By how many bytes the store grows when a value of `bytes` is put here.
    pub(super) fn growth(&self, bytes: u64) -> u64 {
        match &self.found {
            hash_table::Entry::Occupied(entry) => bytes.saturating_sub(entry.get().value.bytes()),
            hash_table::Entry::Vacant(_) => key_bytes(self.place.key) + bytes,
        }
    }

    /// Puts `value` in place of whatever the key held.
    pub(super) fn put(self, value: Value, expires_ms: u64) {
        let Self { place, found, expiries, trash } = self;
        place.budget.grew(value.bytes());
        let key = match found {
            hash_table::Entry::Occupied(mut entry) => {
                let entry = entry.get_mut();
                if entry.expires_ms > 0 {
                    expiries.remove(&(entry.expires_ms, place.space, Arc::clone(&entry.key)));
                }
                place.budget.shrank(entry.value.bytes());
                trash.take(std::mem::replace(&mut entry.value, value));
                entry.expires_ms = expires_ms;
                Arc::clone(&entry.key)
            }
            hash_table::Entry::Vacant(vacant) => {
                let key: Arc<str> = Arc::from(place.key);
                place.budget.grew(key_bytes(&key));
                let space = place.space;
                vacant.insert(Entry { space, key: Arc::clone(&key), value, expires_ms });
                key
            }
        };
        if expires_ms > 0 {
            expiries.insert((expires_ms, place.space, key));
        }
    }

    /// Takes the key out, if it is there.
    pub(super) fn remove(self) -> Self {
        let Self { place, found, expiries, trash } = self;
        let found = match found {
            hash_table::Entry::Occupied(entry) => {
                let (entry, vacant) = entry.remove();
                if entry.expires_ms > 0 {
                    expiries.remove(&(entry.expires_ms, place.space, Arc::clone(&entry.key)));
                }
                place.budget.shrank(key_bytes(place.key) + entry.value.bytes());
                trash.take(entry.value);
                hash_table::Entry::Vacant(vacant)
            }
            vacant @ hash_table::Entry::Vacant(_) => vacant,
        };
        Self { place, found, expiries, trash }
    }
}

fn find<'a>(entries: &'a mut HashTable<Entry>, place: &Place<'_>) -> hash_table::Entry<'a, Entry> {
    entries.entry(
        place.hash,
        |entry| entry.is(place.space, place.key),
        |entry| place.hasher.hash_one((entry.space, &*entry.key)),
    )
}
