//! How keys lie in the file.
//!
//! A key's entry says what it holds; a text stands in the entry itself, the items of a list and the
//! members of a set stand in tables of their own, so that a push writes one item and not the list.

use redb::{ReadTransaction, ReadableTable, Table, TableDefinition, WriteTransaction};

use super::failure::Failure;
use crate::refusal::{self, Kind};

type EntryKey = (&'static str, &'static str);
type ItemKey = (&'static str, &'static str, u64);
type MemberKey = (&'static str, &'static str, &'static str);
/// Kind, expiry, count, head, text: see [`Entry`].
type EntryValue = (u8, u64, u64, u64, &'static str);

/// (namespace, key) -> entry.
pub(super) const ENTRIES: TableDefinition<'_, EntryKey, EntryValue> = TableDefinition::new("keys");
/// (namespace, key, position) -> item of a list, the head lowest. Positions may have gaps.
const ITEMS: TableDefinition<'_, ItemKey, &str> = TableDefinition::new("items");
/// (namespace, key, member) of a set.
const MEMBERS: TableDefinition<'_, MemberKey, ()> = TableDefinition::new("members");
/// (milliseconds since 1970, namespace, key): exactly the keys that expire, soonest first.
const EXPIRIES: TableDefinition<'_, (u64, &str, &str), ()> = TableDefinition::new("expiries");

const TEXT: u8 = 0;
const LIST: u8 = 1;
const SET: u8 = 2;

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

/// The tables within one write transaction.
pub(super) struct Tables<'txn> {
    entries: Table<'txn, EntryKey, EntryValue>,
    items: Table<'txn, ItemKey, &'static str>,
    members: Table<'txn, MemberKey, ()>,
    expiries: Table<'txn, (u64, &'static str, &'static str), ()>,
    now_ms: u64,
    changed: bool,
}

/// The tables as of the last commit.
pub(super) struct View {
    entries: redb::ReadOnlyTable<EntryKey, EntryValue>,
    items: redb::ReadOnlyTable<ItemKey, &'static str>,
    members: redb::ReadOnlyTable<MemberKey, ()>,
    now_ms: u64,
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

impl<'txn> Tables<'txn> {
    /// Opens the tables, making those that are missing.
    pub(super) fn open(txn: &'txn WriteTransaction, now_ms: u64) -> Result<Self, redb::Error> {
        Ok(Self {
            entries: txn.open_table(ENTRIES)?,
            items: txn.open_table(ITEMS)?,
            members: txn.open_table(MEMBERS)?,
            expiries: txn.open_table(EXPIRIES)?,
            now_ms,
            changed: false,
        })
    }

    /// The time every operation of this transaction sees.
    pub(super) const fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// True once anything was written: a transaction without changes need not be committed.
    pub(super) const fn changed(&self) -> bool {
        self.changed
    }

    /// The key's entry; one whose time is over is removed first.
    pub(super) fn entry(&mut self, at: Place<'_>) -> Result<Option<Entry>, Failure> {
        let Some(entry) = read_entry(&self.entries, at)? else { return Ok(None) };
        if entry.is_over(self.now_ms) {
            self.remove(at)?;
            return Ok(None);
        }
        Ok(Some(entry))
    }

    /// Writes the key's entry.
    pub(super) fn put(&mut self, at: Place<'_>, entry: &Entry) -> Result<(), Failure> {
        self.changed = true;
        let (kind, count, head, text) = match &entry.held {
            Held::Text(text) => (TEXT, 0, 0, text.as_str()),
            Held::List { count, head } => (LIST, *count, *head, ""),
            Held::Set { count } => (SET, *count, 0, ""),
        };
        self.entries.insert((at.space, at.key), (kind, entry.expires_ms, count, head, text))?;
        if entry.expires_ms > 0 {
            self.expiries.insert((entry.expires_ms, at.space, at.key), ())?;
        }
        Ok(())
    }

    /// Removes the key and all it holds.
    pub(super) fn remove(&mut self, at: Place<'_>) -> Result<(), Failure> {
        let Some(entry) = read_entry(&self.entries, at)? else { return Ok(()) };
        self.changed = true;
        self.entries.remove((at.space, at.key))?;
        if entry.expires_ms > 0 {
            self.expiries.remove((entry.expires_ms, at.space, at.key))?;
        }
        match entry.held {
            Held::Text(_) => {}
            Held::List { .. } => self.items.retain_in(items_of(at), |_, _| false)?,
            Held::Set { .. } => {
                let after = successor(at.key);
                self.members.retain_in(members_of(at, &after), |_, ()| false)?;
            }
        }
        Ok(())
    }

    pub(super) fn insert_item(
        &mut self,
        at: Place<'_>,
        position: u64,
        item: &str,
    ) -> Result<(), Failure> {
        self.changed = true;
        self.items.insert((at.space, at.key, position), item)?;
        Ok(())
    }

    /// Removes every item of the list that equals `item`: how many there were.
    pub(super) fn remove_items(&mut self, at: Place<'_>, item: &str) -> Result<u64, Failure> {
        let mut removed = 0;
        self.items.retain_in(items_of(at), |_, held| {
            let equal = held == item;
            removed += u64::from(equal);
            !equal
        })?;
        self.changed |= removed > 0;
        Ok(removed)
    }

    /// True when the member was not there yet.
    pub(super) fn insert_member(&mut self, at: Place<'_>, member: &str) -> Result<bool, Failure> {
        let new = self.members.insert((at.space, at.key, member), ())?.is_none();
        self.changed |= new;
        Ok(new)
    }

    /// True when the member was there.
    pub(super) fn remove_member(&mut self, at: Place<'_>, member: &str) -> Result<bool, Failure> {
        let was_there = self.members.remove((at.space, at.key, member))?.is_some();
        self.changed |= was_there;
        Ok(was_there)
    }

    /// Removes at most `most` keys whose time is over.
    pub(super) fn sweep(&mut self, most: usize) -> Result<(), Failure> {
        for _ in 0..most {
            let due = match self.expiries.first()? {
                Some((key, _)) if key.value().0 <= self.now_ms => {
                    let (_, space, key) = key.value();
                    (space.to_owned(), key.to_owned())
                }
                _ => break,
            };
            self.remove(Place { space: &due.0, key: &due.1 })?;
        }
        Ok(())
    }
}

impl View {
    pub(super) fn open(txn: &ReadTransaction, now_ms: u64) -> Result<Self, redb::Error> {
        Ok(Self {
            entries: txn.open_table(ENTRIES)?,
            items: txn.open_table(ITEMS)?,
            members: txn.open_table(MEMBERS)?,
            now_ms,
        })
    }

    /// What the key holds, unless its time is over.
    pub(super) fn held(&self, at: Place<'_>) -> Result<Option<Held>, Failure> {
        let entry = read_entry(&self.entries, at)?.filter(|entry| !entry.is_over(self.now_ms));
        Ok(entry.map(|entry| entry.held))
    }

    /// The items of a list of `count`, those of `span` alone; read from its nearer end.
    pub(super) fn items(
        &self,
        at: Place<'_>,
        count: usize,
        span: std::ops::Range<usize>,
    ) -> Result<Vec<String>, Failure> {
        let items = self.items.range(items_of(at))?;
        let text = |item: Result<(_, redb::AccessGuard<'_, &'static str>), _>| {
            item.map(|(_, item)| item.value().to_owned()).map_err(Failure::from)
        };
        if span.start <= count - span.end.min(count) {
            return items.skip(span.start).take(span.len()).map(text).collect();
        }
        let from_back = items.rev().skip(count - span.end).take(span.len()).map(text);
        let mut found = from_back.collect::<Result<Vec<_>, _>>()?;
        found.reverse();
        Ok(found)
    }

    /// The set's members in the order of their bytes; none when the key is absent.
    pub(super) fn members(&self, at: Place<'_>) -> Result<Vec<String>, Failure> {
        match self.held(at)? {
            None => return Ok(Vec::new()),
            Some(Held::Set { .. }) => {}
            Some(other) => return Err(other.refuses(at.key, Kind::Set)),
        }
        let after = successor(at.key);
        let members = self.members.range(members_of(at, &after))?;
        members.map(|member| Ok(member?.0.value().2.to_owned())).collect()
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

    const fn is_over(&self, now_ms: u64) -> bool {
        self.expires_ms > 0 && self.expires_ms <= now_ms
    }
}

fn read_entry(
    entries: &impl ReadableTable<EntryKey, EntryValue>,
    at: Place<'_>,
) -> Result<Option<Entry>, redb::Error> {
    let Some(found) = entries.get((at.space, at.key))? else { return Ok(None) };
    let (kind, expires_ms, count, head, text) = found.value();
    let held = match kind {
        TEXT => Held::Text(text.to_owned()),
        LIST => Held::List { count, head },
        SET => Held::Set { count },
        other => return Err(redb::Error::Corrupted(format!("a key holds unknown kind {other}"))),
    };
    Ok(Some(Entry { held, expires_ms }))
}

fn items_of(at: Place<'_>) -> std::ops::RangeInclusive<(&str, &str, u64)> {
    (at.space, at.key, 0)..=(at.space, at.key, u64::MAX)
}

fn members_of<'a>(at: Place<'a>, after: &'a str) -> std::ops::Range<(&'a str, &'a str, &'a str)> {
    (at.space, at.key, "")..(at.space, after, "")
}

/// The first text after `key` in the order of bytes.
fn successor(key: &str) -> String {
    format!("{key}\0")
}
