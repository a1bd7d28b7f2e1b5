//! The store in memory: sharded maps, no await, no allocation to read a key.

mod budget;
mod charge;
mod collection;
mod kept;
mod operations;
mod pages;
mod pieces;
mod shard;
mod slot;

use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::MutexGuard;
use trellis_capabilities_keyvalue::Bounds;
use trellis_core::CallError;

use crate::clock::Clock;
use crate::namespace::{NamespaceId, Namespaces};
use budget::Budget;
use kept::{Kept, SHARDS};
use shard::{Shard, Value};
use slot::{Slot, Trash};

/// Most expired keys one sweep takes out of a shard while it holds the shard's lock.
const SWEPT_PER_SHARD_MAX: usize = 256;

/// All keys of all namespaces, as one instance serves them.
pub(crate) struct Memory {
    kept: Arc<Kept>,
    clock: Arc<dyn Clock>,
    budget: Budget,
    bounds: Bounds,
}

impl Memory {
    /// A store that refuses to grow over `bytes_max` bytes, and operations over `bounds`. It holds
    /// what others of its lineage hold; nothing, when there is none.
    pub(crate) fn new(
        lineage: &str,
        clock: Arc<dyn Clock>,
        bytes_max: u64,
        bounds: Bounds,
    ) -> Self {
        let kept = Kept::of(lineage);
        let budget = Budget::new(Arc::clone(&kept.used), bytes_max);
        Self { kept, clock, budget, bounds }
    }

    /// The namespaces of its keys.
    pub(crate) fn namespaces(&self) -> Arc<Namespaces> {
        Arc::clone(&self.kept.namespaces)
    }

    /// Bytes the keys and values take, with a flat charge for each of them.
    pub(crate) fn bytes(&self) -> u64 {
        self.budget.used()
    }

    /// Removes keys whose time is over; bounded, so that no caller waits long for a shard.
    pub(crate) fn sweep(&self) {
        let now = self.clock.now_ms();
        for shard in &self.kept.shards {
            let mut trash = Trash::default();
            let mut shard = shard.lock();
            for _ in 0..SWEPT_PER_SHARD_MAX {
                let due = shard.expiries.first().filter(|(at, ..)| *at <= now);
                let Some((_, space, key)) = due.cloned() else { break };
                let hash = self.hash(space, &key);
                Slot::open(&mut shard, self.place(space, &key, hash), &mut trash).remove();
            }
        }
    }

    /// Runs `operation` on one key while nobody else can see its shard. An expired key is gone
    /// before `operation` looks.
    fn edit<T>(
        &self,
        space: NamespaceId,
        key: &str,
        operation: impl FnOnce(Slot<'_>) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let hash = self.hash(space, key);
        // Emptied after the lock is given back: it is declared before.
        let mut trash = Trash::default();
        let mut shard = self.kept.shards[shard_of(hash)].lock();
        let mut slot = Slot::open(&mut shard, self.place(space, key, hash), &mut trash);
        if slot.expires_ms().is_some_and(|at| at <= self.clock.now_ms()) {
            slot = slot.remove();
        }
        operation(slot)
    }

    /// Locks the shards of several keys at once, always in the same order, and shows `look` what
    /// each of them holds.
    fn look_at_all<T>(
        &self,
        space: NamespaceId,
        keys: &[String],
        look: impl FnOnce(&[Option<&Value>]) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let hashes: Vec<u64> = keys.iter().map(|key| self.hash(space, key)).collect();
        let wanted: BTreeSet<usize> = hashes.iter().map(|hash| shard_of(*hash)).collect();
        let locked: Vec<(usize, MutexGuard<'_, Shard>)> =
            wanted.into_iter().map(|index| (index, self.kept.shards[index].lock())).collect();
        let now = self.clock.now_ms();
        let find = |(key, hash): (&String, &u64)| {
            let at = locked.binary_search_by_key(&shard_of(*hash), |(index, _)| *index).ok()?;
            let entry = locked[at].1.entries.find(*hash, |entry| entry.is(space, key))?;
            (entry.expires_ms == 0 || entry.expires_ms > now).then_some(&entry.value)
        };
        let values: Vec<Option<&Value>> = keys.iter().zip(&hashes).map(find).collect();
        look(&values)
    }

    /// A version no list or set has or had: the changes of one never reach the next one's.
    fn fresh_version(&self) -> u64 {
        // Relaxed: only ever compared for being equal; nothing else is ordered by it.
        self.kept.made.fetch_add(1, Ordering::Relaxed) << 32
    }

    fn place<'a>(&'a self, space: NamespaceId, key: &'a str, hash: u64) -> slot::Place<'a> {
        slot::Place { space, key, hash, hasher: &self.kept.hasher, budget: &self.budget }
    }

    fn hash(&self, space: NamespaceId, key: &str) -> u64 {
        self.kept.hasher.hash_one((space, key))
    }
}

/// The map takes its bucket from a hash's low bits and its tag from the top seven; the bits between
/// pick the shard.
const fn shard_of(hash: u64) -> usize {
    (hash >> 40) as usize & (SHARDS - 1)
}

#[cfg(test)]
mod tests;
