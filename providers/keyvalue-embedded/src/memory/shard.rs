//! What a shard of the store holds.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::HashTable;

use super::collection::{List, Set};
use crate::namespace::NamespaceId;
use crate::refusal::Kind;

/// A part of all keys, behind one lock.
#[derive(Default)]
pub(super) struct Shard {
    pub(super) entries: HashTable<Entry>,
    /// When which key expires: exactly the entries with an expiry, so that the sweep finds the
    /// expired ones first and a key set again and again leaves nothing behind.
    pub(super) expiries: BTreeSet<(u64, NamespaceId, Arc<str>)>,
}

/// One key.
pub(super) struct Entry {
    pub(super) space: NamespaceId,
    pub(super) key: Arc<str>,
    pub(super) value: Value,
    /// In milliseconds since 1970; 0 = never.
    pub(super) expires_ms: u64,
}

/// What a key holds.
pub(super) enum Value {
    /// A text that is a number in its usual form, kept ready to count.
    Number(i32),
    Text(Box<str>),
    List(Box<List>),
    Set(Box<Set>),
}

impl Shard {
    /// The keys of a namespace, in no order.
    pub(super) fn keys_of(&self, space: NamespaceId) -> impl Iterator<Item = &Arc<str>> {
        self.entries.iter().filter(move |entry| entry.space == space).map(|entry| &entry.key)
    }
}

impl Entry {
    pub(super) fn is(&self, space: NamespaceId, key: &str) -> bool {
        self.space == space && *self.key == *key
    }
}

impl Value {
    pub(super) const fn kind(&self) -> Kind {
        match self {
            Self::Number(_) | Self::Text(_) => Kind::Text,
            Self::List(_) => Kind::List,
            Self::Set(_) => Kind::Set,
        }
    }

    /// What it is charged.
    pub(super) const fn bytes(&self) -> u64 {
        match self {
            Self::Number(_) => 0,
            Self::Text(text) => text.len() as u64,
            Self::List(list) => list.bytes(),
            Self::Set(set) => set.bytes(),
        }
    }
}
