//! What a store in memory holds. It outlives its instance when another one takes over from it.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::shard::Shard;
use crate::namespace::Namespaces;

/// Power of two, so that a hash picks its shard with a mask; far more shards than cores.
pub(super) const SHARDS: usize = 64;

/// What the stores hold whose instances may be replaced, by their lineage.
static KEPT: Mutex<BTreeMap<String, Weak<Kept>>> = Mutex::new(BTreeMap::new());

/// All keys of all namespaces.
pub(super) struct Kept {
    pub(super) shards: Box<[Mutex<Shard>]>,
    pub(super) hasher: foldhash::fast::RandomState,
    /// Lists and sets made so far.
    pub(super) made: AtomicU64,
    /// Bytes held.
    pub(super) used: Arc<AtomicU64>,
    pub(super) namespaces: Arc<Namespaces>,
}

impl Kept {
    /// What the instances of a lineage hold together: while one takes over from another, both
    /// serve the same keys. An instance without a lineage holds its own.
    pub(super) fn of(lineage: &str) -> Arc<Self> {
        if lineage.is_empty() {
            return Arc::default();
        }
        let mut all = KEPT.lock();
        all.retain(|_, kept| kept.strong_count() > 0);
        let known = all.entry(lineage.to_owned()).or_default();
        known.upgrade().unwrap_or_else(|| {
            let kept = Arc::default();
            *known = Arc::downgrade(&kept);
            kept
        })
    }
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: foldhash::fast::RandomState::default(),
            made: AtomicU64::new(0),
            used: Arc::default(),
            namespaces: Arc::default(),
        }
    }
}
