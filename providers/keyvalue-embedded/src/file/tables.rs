//! The tables within a write transaction: what operations that change something are made of.

use redb::{ReadableTable, ReadableTableMetadata, Table, WriteTransaction};

use super::failure::Failure;
use super::found::Found;
use super::pace::Pace;
use super::schema::{
    BYTES, ENTRIES, EXPIRIES, Entry, EntryKey, EntryValue, FACTS, Held, ITEMS, ItemKey, LIST,
    MEMBERS, MemberKey, Place, REMAINS, SET, TEXT, items_of, members_of, read_entry, successor,
};
use super::work::Work;

/// Most items or members removed in one transaction with their keys, and as many of what is left of
/// others: some ten milliseconds.
pub(super) const PIECE: usize = 4_096;

/// Most items or members of one key that are removed together with it, or looked at to tell what
/// they are charged.
pub(super) const AT_ONCE_MAX: usize = 1_024;

/// Most expired keys removed in one transaction, and by one sweep.
pub(super) const SWEPT_MAX: usize = 1_024;

/// How many items are walked over in the time in which one is removed by its position.
const STEPS_PER_REMOVAL: u64 = 16;

/// The tables within one write transaction.
pub(super) struct Tables<'txn> {
    entries: Table<'txn, EntryKey, EntryValue>,
    pub(super) items: Table<'txn, ItemKey, &'static str>,
    pub(super) members: Table<'txn, MemberKey, ()>,
    expiries: Table<'txn, (u64, &'static str, &'static str), ()>,
    pub(super) remains: Table<'txn, EntryKey, u8>,
    facts: Table<'txn, &'static str, u64>,
    now_ms: u64,
    pub(super) bytes: u64,
    /// How many items and members may still be removed together with their keys.
    at_once_left: usize,
    /// How many expired keys may still be swept.
    swept_left: usize,
    era: u64,
    list_removed: bool,
    pub(super) changed: bool,
}

impl<'txn> Tables<'txn> {
    /// Opens the tables, making those that are missing, with what the file's keys and values are
    /// charged and its era.
    pub(super) fn open(
        txn: &'txn WriteTransaction,
        now_ms: u64,
        (bytes, era): (u64, u64),
    ) -> Result<Self, redb::Error> {
        Ok(Self {
            entries: txn.open_table(ENTRIES)?,
            items: txn.open_table(ITEMS)?,
            members: txn.open_table(MEMBERS)?,
            expiries: txn.open_table(EXPIRIES)?,
            remains: txn.open_table(REMAINS)?,
            facts: txn.open_table(FACTS)?,
            now_ms,
            bytes,
            at_once_left: PIECE,
            swept_left: SWEPT_MAX,
            era,
            list_removed: false,
            changed: false,
        })
    }

    /// Bounds what is removed beyond the keys that operations name.
    pub(super) fn keep_to(&mut self, pace: Pace) {
        self.at_once_left = pace.of(PIECE);
        self.swept_left = pace.of(SWEPT_MAX);
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

    /// The key's entry; one whose time is over is removed first.
    pub(super) fn entry(&mut self, at: Place<'_>) -> Result<Option<Entry>, Failure> {
        let Some(entry) = read_entry(&self.entries, at)? else { return Ok(None) };
        if entry.is_over(self.now_ms) {
            self.remove(at)?;
            return Ok(None);
        }
        Ok(Some(entry))
    }

    /// Some keys of a namespace, from this text on.
    pub(super) fn keys_from(
        &self,
        space: &str,
        from: &str,
        most: usize,
    ) -> Result<Vec<String>, Failure> {
        let mut keys = Vec::new();
        for entry in self.entries.range((space, from)..)?.take(most) {
            let entry = entry?.0;
            let (at, key) = entry.value();
            if at != space {
                break;
            }
            keys.push(key.to_owned());
        }
        Ok(keys)
    }

    /// Writes the key's entry.
    pub(super) fn put(&mut self, at: Place<'_>, entry: &Entry) -> Result<(), Failure> {
        self.changed = true;
        let row = entry.row();
        let before = self.entries.insert((at.space, at.key), row)?;
        let before = before.map_or(0, |before| at.key_bytes(before.value().4));
        self.bytes = self.bytes.saturating_sub(before) + at.key_bytes(row.4);
        if entry.expires_ms > 0 {
            self.expiries.insert((entry.expires_ms, at.space, at.key), ())?;
        }
        Ok(())
    }

    /// Removes the key and all it holds.
    pub(super) fn remove(&mut self, at: Place<'_>) -> Result<(), Failure> {
        match read_entry(&self.entries, at)? {
            None => Ok(()),
            Some(entry) => self.remove_entry(at, &entry),
        }
    }

    /// The same for a key with this entry. A large list or set is gone as well, but what it held is
    /// removed piece by piece (`remains.rs`): others would wait for that. The same holds for
    /// smaller ones when a transaction removes many.
    pub(super) fn remove_entry(&mut self, at: Place<'_>, entry: &Entry) -> Result<(), Failure> {
        self.changed = true;
        self.entries.remove((at.space, at.key))?;
        if entry.expires_ms > 0 {
            self.expiries.remove((entry.expires_ms, at.space, at.key))?;
        }
        let freed = at.key_bytes(match &entry.held {
            Held::Text(text) => text,
            _ => "",
        });
        let (kind, count) = match entry.held {
            Held::Text(_) => (TEXT, 0),
            Held::List { count, .. } => {
                self.list_removed = true;
                (LIST, count)
            }
            Held::Set { count } => (SET, count),
        };
        self.bytes = self.bytes.saturating_sub(freed);
        match usize::try_from(count) {
            Ok(count) if count <= AT_ONCE_MAX.min(self.at_once_left) => {
                let removed = self.remove_some(at, kind, usize::MAX)?;
                self.at_once_left = self.at_once_left.saturating_sub(removed);
            }
            _ => {
                self.remains.insert((at.space, at.key), kind)?;
            }
        }
        Ok(())
    }

    /// Removes at most `most` items or members of a key that had a list or a set: how many.
    pub(super) fn remove_some(
        &mut self,
        at: Place<'_>,
        kind: u8,
        most: usize,
    ) -> Result<usize, Failure> {
        let (mut removed, mut freed) = (0, 0);
        if kind == LIST {
            for item in self.items.extract_from_if(items_of(at), |_, _| true)?.take(most) {
                freed += at.item_bytes(item?.1.value());
                removed += 1;
            }
        } else if kind == SET {
            let after = successor(at.key);
            let members = self.members.extract_from_if(members_of(at, &after), |_, ()| true)?;
            for member in members.take(most) {
                freed += at.item_bytes(member?.0.value().2);
                removed += 1;
            }
        }
        self.changed |= removed > 0;
        self.bytes = self.bytes.saturating_sub(freed);
        Ok(removed)
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
        found: &Found,
        work: &mut Work,
    ) -> Result<u64, Failure> {
        let same = found.era == self.era && !self.list_removed;
        let (seen, end) = if same { (&*found.positions, found.head) } else { (&[][..], u64::MAX) };
        let mut unseen = Vec::new();
        for held in self.items.range((at.space, at.key, head)..(at.space, at.key, end))? {
            work.look_at(1)?;
            let (key, held) = held?;
            if held.value() == item {
                unseen.push(key.value().2);
            }
        }
        // From here on nothing is refused: the work is what it took to push these.
        let mut removed = 0;
        if (seen.len() + unseen.len()) as u64 * STEPS_PER_REMOVAL > found.count {
            self.items.retain_in(items_of(at), |_, held| {
                let equal = held == item;
                removed += u64::from(equal);
                !equal
            })?;
        } else {
            for position in seen.iter().copied().chain(unseen) {
                let key = (at.space, at.key, position);
                let equal = self.items.get(key)?.is_some_and(|held| held.value() == item);
                if equal {
                    self.items.remove(key)?;
                    removed += 1;
                }
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

    /// Removes at most `most` keys whose time is over: true when it stopped before that because
    /// this transaction has removed as many as it may.
    pub(super) fn sweep(&mut self, most: usize) -> Result<bool, Failure> {
        for _ in 0..most {
            let due = match self.expiries.first()? {
                Some((key, _)) if key.value().0 <= self.now_ms => {
                    let (_, space, key) = key.value();
                    (space.to_owned(), key.to_owned())
                }
                _ => return Ok(false),
            };
            if self.swept_left == 0 {
                return Ok(true);
            }
            self.swept_left -= 1;
            self.remove(Place { space: &due.0, key: &due.1 })?;
        }
        Ok(false)
    }
}
