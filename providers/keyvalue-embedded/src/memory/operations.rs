//! The contract on [`Memory`]: each operation locks what it touches, and awaits nothing.

use std::collections::{BTreeSet, VecDeque};

use trellis_capabilities_keyvalue as contract;
use trellis_capabilities_keyvalue::{Counter, Items, ListCount, Lookup, Removed, SetCount, Stored};
use trellis_core::CallError;

use super::slot::{item_bytes, key_bytes};
use super::{Memory, Value};
use crate::clock::time_to_live_ms;
use crate::refusal::{self, Kind, count};
use crate::space::Space;
use crate::span::span;

type Members = BTreeSet<Box<str>>;
type Answer<T> = Result<T, CallError>;

impl contract::Provider for Memory {
    type Caller = Space;

    async fn add(&self, space: &Space, request: contract::AddRequest) -> Answer<Counter> {
        let (key, by) = (request.key.as_str(), request.value);
        self.edit(space.id, key, |mut slot| match slot.value_mut() {
            None => {
                self.budget.room_for(key_bytes(key))?;
                slot.put(Value::Number(by), 0);
                Ok(Counter { value: by })
            }
            Some(Value::Number(number)) => {
                *number = number.checked_add(by).ok_or_else(|| refusal::out_of_range(key))?;
                Ok(Counter { value: *number })
            }
            Some(Value::Text(_)) => Err(refusal::not_a_counter(key)),
            Some(other) => Err(refusal::wrong_kind(key, other.kind(), Kind::Text)),
        })
    }

    async fn get(&self, space: &Space, request: contract::GetRequest) -> Answer<Lookup> {
        let key = request.key.as_str();
        self.edit(space.id, key, |slot| match slot.value() {
            None => Ok(Lookup { value: String::new(), exists: false }),
            Some(Value::Number(number)) => Ok(Lookup { value: number.to_string(), exists: true }),
            Some(Value::Text(text)) => Ok(Lookup { value: text.to_string(), exists: true }),
            Some(other) => Err(refusal::wrong_kind(key, other.kind(), Kind::Text)),
        })
    }

    async fn set(&self, space: &Space, request: contract::SetRequest) -> Answer<Stored> {
        let contract::SetRequest { key, value, expires } = request;
        let expires_ms =
            time_to_live_ms(expires)?.map_or(0, |lives| self.clock.now_ms().saturating_add(lives));
        self.budget.room_for(key_bytes(&key) + value.len() as u64)?;
        self.edit(space.id, &key, |slot| {
            slot.put(Value::of_text(&value), expires_ms);
            Ok(())
        })?;
        Ok(Stored { value })
    }

    async fn del(&self, space: &Space, request: contract::DelRequest) -> Answer<Removed> {
        self.edit(space.id, &request.key, |slot| {
            slot.remove();
            Ok(())
        })?;
        Ok(Removed { key: request.key })
    }

    async fn clear(&self, space: &Space, request: contract::ClearRequest) -> Answer<Removed> {
        self.edit(space.id, &request.key, |slot| match slot.value() {
            Some(Value::List(_)) | None => {
                slot.remove();
                Ok(())
            }
            Some(other) => Err(refusal::wrong_kind(&request.key, other.kind(), Kind::List)),
        })?;
        Ok(Removed { key: request.key })
    }

    async fn range(&self, space: &Space, request: contract::RangeRequest) -> Answer<Items> {
        let contract::RangeRequest { key, start, stop } = request;
        self.edit(space.id, &key, |slot| match slot.value() {
            None => Ok(Items { values: Vec::new() }),
            Some(Value::List(items)) => {
                let wanted = items.range(span(start, stop, items.len()));
                Ok(Items { values: wanted.map(ToString::to_string).collect() })
            }
            Some(other) => Err(refusal::wrong_kind(&key, other.kind(), Kind::List)),
        })
    }

    async fn push(&self, space: &Space, request: contract::PushRequest) -> Answer<ListCount> {
        let contract::PushRequest { key, value } = request;
        let bytes = item_bytes(&value);
        self.budget.room_for(key_bytes(&key) + bytes)?;
        self.edit(space.id, &key, |mut slot| match slot.value_mut() {
            None => {
                slot.put(Value::List(VecDeque::from([value.into_boxed_str()])), 0);
                Ok(ListCount { new_count: 1 })
            }
            Some(Value::List(items)) => {
                let new_count = count(items.len() + 1)?;
                items.push_front(value.into_boxed_str());
                self.budget.grew(bytes);
                Ok(ListCount { new_count })
            }
            Some(other) => Err(refusal::wrong_kind(&key, other.kind(), Kind::List)),
        })
    }

    async fn list_item_delete(
        &self,
        space: &Space,
        request: contract::ListItemDeleteRequest,
    ) -> Answer<ListCount> {
        let contract::ListItemDeleteRequest { key, value } = request;
        self.edit(space.id, &key, |mut slot| match slot.value_mut() {
            None => Ok(ListCount { new_count: 0 }),
            Some(Value::List(items)) => {
                let before = items.len();
                items.retain(|item| **item != *value);
                let left = items.len();
                self.budget.shrank((before - left) as u64 * item_bytes(&value));
                if left == 0 {
                    slot.remove();
                }
                Ok(ListCount { new_count: count(left)? })
            }
            Some(other) => Err(refusal::wrong_kind(&key, other.kind(), Kind::List)),
        })
    }

    async fn set_add(&self, space: &Space, request: contract::SetAddRequest) -> Answer<SetCount> {
        let contract::SetAddRequest { key, value } = request;
        let bytes = item_bytes(&value);
        self.budget.room_for(key_bytes(&key) + bytes)?;
        self.edit(space.id, &key, |mut slot| match slot.value_mut() {
            None => {
                slot.put(Value::Set(BTreeSet::from([value.into_boxed_str()])), 0);
                Ok(SetCount { new_count: 1 })
            }
            Some(Value::Set(members)) => {
                count(members.len() + 1)?;
                if members.insert(value.into_boxed_str()) {
                    self.budget.grew(bytes);
                }
                Ok(SetCount { new_count: count(members.len())? })
            }
            Some(other) => Err(refusal::wrong_kind(&key, other.kind(), Kind::Set)),
        })
    }

    async fn set_remove(
        &self,
        space: &Space,
        request: contract::SetRemoveRequest,
    ) -> Answer<SetCount> {
        let contract::SetRemoveRequest { key, value } = request;
        self.edit(space.id, &key, |mut slot| match slot.value_mut() {
            None => Ok(SetCount { new_count: 0 }),
            Some(Value::Set(members)) => {
                if members.remove(&*value) {
                    self.budget.shrank(item_bytes(&value));
                }
                let left = members.len();
                if left == 0 {
                    slot.remove();
                }
                Ok(SetCount { new_count: count(left)? })
            }
            Some(other) => Err(refusal::wrong_kind(&key, other.kind(), Kind::Set)),
        })
    }

    async fn set_union(&self, space: &Space, request: contract::SetUnionRequest) -> Answer<Items> {
        self.look_at_all(space.id, &request.keys, |values| {
            let mut union: BTreeSet<&Box<str>> = BTreeSet::new();
            for (key, value) in request.keys.iter().zip(values) {
                union.extend(members_of(key, *value)?.into_iter().flatten());
            }
            Ok(Items { values: union.into_iter().map(ToString::to_string).collect() })
        })
    }

    async fn set_intersection(
        &self,
        space: &Space,
        request: contract::SetIntersectionRequest,
    ) -> Answer<Items> {
        self.look_at_all(space.id, &request.keys, |values| {
            let none = Members::new();
            let mut sets = Vec::with_capacity(values.len());
            for (key, value) in request.keys.iter().zip(values) {
                sets.push(members_of(key, *value)?.unwrap_or(&none));
            }
            let Some((first, others)) = sets.split_first() else {
                return Ok(Items { values: Vec::new() });
            };
            let in_all = |member: &&str| others.iter().all(|set| set.contains(*member));
            let common = first.iter().map(|member| &**member).filter(in_all);
            Ok(Items { values: common.map(ToString::to_string).collect() })
        })
    }

    async fn set_query(&self, space: &Space, request: contract::SetQueryRequest) -> Answer<Items> {
        self.edit(space.id, &request.key, |slot| {
            let members = members_of(&request.key, slot.value())?.into_iter().flatten();
            Ok(Items { values: members.map(ToString::to_string).collect() })
        })
    }

    async fn key_exists(
        &self,
        space: &Space,
        request: contract::KeyExistsRequest,
    ) -> Answer<Lookup> {
        let exists = self.edit(space.id, &request.key, |slot| Ok(slot.value().is_some()))?;
        Ok(Lookup { value: String::new(), exists })
    }
}

impl Value {
    /// A text; one that is a number in its usual form is kept as the number, ready to count.
    fn of_text(text: &str) -> Self {
        crate::number::parse(text).map_or_else(|| Self::Text(text.into()), Self::Number)
    }

    const fn kind(&self) -> Kind {
        match self {
            Self::Number(_) | Self::Text(_) => Kind::Text,
            Self::List(_) => Kind::List,
            Self::Set(_) => Kind::Set,
        }
    }
}

fn members_of<'a>(key: &str, value: Option<&'a Value>) -> Answer<Option<&'a Members>> {
    match value {
        None => Ok(None),
        Some(Value::Set(members)) => Ok(Some(members)),
        Some(other) => Err(refusal::wrong_kind(key, other.kind(), Kind::Set)),
    }
}
