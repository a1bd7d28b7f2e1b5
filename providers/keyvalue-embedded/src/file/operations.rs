//! The contract on [`FileStore`]: changes go to the writer and are answered when they are durable.

use std::collections::BTreeSet;
use std::sync::Arc;

use trellis_capabilities_keyvalue as contract;
use trellis_capabilities_keyvalue::{Counter, Items, ListCount, Lookup, Removed, SetCount, Stored};
use trellis_core::CallError;

use super::FileStore;
use super::failure::Failure;
use super::schema::{Entry, FIRST_POSITION, Held, Place};
use super::tables::Tables;
use crate::arguments::{distinct, span};
use crate::clock::time_to_live_ms;
use crate::namespace::Namespace;
use crate::number;
use crate::refusal::{self, Kind, count};

type Answer<T> = Result<T, CallError>;

impl contract::Provider for FileStore {
    type Caller = Namespace;

    async fn add(&self, space: &Namespace, request: contract::AddRequest) -> Answer<Counter> {
        let (space, bytes_max) = (Arc::clone(&space.name), self.bytes_max);
        let contract::AddRequest { key, value: by } = request;
        self.write(move |tables, _| {
            let at = Place { space: &space, key: &key };
            let (before, expires_ms) = match tables.entry(at)? {
                None => {
                    tables.room_for(at.key_bytes("0"), bytes_max)?;
                    (0, 0)
                }
                Some(Entry { held: Held::Text(text), expires_ms }) => {
                    let before = number::parse(&text);
                    (before.ok_or_else(|| refusal::not_a_counter(&key))?, expires_ms)
                }
                Some(entry) => return Err(entry.refuses(&key, Kind::Text)),
            };
            let value = before.checked_add(by).ok_or_else(|| refusal::out_of_range(&key))?;
            tables.put(at, &Entry { held: Held::Text(value.to_string()), expires_ms })?;
            Ok(Counter { value })
        })
        .await
    }

    async fn get(&self, space: &Namespace, request: contract::GetRequest) -> Answer<Lookup> {
        let space = Arc::clone(&space.name);
        self.read(move |view, work| {
            let value = view.text(Place { space: &space, key: &request.key }, work)?;
            Ok(Lookup { exists: value.is_some(), value: value.unwrap_or_default() })
        })
        .await
    }

    async fn set(&self, space: &Namespace, request: contract::SetRequest) -> Answer<Stored> {
        let (space, bytes_max) = (Arc::clone(&space.name), self.bytes_max);
        let lives_ms = time_to_live_ms(request.expires)?;
        let contract::SetRequest { key, mut value, .. } = request;
        self.write(move |tables, _| {
            let at = Place { space: &space, key: &key };
            let before = tables.entry(at)?;
            let held = before.as_ref().map(|entry| &entry.held);
            tables.room_to_replace(at, (held, &value), bytes_max)?;
            let expires_ms = lives_ms.map_or(0, |lives| tables.now_ms().saturating_add(lives));
            if let Some(before) = before {
                tables.remove_entry(at, &before)?;
            }
            let entry = Entry { held: Held::Text(std::mem::take(&mut value)), expires_ms };
            tables.put(at, &entry)?;
            let Held::Text(value) = entry.held else { return Ok(Stored::default()) };
            Ok(Stored { value })
        })
        .await
    }

    async fn del(&self, space: &Namespace, request: contract::DelRequest) -> Answer<Removed> {
        let (space, key) = (Arc::clone(&space.name), request.key);
        self.free(move |tables, _| {
            tables.remove(Place { space: &space, key: &key })?;
            Ok(Removed { key: key.clone() })
        })
        .await
    }

    async fn clear(&self, space: &Namespace, request: contract::ClearRequest) -> Answer<Removed> {
        let (space, key) = (Arc::clone(&space.name), request.key);
        self.free(move |tables, _| {
            let at = Place { space: &space, key: &key };
            if list(tables, at)?.is_some() {
                tables.remove(at)?;
            }
            Ok(Removed { key: key.clone() })
        })
        .await
    }

    async fn range(&self, space: &Namespace, request: contract::RangeRequest) -> Answer<Items> {
        let space = Arc::clone(&space.name);
        self.read(move |view, work| {
            let at = Place { space: &space, key: &request.key };
            match view.held(at)? {
                None => Ok(Items { values: Vec::new() }),
                Some(Held::List { count, head }) => {
                    let count = size(count);
                    let wanted = span(request.start, request.stop, count);
                    Ok(Items { values: view.items(at, (count, head), wanted, work)? })
                }
                Some(other) => Err(other.refuses(&request.key, Kind::List)),
            }
        })
        .await
    }

    async fn push(&self, space: &Namespace, request: contract::PushRequest) -> Answer<ListCount> {
        let (space, bounds, bytes_max) = (Arc::clone(&space.name), self.bounds, self.bytes_max);
        self.write(move |tables, _| {
            let at = Place { space: &space, key: &request.key };
            let held = list(tables, at)?;
            let (before, head) = held.unwrap_or((0, FIRST_POSITION));
            bounds.room_for_one(size(before))?;
            room_for_one(tables, at, (held.is_none(), &request.value), bytes_max)?;
            let new_count = count(size(before + 1))?;
            tables.insert_item(at, head - 1, &request.value)?;
            tables.put(at, &Entry::lasting(Held::List { count: before + 1, head: head - 1 }))?;
            Ok(ListCount { new_count })
        })
        .await
    }

    async fn list_item_delete(
        &self,
        space: &Namespace,
        request: contract::ListItemDeleteRequest,
    ) -> Answer<ListCount> {
        // A reader looks for the items, so that the one writer need not walk a long list.
        let (looked_in, wanted) = (Arc::clone(&space.name), request.clone());
        let found = self.read(move |view, work| {
            let at = Place { space: &looked_in, key: &wanted.key };
            view.positions(at, &wanted.value, work)
        });
        let Some(found) = found.await? else { return Ok(ListCount { new_count: 0 }) };
        if found.positions.is_empty() {
            return Ok(ListCount { new_count: count(size(found.count))? });
        }
        let space = Arc::clone(&space.name);
        self.free(move |tables, work| {
            let at = Place { space: &space, key: &request.key };
            let Some((before, head)) = list(tables, at)? else {
                return Ok(ListCount { new_count: 0 });
            };
            let removed = tables.remove_items(at, (&request.value, head), &found, work)?;
            let left = before.saturating_sub(removed);
            if left == 0 {
                tables.remove(at)?;
            } else if left < before {
                tables.put(at, &Entry::lasting(Held::List { count: left, head }))?;
            }
            Ok(ListCount { new_count: count(size(left))? })
        })
        .await
    }

    async fn set_add(
        &self,
        space: &Namespace,
        request: contract::SetAddRequest,
    ) -> Answer<SetCount> {
        let (space, bounds, bytes_max) = (Arc::clone(&space.name), self.bounds, self.bytes_max);
        self.write(move |tables, _| {
            let at = Place { space: &space, key: &request.key };
            let held = set(tables, at)?;
            let before = held.unwrap_or(0);
            if held.is_some() && tables.has_member(at, &request.value)? {
                return Ok(SetCount { new_count: count(size(before))? });
            }
            bounds.room_for_one(size(before))?;
            room_for_one(tables, at, (held.is_none(), &request.value), bytes_max)?;
            let new_count = count(size(before + 1))?;
            tables.insert_member(at, &request.value)?;
            tables.put(at, &Entry::lasting(Held::Set { count: before + 1 }))?;
            Ok(SetCount { new_count })
        })
        .await
    }

    async fn set_remove(
        &self,
        space: &Namespace,
        request: contract::SetRemoveRequest,
    ) -> Answer<SetCount> {
        let space = Arc::clone(&space.name);
        self.free(move |tables, _| {
            let at = Place { space: &space, key: &request.key };
            let before = set(tables, at)?.unwrap_or(0);
            let removed = before > 0 && tables.remove_member(at, &request.value)?;
            let left = before - u64::from(removed);
            if removed && left == 0 {
                tables.remove(at)?;
            } else if removed {
                tables.put(at, &Entry::lasting(Held::Set { count: left }))?;
            }
            Ok(SetCount { new_count: count(size(left))? })
        })
        .await
    }

    async fn set_union(
        &self,
        space: &Namespace,
        request: contract::SetUnionRequest,
    ) -> Answer<Items> {
        let space = Arc::clone(&space.name);
        self.read(move |view, work| {
            let mut union = BTreeSet::new();
            for key in &distinct(request.keys) {
                view.members(Place { space: &space, key }, |member| {
                    work.look_at(1)?;
                    if !union.contains(member) {
                        work.answer(member)?;
                        union.insert(member.to_owned());
                    }
                    Ok(())
                })?;
            }
            Ok(Items { values: union.into_iter().collect() })
        })
        .await
    }

    async fn set_intersection(
        &self,
        space: &Namespace,
        request: contract::SetIntersectionRequest,
    ) -> Answer<Items> {
        let space = Arc::clone(&space.name);
        self.read(move |view, work| {
            let keys = distinct(request.keys);
            let place = |key| Place { space: &space, key };
            let mut sizes = Vec::with_capacity(keys.len());
            for key in &keys {
                sizes.push((view.set_len(place(key))?, key.as_str()));
            }
            let Some((_, smallest)) = sizes.iter().min() else { return Ok(Items::default()) };
            let mut values = Vec::new();
            view.members(place(smallest), |member| {
                work.look_at(keys.len())?;
                for key in keys.iter().filter(|key| key != smallest) {
                    if !view.has_member(place(key), member)? {
                        return Ok(());
                    }
                }
                work.answer(member)?;
                values.push(member.to_owned());
                Ok(())
            })?;
            Ok(Items { values })
        })
        .await
    }

    async fn set_query(
        &self,
        space: &Namespace,
        request: contract::SetQueryRequest,
    ) -> Answer<Items> {
        let keys = vec![request.key];
        self.set_union(space, contract::SetUnionRequest { keys }).await
    }

    async fn key_exists(
        &self,
        space: &Namespace,
        request: contract::KeyExistsRequest,
    ) -> Answer<Lookup> {
        let space = Arc::clone(&space.name);
        self.read(move |view, _| {
            let held = view.held(Place { space: &space, key: &request.key })?;
            Ok(Lookup { value: String::new(), exists: held.is_some() })
        })
        .await
    }
}

/// Refuses an item or a member that finds no room, with the key when it is `new`; puts it off while
/// what the key held before is still being removed.
fn room_for_one(
    tables: &Tables<'_>,
    at: Place<'_>,
    (new, item): (bool, &str),
    bytes_max: u64,
) -> Result<(), Failure> {
    if new {
        tables.vacant(at)?;
    }
    let key_bytes = if new { at.key_bytes("") } else { 0 };
    tables.room_for(key_bytes + at.item_bytes(item), bytes_max)
}

/// Count and head of the list the key holds, if it holds anything.
fn list(tables: &mut Tables<'_>, at: Place<'_>) -> Result<Option<(u64, u64)>, Failure> {
    match tables.entry(at)? {
        None => Ok(None),
        Some(Entry { held: Held::List { count, head }, .. }) => Ok(Some((count, head))),
        Some(entry) => Err(entry.refuses(at.key, Kind::List)),
    }
}

/// Size of the set the key holds, if it holds anything.
fn set(tables: &mut Tables<'_>, at: Place<'_>) -> Result<Option<u64>, Failure> {
    match tables.entry(at)? {
        None => Ok(None),
        Some(Entry { held: Held::Set { count }, .. }) => Ok(Some(count)),
        Some(entry) => Err(entry.refuses(at.key, Kind::Set)),
    }
}

fn size(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
