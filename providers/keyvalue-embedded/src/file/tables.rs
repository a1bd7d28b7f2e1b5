//! The tables of the file, and the operations they are made of. Every key has one entry; the items
//! of a list and of a set stand in tables of their own, so that a push writes one item and not the
//! list.

use redb::{ReadableTable, ReadableTableMetadata, Table, TableDefinition, WriteTransaction};

use super::database::DatabaseFile;
use super::failure::Failure;
use super::view::Found;
use super::work::Work;
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
const EXPIRIES: TableDefinition<'_, (u64, &str, &str), ()> = TableDefinition::new("expiries");
/// What is known of the whole file.
const FACTS: TableDefinition<'_, &str, u64> = TableDefinition::new("facts");
/// The fact: what keys and values are charged, in bytes.
const BYTES: &str = "bytes";

const TEXT: u8 = 0;
const LIST: u8 = 1;
const SET: u8 = 2;

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

/// The tables within one write transaction.
pub(super) struct Tables<'txn> {
    entries: Table<'txn, EntryKey, EntryValue>,
    items: Table<'txn, ItemKey, &'static str>,
    members: Table<'txn, MemberKey, ()>,
    expiries: Table<'txn, (u64, &'static str, &'static str), ()>,
    facts: Table<'txn, &'static str, u64>,
    now_ms: u64,
    bytes: u64,
    era: u64,
    list_removed: bool,
    changed: bool,
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

impl<'txn> Tables<'txn> {
    /// Opens the tables, making those that are missing.
    pub(super) fn open(
        txn: &'txn WriteTransaction,
        database: &DatabaseFile,
        now_ms: u64,
    ) -> Result<Self, redb::Error> {
        Ok(Self {
            entries: txn.open_table(ENTRIES)?,
            items: txn.open_table(ITEMS)?,
            members: txn.open_table(MEMBERS)?,
            expiries: txn.open_table(EXPIRIES)?,
            facts: txn.open_table(FACTS)?,
            now_ms,
            bytes: database.bytes(),
            era: database.era(),
            list_removed: false,
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

    /// True once a list was removed whole.
    pub(super) const fn list_removed(&self) -> bool {
        self.list_removed
    }

    /// Writes down what keys and values are charged now, when it is not `before`: the sum.
    pub(super) fn keep_bytes(&mut self, before: u64) -> Result<u64, redb::Error> {
        if self.bytes != before {
            self.facts.insert(BYTES, self.bytes)?;
        }
        Ok(self.bytes)
    }

    /// What keys and values are charged, as it was written down; counted, and written down, in a
    /// file that was made before it was.
    pub(super) fn count_bytes(&mut self) -> Result<u64, redb::Error> {
        if let Some(bytes) = self.facts.get(BYTES)? {
            return Ok(bytes.value());
        }
        self.bytes = 0;
        if !self.entries.is_empty()? {
            for entry in self.entries.iter()? {
                let (key, value) = entry?;
                let (space, key) = key.value();
                self.bytes += Place { space, key }.key_bytes(value.value().4);
            }
            for item in self.items.iter()? {
                let (key, item) = item?;
                let (space, key, _) = key.value();
                self.bytes += Place { space, key }.item_bytes(item.value());
            }
            for member in self.members.iter()? {
                let (key, _) = member?;
                let (space, key, member) = key.value();
                self.bytes += Place { space, key }.item_bytes(member);
            }
        }
        self.facts.insert(BYTES, self.bytes)?;
        Ok(self.bytes)
    }

    /// Refuses growth over `bytes_max`.
    pub(super) fn room_for(&self, bytes: u64, bytes_max: u64) -> Result<(), Failure> {
        let after = self.bytes.saturating_add(bytes);
        if after <= bytes_max { Ok(()) } else { Err(refusal::file_full(bytes_max).into()) }
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
        let value = (kind, entry.expires_ms, count, head, text);
        let before = self.entries.insert((at.space, at.key), value)?;
        let before = before.map_or(0, |before| at.key_bytes(before.value().4));
        self.bytes = self.bytes.saturating_sub(before) + at.key_bytes(text);
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
        let mut freed = at.key_bytes(match &entry.held {
            Held::Text(text) => text,
            _ => "",
        });
        match entry.held {
            Held::Text(_) => {}
            Held::List { .. } => {
                self.list_removed = true;
                self.items.retain_in(items_of(at), |_, item| {
                    freed += at.item_bytes(item);
                    false
                })?;
            }
            Held::Set { .. } => {
                let after = successor(at.key);
                self.members.retain_in(members_of(at, &after), |(_, _, member), ()| {
                    freed += at.item_bytes(member);
                    false
                })?;
            }
        }
        self.bytes = self.bytes.saturating_sub(freed);
        Ok(())
    }

    pub(super) fn insert_item(
        &mut self,
        at: Place<'_>,
        position: u64,
        item: &str,
    ) -> Result<(), Failure> {
        self.changed = true;
        self.bytes += at.item_bytes(item);
        self.items.insert((at.space, at.key, position), item)?;
        Ok(())
    }

    /// Removes every item that equals `item` from a list whose first stands at `head`: how many
    /// there were. What a reader found is trusted as far as the list is still the one it saw; the
    /// rest is looked for here.
    pub(super) fn remove_items(
        &mut self,
        at: Place<'_>,
        (item, head): (&str, u64),
        found: Found,
        work: &mut Work,
    ) -> Result<u64, Failure> {
        let same = found.era == self.era && !self.list_removed;
        let (mut positions, end) =
            if same { (found.positions, found.head) } else { (Vec::new(), u64::MAX) };
        for held in self.items.range((at.space, at.key, head)..(at.space, at.key, end))? {
            work.look_at(1)?;
            let (key, held) = held?;
            if held.value() == item {
                positions.push(key.value().2);
            }
        }
        // From here on nothing is refused: the work is what it took to push these.
        let mut removed = 0;
        for position in positions {
            let key = (at.space, at.key, position);
            let equal = self.items.get(key)?.is_some_and(|held| held.value() == item);
            if equal {
                self.items.remove(key)?;
                removed += 1;
            }
        }
        self.changed |= removed > 0;
        self.bytes = self.bytes.saturating_sub(removed * at.item_bytes(item));
        Ok(removed)
    }

    pub(super) fn has_member(&self, at: Place<'_>, member: &str) -> Result<bool, Failure> {
        Ok(self.members.get((at.space, at.key, member))?.is_some())
    }

    /// True when the member was not there yet.
    pub(super) fn insert_member(&mut self, at: Place<'_>, member: &str) -> Result<bool, Failure> {
        let new = self.members.insert((at.space, at.key, member), ())?.is_none();
        self.changed |= new;
        self.bytes += if new { at.item_bytes(member) } else { 0 };
        Ok(new)
    }

    /// True when the member was there.
    pub(super) fn remove_member(&mut self, at: Place<'_>, member: &str) -> Result<bool, Failure> {
        let was_there = self.members.remove((at.space, at.key, member))?.is_some();
        self.changed |= was_there;
        self.bytes = self.bytes.saturating_sub(if was_there { at.item_bytes(member) } else { 0 });
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

impl Entry {
    /// An entry that never expires, as those of lists and sets.
    pub(super) const fn lasting(held: Held) -> Self {
        Self { held, expires_ms: 0 }
    }

    /// The refusal for an operation that works on `wanted`.
    pub(super) fn refuses(&self, key: &str, wanted: Kind) -> Failure {
        self.held.refuses(key, wanted)
    }

    pub(super) const fn is_over(&self, now_ms: u64) -> bool {
        self.expires_ms > 0 && self.expires_ms <= now_ms
    }
}

pub(super) fn read_entry(
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
