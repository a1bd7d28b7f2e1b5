//! Lists and sets, with what must be known of them at once: their bytes, and whether they changed.

use std::collections::{BTreeSet, VecDeque};

use super::charge::item_bytes;

/// Most elements looked at under one lock; fewer are never worth a second look.
pub(super) const PIECE: usize = 1_024;

/// Most elements looked at under one lock by an operation that met changes each time before: some
/// ten milliseconds.
pub(super) const PIECE_MAX: usize = 64 * PIECE;

/// A list, its head first.
pub(super) struct List {
    items: VecDeque<Box<str>>,
    bytes: u64,
    version: u64,
}

/// A set.
pub(super) struct Set {
    members: BTreeSet<Box<str>>,
    bytes: u64,
    version: u64,
}

impl List {
    /// A list of one item. No list or set had this version before.
    pub(super) fn of(item: Box<str>, version: u64) -> Self {
        let bytes = item_bytes(&item);
        Self { items: VecDeque::from([item]), bytes, version }
    }

    /// A list of these items, head first.
    pub(super) fn of_all(items: impl Iterator<Item = Box<str>>, version: u64) -> Self {
        let mut list = Self { items: VecDeque::new(), bytes: 0, version };
        list.append(items);
        list
    }

    /// Adds items behind the last: what they are charged.
    pub(super) fn append(&mut self, items: impl Iterator<Item = Box<str>>) -> u64 {
        let before = self.items.len();
        self.items.extend(items);
        let bytes = self.items.range(before..).map(|item| item_bytes(item)).sum();
        self.version += 1;
        self.bytes += bytes;
        bytes
    }

    pub(super) const fn items(&self) -> &VecDeque<Box<str>> {
        &self.items
    }

    /// What its items are charged.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Another one after each change.
    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn push(&mut self, item: Box<str>) {
        self.version += 1;
        self.bytes += item_bytes(&item);
        self.items.push_front(item);
    }

    /// Removes every item equal to `item`: what they were charged.
    pub(super) fn remove(&mut self, item: &str) -> u64 {
        self.retain(|_, held| held != item)
    }

    /// Removes the items at these positions, which ascend: what they were charged. `None`, and
    /// nothing is removed, when the list is not the one of `version` any more.
    pub(super) fn remove_at(&mut self, positions: &[usize], version: u64) -> Option<u64> {
        let mut next = positions.iter().peekable();
        (version == self.version).then(|| self.retain(|at, _| next.next_if_eq(&&at).is_none()))
    }

    fn retain(&mut self, mut keep: impl FnMut(usize, &str) -> bool) -> u64 {
        let (mut at, mut bytes) = (0, 0);
        self.items.retain(|item| {
            let kept = keep(at, item);
            at += 1;
            bytes += if kept { 0 } else { item_bytes(item) };
            kept
        });
        self.version += 1;
        self.bytes -= bytes;
        bytes
    }
}

impl Set {
    /// A set of one member. No list or set had this version before.
    pub(super) fn of(member: Box<str>, version: u64) -> Self {
        let bytes = item_bytes(&member);
        Self { members: BTreeSet::from([member]), bytes, version }
    }

    /// A set of these members.
    pub(super) fn of_all(members: impl Iterator<Item = Box<str>>, version: u64) -> Self {
        let mut set = Self { members: BTreeSet::new(), bytes: 0, version };
        for member in members {
            set.insert(member);
        }
        set
    }

    pub(super) const fn members(&self) -> &BTreeSet<Box<str>> {
        &self.members
    }

    /// What its members are charged.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Another one after each change.
    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    /// True when the member was not there yet.
    pub(super) fn insert(&mut self, member: Box<str>) -> bool {
        let bytes = item_bytes(&member);
        let new = self.members.insert(member);
        if new {
            self.version += 1;
            self.bytes += bytes;
        }
        new
    }

    /// True when the member was there.
    pub(super) fn remove(&mut self, member: &str) -> bool {
        let was_there = self.members.remove(member);
        if was_there {
            self.version += 1;
            self.bytes -= item_bytes(member);
        }
        was_there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_hold_for_the_list_they_were_found_in() {
        let mut list = List::of("a".into(), 7 << 32);
        for item in ["x", "b", "x"] {
            list.push(item.into());
        }
        let (seen, bytes) = (list.version(), list.bytes());
        assert_eq!(list.remove_at(&[0, 2], seen), Some(2 * item_bytes("x")));
        assert_eq!(list.items(), &["b", "a"].map(Box::from));
        assert_eq!(list.remove_at(&[0], seen), None, "it has changed since");
        list.push("x".into());
        assert_eq!(list.remove("x"), item_bytes("x"));
        assert_eq!(list.bytes(), bytes - 2 * item_bytes("x"));
    }
}
