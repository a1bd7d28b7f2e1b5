//! The contract on [`FileStore`]: changes go to the writer and are answered when they are durable.

use std::collections::BTreeSet;
use std::sync::Arc;

use trellis_capabilities_keyvalue as contract;
use trellis_capabilities_keyvalue::{Counter, Items, ListCount, Lookup, Removed, SetCount, Stored};
use trellis_core::CallError;

use super::FileStore;
use super::failure::Failure;
use super::tables::{Entry, Held, Place, Tables};
use crate::clock::time_to_live_ms;
use crate::number;
use crate::refusal::{self, Kind, count};
use crate::space::Space;
use crate::span::span;

/// Where the first item of a list stands; each push goes one below.
const FIRST_POSITION: u64 = u64::MAX;

type Answer<T> = Result<T, CallError>;

impl contract::Provider for FileStore {
    type Caller = Space;

    async fn add(&self, space: &Space, request: contract::AddRequest) -> Answer<Counter> {
        let space = Arc::clone(&space.name);
        self.write(move |tables| {
            let contract::AddRequest { key, value: by } = request;
            let at = Place { space: &space, key: &key };
            let (before, expires_ms) = match tables.entry(at)? {
                None => (0, 0),
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

    async fn get(&self, space: &Space, request: contract::GetRequest) -> Answer<Lookup> {
        let space = Arc::clone(&space.name);
        self.read(move |view| match view.held(Place { space: &space, key: &request.key })? {
            None => Ok(Lookup { value: String::new(), exists: false }),
            Some(Held::Text(value)) => Ok(Lookup { value, exists: true }),
            Some(other) => Err(other.refuses(&request.key, Kind::Text)),
        })
        .await
    }

    async fn set(&self, space: &Space, request: contract::SetRequest) -> Answer<Stored> {
        let space = Arc::clone(&space.name);
        let lives_ms = time_to_live_ms(request.expires)?;
        self.write(move |tables| {
            let at = Place { space: &space, key: &request.key };
            let expires_ms = lives_ms.map_or(0, |lives| tables.now_ms().saturating_add(lives));
            tables.remove(at)?;
            let entry = Entry { held: Held::Text(request.value), expires_ms };
            tables.put(at, &entry)?;
            let Held::Text(value) = entry.held else { return Ok(Stored::default()) };
            Ok(Stored { value })
        })
        .await
    }

    async fn del(&self, space: &Space, request: contract::DelRequest) -> Answer<Removed> {
        let space = Arc::clone(&space.name);
        self.write(move |tables| {
            tables.remove(Place { space: &space, key: &request.key })?;
            Ok(Removed { key: request.key })
        })
        .await
    }

    async fn clear(&self, space: &Space, request: contract::ClearRequest) -> Answer<Removed> {
        let space = Arc::clone(&space.name);
        self.write(move |tables| {
            let at = Place { space: &space, key: &request.key };
            if list(tables, at)?.is_some() {
                tables.remove(at)?;
            }
            Ok(Removed { key: request.key })
        })
        .await
    }

    async fn range(&self, space: &Space, request: contract::RangeRequest) -> Answer<Items> {
        let space = Arc::clone(&space.name);
        self.read(move |view| {
            let at = Place { space: &space, key: &request.key };
            match view.held(at)? {
                None => Ok(Items { values: Vec::new() }),
                Some(Held::List { count, .. }) => {
                    let count = size(count);
                    let wanted = span(request.start, request.stop, count);
                    Ok(Items { values: view.items(at, count, wanted)? })
                }
                Some(other) => Err(other.refuses(&request.key, Kind::List)),
            }
        })
        .await
    }

    async fn push(&self, space: &Space, request: contract::PushRequest) -> Answer<ListCount> {
        let space = Arc::clone(&space.name);
        self.write(move |tables| {
            let at = Place { space: &space, key: &request.key };
            let (before, head) = list(tables, at)?.unwrap_or((0, FIRST_POSITION));
            let new_count = count(size(before + 1))?;
            tables.insert_item(at, head - 1, &request.value)?;
            tables.put(at, &Entry::lasting(Held::List { count: before + 1, head: head - 1 }))?;
            Ok(ListCount { new_count })
        })
        .await
    }

    async fn list_item_delete(
        &self,
        space: &Space,
        request: contract::ListItemDeleteRequest,
    ) -> Answer<ListCount> {
        let space = Arc::clone(&space.name);
        self.write(move |tables| {
            let at = Place { space: &space, key: &request.key };
            let Some((before, head)) = list(tables, at)? else {
                return Ok(ListCount { new_count: 0 });
            };
            let left = before.saturating_sub(tables.remove_items(at, &request.value)?);
            if left == 0 {
                tables.remove(at)?;
            } else if left < before {
                tables.put(at, &Entry::lasting(Held::List { count: left, head }))?;
            }
            Ok(ListCount { new_count: count(size(left))? })
        })
        .await
    }

    async fn set_add(&self, space: &Space, request: contract::SetAddRequest) -> Answer<SetCount> {
        let space = Arc::clone(&space.name);
        self.write(move |tables| {
            let at = Place { space: &space, key: &request.key };
            let before = set(tables, at)?.unwrap_or(0);
            let new_count = count(size(before + 1))?;
            if !tables.insert_member(at, &request.value)? {
                return Ok(SetCount { new_count: new_count - 1 });
            }
            tables.put(at, &Entry::lasting(Held::Set { count: before + 1 }))?;
            Ok(SetCount { new_count })
        })
        .await
    }

    async fn set_remove(
        &self,
        space: &Space,
        request: contract::SetRemoveRequest,
    ) -> Answer<SetCount> {
        let space = Arc::clone(&space.name);
        self.write(move |tables| {
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

    async fn set_union(&self, space: &Space, request: contract::SetUnionRequest) -> Answer<Items> {
        let space = Arc::clone(&space.name);
        self.read(move |view| {
            let mut union = BTreeSet::new();
            for key in &request.keys {
                union.extend(view.members(Place { space: &space, key })?);
            }
            Ok(Items { values: union.into_iter().collect() })
        })
        .await
    }

    async fn set_intersection(
        &self,
        space: &Space,
        request: contract::SetIntersectionRequest,
    ) -> Answer<Items> {
        let space = Arc::clone(&space.name);
        self.read(move |view| {
            let mut common: Option<Vec<String>> = None;
            for key in &request.keys {
                let members = view.members(Place { space: &space, key })?;
                common = Some(match common {
                    None => members,
                    Some(mut common) => {
                        common.retain(|member| members.binary_search(member).is_ok());
                        common
                    }
                });
            }
            Ok(Items { values: common.unwrap_or_default() })
        })
        .await
    }

    async fn set_query(&self, space: &Space, request: contract::SetQueryRequest) -> Answer<Items> {
        let space = Arc::clone(&space.name);
        self.read(move |view| {
            let values = view.members(Place { space: &space, key: &request.key })?;
            Ok(Items { values })
        })
        .await
    }

    async fn key_exists(
        &self,
        space: &Space,
        request: contract::KeyExistsRequest,
    ) -> Answer<Lookup> {
        let space = Arc::clone(&space.name);
        self.read(move |view| {
            let held = view.held(Place { space: &space, key: &request.key })?;
            Ok(Lookup { value: String::new(), exists: held.is_some() })
        })
        .await
    }
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
