//! What the file holds: the tables, and what their rows mean. Every key has one entry; the items
//! of a list and of a set stand in tables of their own, so that a push writes one item and not the
//! list.

use redb::{ReadableTable, TableDefinition};

use super::failure::Failure;
use crate::refusal::{self, Kind};

pub(super) type EntryKey = (&'static str, &'static str);
pub(super) type ItemKey = (&'static str, &'static str, u64);
pub(super) type MemberKey = (&'static str, &'static str, &'static str);
/// Kind, expiry, count, head, text: see [`Entry`].
pub(super) type EntryValue = (u8, u64, u64, u64, &'static str);

/// (namespace, key) -> entry.
pub(super) const ENTRIES: TableDefinition<'_, EntryKey, EntryValue> = TableDefinition::new("keys");
/// (namespace, key, position) -> item of a list, the head lowest. Positions may have gaps.
pub(super) const ITEMS: TableDefinition<'_, ItemKey, &str> = TableDefinition::new("items");
/// (namespace, key, member) of a set.
pub(super) const MEMBERS: TableDefinition<'_, MemberKey, ()> = TableDefinition::new("members");
/// (milliseconds since 1970, namespace, key): exactly the keys that expire, soonest first.
pub(super) const EXPIRIES: TableDefinition<'_, (u64, &str, &str), ()> =
    TableDefinition::new("expiries");
/// (namespace, key) of large lists and sets that are gone, and whose items or members are removed
/// a piece at a time -> the kind. While a key stands here, no list or set is made under it.
pub(super) const REMAINS: TableDefinition<'_, EntryKey, u8> = TableDefinition::new("remains");
/// What is known of the whole file.
pub(super) const FACTS: TableDefinition<'_, &str, u64> = TableDefinition::new("facts");
/// Never kept: see `Writer::transact`.
pub(super) const RESERVE: TableDefinition<'_, (), &[u8]> = TableDefinition::new("reserve");
/// The fact: what keys and values are charged, in bytes.
pub(super) const BYTES: &str = "bytes";

/// The kind of a row that is a text.
pub(super) const TEXT: u8 = 0;
pub(super) const LIST: u8 = 1;
pub(super) const SET: u8 = 2;

/// Where the first item of a list stands is one below; each push goes one further down.
pub(super) const FIRST_POSITION: u64 = u64::MAX;

/// What a key is charged beside its namespace, its name and its text.
const KEY_BYTES: u64 = 96;
/// What an item or a member is charged beside its texts.
const ITEM_BYTES: u64 = 32;

/// A key of a namespace.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) space: &'a str,
    pub(super) key: &'a str,
}

/// What a key's entry says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    pub(super) held: Held,
    /// Milliseconds since 1970; 0 = never.
    pub(super) expires_ms: u64,
}

/// What a key holds, without the items.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Held {
    Text(String),
    /// How many items, and where the first of them stands (or stood).
    List {
        count: u64,
        head: u64,
    },
    Set {
        count: u64,
    },
}

impl Held {
    /// The refusal for an operation that works on `wanted`.
    pub(super) fn refuses(&self, key: &str, wanted: Kind) -> Failure {
        let held = match self {
            Self::Text(_) => Kind::Text,
            Self::List { .. } => Kind::List,
            Self::Set { .. } => Kind::Set,
        };
        refusal::wrong_kind(key, held, wanted).into()
    }
}

impl Place<'_> {
    /// What a key with this text is charged, without items.
    pub(super) const fn key_bytes(&self, text: &str) -> u64 {
        KEY_BYTES + (self.space.len() + self.key.len() + text.len()) as u64
    }

    /// What an item or a member is charged.
    pub(super) const fn item_bytes(&self, item: &str) -> u64 {
        ITEM_BYTES + (self.space.len() + self.key.len() + item.len()) as u64
    }
}

impl Entry {
    /// An entry that never expires, as those of lists and sets.
    pub(super) const fn lasting(held: Held) -> Self {
        Self { held, expires_ms: 0 }
    }

    /// The refusal for an operation that works on `wanted`.
    pub(super) fn refuses(&self, key: &str, wanted: Kind) -> Failure {
        self.held.refuses(key, wanted)
    }

    /// The entry a row says.
    pub(super) fn of(row: (u8, u64, u64, u64, &str)) -> Result<Self, redb::Error> {
        let (kind, expires_ms, count, head, text) = row;
        let held = match kind {
            TEXT => Held::Text(text.to_owned()),
            LIST => Held::List { count, head },
            SET => Held::Set { count },
            other => {
                return Err(redb::Error::Corrupted(format!("a key holds unknown kind {other}")));
            }
        };
        Ok(Self { held, expires_ms })
    }

    /// The row that [`Entry::of`] reads back.
    pub(super) fn row(&self) -> (u8, u64, u64, u64, &str) {
        let (kind, count, head, text) = match &self.held {
            Held::Text(text) => (TEXT, 0, 0, text.as_str()),
            Held::List { count, head } => (LIST, *count, *head, ""),
            Held::Set { count } => (SET, *count, 0, ""),
        };
        (kind, self.expires_ms, count, head, text)
    }

    pub(super) const fn is_over(&self, now_ms: u64) -> bool {
        is_over(self.expires_ms, now_ms)
    }
}

/// Whether the time of a key that expires then is over; 0 = never.
pub(super) const fn is_over(expires_ms: u64, now_ms: u64) -> bool {
    expires_ms > 0 && expires_ms <= now_ms
}

pub(super) fn read_entry(
    entries: &impl ReadableTable<EntryKey, EntryValue>,
    at: Place<'_>,
) -> Result<Option<Entry>, redb::Error> {
    let found = entries.get((at.space, at.key))?;
    found.map(|found| Entry::of(found.value())).transpose()
}

pub(super) fn items_of(at: Place<'_>) -> std::ops::RangeInclusive<(&str, &str, u64)> {
    (at.space, at.key, 0)..=(at.space, at.key, u64::MAX)
}

pub(super) fn members_of<'a>(
    at: Place<'a>,
    after: &'a str,
) -> std::ops::Range<(&'a str, &'a str, &'a str)> {
    (at.space, at.key, "")..(at.space, after, "")
}

/// The first text after `key` in the order of bytes.
pub(super) fn successor(key: &str) -> String {
    format!("{key}\0")
}
