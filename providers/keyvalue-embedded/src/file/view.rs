//! The tables as of the last commit.

use redb::{AccessGuard, ReadTransaction, StorageError, TableError};

use super::failure::Failure;
use super::found::Found;
use super::schema::{
    BYTES, ENTRIES, EXPIRIES, Entry, EntryKey, EntryValue, FACTS, FIRST_POSITION, Held, ITEMS,
    ItemKey, MEMBERS, MemberKey, Place, REMAINS, TEXT, is_over, items_of, members_of, read_entry,
    successor,
};
use super::work::Work;
use crate::refusal::Kind;

/// The tables as of the last commit.
pub(super) struct View {
    pub(super) entries: redb::ReadOnlyTable<EntryKey, EntryValue>,
    pub(super) items: redb::ReadOnlyTable<ItemKey, &'static str>,
    pub(super) members: redb::ReadOnlyTable<MemberKey, ()>,
    pub(super) now_ms: u64,
    era: u64,
}

impl View {
    /// The tables of a transaction that began after `era` was read.
    pub(super) fn open(txn: &ReadTransaction, now_ms: u64, era: u64) -> Result<Self, redb::Error> {
        Ok(Self {
            entries: txn.open_table(ENTRIES)?,
            items: txn.open_table(ITEMS)?,
            members: txn.open_table(MEMBERS)?,
            now_ms,
            era,
        })
    }

    /// What keys and values are charged in a file that has every table and every fact; `None` in
    /// one that is new, or was made before it had.
    pub(super) fn whole(txn: &ReadTransaction) -> Result<Option<u64>, redb::Error> {
        // The last table that was added: files that have it have all of them.
        if let Err(TableError::TableDoesNotExist(_)) = txn.open_table(REMAINS) {
            return Ok(None);
        }
        let facts = match txn.open_table(FACTS) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            facts => facts?,
        };
        Self::open(txn, 0, 0)?;
        txn.open_table(EXPIRIES)?;
        Ok(facts.get(BYTES)?.map(|bytes| bytes.value()))
    }

    /// What the key holds, unless its time is over.
    pub(super) fn held(&self, at: Place<'_>) -> Result<Option<Held>, Failure> {
        let entry = read_entry(&self.entries, at)?.filter(|entry| !entry.is_over(self.now_ms));
        Ok(entry.map(|entry| entry.held))
    }

    /// The text the key holds, counted before it is copied.
    pub(super) fn text(&self, at: Place<'_>, work: &mut Work) -> Result<Option<String>, Failure> {
        let Some(found) = self.entries.get((at.space, at.key))? else { return Ok(None) };
        let row = found.value();
        if is_over(row.1, self.now_ms) {
            return Ok(None);
        }
        if row.0 == TEXT {
            work.answer(row.4)?;
        }
        match Entry::of(row)?.held {
            Held::Text(text) => Ok(Some(text)),
            other => Err(other.refuses(at.key, Kind::Text)),
        }
    }

    /// The items of `span` of a list with this count and head.
    pub(super) fn items(
        &self,
        at: Place<'_>,
        (count, head): (usize, u64),
        span: std::ops::Range<usize>,
        work: &mut Work,
    ) -> Result<Vec<String>, Failure> {
        // Without gaps, an item's place says its position.
        if FIRST_POSITION - head == count as u64 {
            let position = |index: usize| head + index as u64;
            let range = (at.space, at.key, position(span.start));
            let items = self.items.range(range..(at.space, at.key, position(span.end)))?;
            return taken(items, span.len(), work);
        }
        let items = self.items.range(items_of(at))?;
        if span.start <= count - span.end.min(count) {
            return taken(skipped(items, span.start, work)?, span.len(), work);
        }
        let from_back = skipped(items.rev(), count - span.end, work)?;
        let mut found = taken(from_back, span.len(), work)?;
        found.reverse();
        Ok(found)
    }

    /// Where the items equal to `item` stand.
    pub(super) fn positions(
        &self,
        at: Place<'_>,
        item: &str,
        work: &mut Work,
    ) -> Result<Option<Found>, Failure> {
        let (count, head) = match self.held(at)? {
            None => return Ok(None),
            Some(Held::List { count, head }) => (count, head),
            Some(other) => return Err(other.refuses(at.key, Kind::List)),
        };
        let mut positions = Vec::new();
        for held in self.items.range(items_of(at))? {
            work.look_at(1)?;
            let (key, held) = held?;
            if held.value() == item {
                positions.push(key.value().2);
            }
        }
        Ok(Some(Found { positions, count, head, era: self.era }))
    }

    /// How many members the set has; 0 when the key is absent.
    pub(super) fn set_len(&self, at: Place<'_>) -> Result<u64, Failure> {
        match self.held(at)? {
            None => Ok(0),
            Some(Held::Set { count }) => Ok(count),
            Some(other) => Err(other.refuses(at.key, Kind::Set)),
        }
    }

    /// Shows `each` the set's members in the order of their bytes; none when the key is absent.
    pub(super) fn members(
        &self,
        at: Place<'_>,
        mut each: impl FnMut(&str) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.set_len(at)? == 0 {
            return Ok(());
        }
        let after = successor(at.key);
        for member in self.members.range(members_of(at, &after))? {
            each(member?.0.value().2)?;
        }
        Ok(())
    }

    /// Whether the set has the member.
    pub(super) fn has_member(&self, at: Place<'_>, member: &str) -> Result<bool, Failure> {
        Ok(self.members.get((at.space, at.key, member))?.is_some())
    }
}

type Item<'a> = Result<(AccessGuard<'a, ItemKey>, AccessGuard<'a, &'static str>), StorageError>;

/// The iterator beyond its first `number` items, each counted.
fn skipped<'a, I: Iterator<Item = Item<'a>>>(
    mut items: I,
    number: usize,
    work: &mut Work,
) -> Result<I, Failure> {
    for _ in 0..number {
        work.look_at(1)?;
        if let Some(item) = items.next() {
            item?;
        }
    }
    Ok(items)
}

fn taken<'a>(
    items: impl Iterator<Item = Item<'a>>,
    number: usize,
    work: &mut Work,
) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    for item in items.take(number) {
        let item = item?.1;
        work.look_at(1)?;
        work.answer(item.value())?;
        found.push(item.value().to_owned());
    }
    Ok(found)
}
