//! The contract on [`Memory`]: each operation locks what it touches, and awaits nothing.

use trellis_capabilities_keyvalue as contract;
use trellis_capabilities_keyvalue::{Counter, Items, ListCount, Lookup, Removed, SetCount, Stored};
use trellis_core::CallError;

use super::Memory;
use super::charge::{item_bytes, key_bytes};
use super::collection::{List, PIECE, PIECE_MAX, Set};
use super::pieces::{Flow, Intersection, Piecewise, Positions, Range, Union, set_of};
use super::shard::Value;
use crate::arguments::{distinct, span};
use crate::clock::time_to_live_ms;
use crate::namespace::Namespace;
use crate::number;
use crate::refusal::{self, Kind, count};

type Answer<T> = Result<T, CallError>;

impl contract::Provider for Memory {
    type Caller = Namespace;

    async fn add(&self, space: &Namespace, request: contract::AddRequest) -> Answer<Counter> {
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

    async fn get(&self, space: &Namespace, request: contract::GetRequest) -> Answer<Lookup> {
        let key = request.key.as_str();
        self.edit(space.id, key, |slot| match slot.value() {
            None => Ok(Lookup { value: String::new(), exists: false }),
            Some(Value::Number(number)) => Ok(Lookup { value: number.to_string(), exists: true }),
            Some(Value::Text(text)) => {
                self.bounds.tally().answer(text)?;
                Ok(Lookup { value: text.to_string(), exists: true })
            }
            Some(other) => Err(refusal::wrong_kind(key, other.kind(), Kind::Text)),
        })
    }

    async fn set(&self, space: &Namespace, request: contract::SetRequest) -> Answer<Stored> {
        let contract::SetRequest { key, value, expires } = request;
        let expires_ms =
            time_to_live_ms(expires)?.map_or(0, |lives| self.clock.now_ms().saturating_add(lives));
        let number = number::parse(&value);
        let bytes = if number.is_some() { 0 } else { value.len() as u64 };
        self.edit(space.id, &key, |slot| {
            self.budget.room_for(slot.growth(bytes))?;
            let held = number.map_or_else(|| Value::Text(value.as_str().into()), Value::Number);
            slot.put(held, expires_ms);
            Ok(())
        })?;
        Ok(Stored { value })
    }

    async fn del(&self, space: &Namespace, request: contract::DelRequest) -> Answer<Removed> {
        self.edit(space.id, &request.key, |slot| {
            slot.remove();
            Ok(())
        })?;
        Ok(Removed { key: request.key })
    }

    async fn clear(&self, space: &Namespace, request: contract::ClearRequest) -> Answer<Removed> {
        self.edit(space.id, &request.key, |slot| match slot.value() {
            Some(Value::List(_)) | None => {
                slot.remove();
                Ok(())
            }
            Some(other) => Err(refusal::wrong_kind(&request.key, other.kind(), Kind::List)),
        })?;
        Ok(Removed { key: request.key })
    }

    async fn range(&self, space: &Namespace, request: contract::RangeRequest) -> Answer<Items> {
        let contract::RangeRequest { key, start, stop } = request;
        let range = |found| Range { key: &key, start, stop, tally: self.bounds.tally(), found };
        let short = self.edit(space.id, &key, |slot| {
            let len = match slot.value() {
                Some(Value::List(list)) => span(start, stop, list.items().len()).len(),
                _ => 0,
            };
            if len > PIECE {
                return Ok(None);
            }
            at_once(range(Vec::with_capacity(len)), slot.value()).map(Some)
        })?;
        if let Some(values) = short {
            return Ok(Items { values });
        }
        let keys = std::slice::from_ref(&key);
        let (values, _) = self.in_pieces(space.id, keys, || range(Vec::new())).await?;
        Ok(Items { values })
    }

    async fn push(&self, space: &Namespace, request: contract::PushRequest) -> Answer<ListCount> {
        let contract::PushRequest { key, value } = request;
        let bytes = item_bytes(&value);
        self.edit(space.id, &key, |mut slot| match slot.value_mut() {
            None => {
                self.budget.room_for(key_bytes(&key) + bytes)?;
                let list = List::of(value.into_boxed_str(), self.fresh_version());
                slot.put(Value::List(Box::new(list)), 0);
                Ok(ListCount { new_count: 1 })
            }
            Some(Value::List(list)) => {
                let len = list.items().len();
                self.bounds.room_for_one(len)?;
                let new_count = count(len + 1)?;
                self.budget.room_for(bytes)?;
                list.push(value.into_boxed_str());
                self.budget.grew(bytes);
                Ok(ListCount { new_count })
            }
            Some(other) => Err(refusal::wrong_kind(&key, other.kind(), Kind::List)),
        })
    }

    async fn list_item_delete(
        &self,
        space: &Namespace,
        request: contract::ListItemDeleteRequest,
    ) -> Answer<ListCount> {
        let contract::ListItemDeleteRequest { key, value } = request;
        for most in [PIECE, PIECE, PIECE, PIECE_MAX] {
            let removed = self.remove_items(space, &key, |list| {
                (list.items().len() <= most).then(|| list.remove(&value))
            })?;
            if let Some(count) = removed {
                return Ok(count);
            }
            let keys = std::slice::from_ref(&key);
            let tally = self.bounds.tally();
            let begin = || Positions { key: &key, item: &value, tally, at: 0, found: Vec::new() };
            let ((positions, len), seen) = self.in_pieces(space.id, keys, begin).await?;
            if positions.is_empty() {
                return Ok(ListCount { new_count: count(len)? });
            }
            let removed = self.remove_items(space, &key, |list| {
                list.remove_at(&positions, seen.first().copied()?)
            })?;
            if let Some(count) = removed {
                return Ok(count);
            }
        }
        Err(refusal::always_changing())
    }

    async fn set_add(
        &self,
        space: &Namespace,
        request: contract::SetAddRequest,
    ) -> Answer<SetCount> {
        let contract::SetAddRequest { key, value } = request;
        let bytes = item_bytes(&value);
        self.edit(space.id, &key, |mut slot| match slot.value_mut() {
            None => {
                self.budget.room_for(key_bytes(&key) + bytes)?;
                let set = Set::of(value.into_boxed_str(), self.fresh_version());
                slot.put(Value::Set(Box::new(set)), 0);
                Ok(SetCount { new_count: 1 })
            }
            Some(Value::Set(set)) => {
                let len = set.members().len();
                // A member that is there needs no room: it is looked up when there may be none.
                let room = self.bounds.room_for_one(len).and_then(|()| self.budget.room_for(bytes));
                if let Err(refused) = room
                    && !set.members().contains(&*value)
                {
                    return Err(refused);
                }
                count(len + 1)?;
                if set.insert(value.into_boxed_str()) {
                    self.budget.grew(bytes);
                }
                Ok(SetCount { new_count: count(set.members().len())? })
            }
            Some(other) => Err(refusal::wrong_kind(&key, other.kind(), Kind::Set)),
        })
    }

    async fn set_remove(
        &self,
        space: &Namespace,
        request: contract::SetRemoveRequest,
    ) -> Answer<SetCount> {
        let contract::SetRemoveRequest { key, value } = request;
        self.edit(space.id, &key, |mut slot| match slot.value_mut() {
            None => Ok(SetCount { new_count: 0 }),
            Some(Value::Set(set)) => {
                if set.remove(&value) {
                    self.budget.shrank(item_bytes(&value));
                }
                let left = set.members().len();
                if left == 0 {
                    slot.remove();
                }
                Ok(SetCount { new_count: count(left)? })
            }
            Some(other) => Err(refusal::wrong_kind(&key, other.kind(), Kind::Set)),
        })
    }

    async fn set_union(
        &self,
        space: &Namespace,
        request: contract::SetUnionRequest,
    ) -> Answer<Items> {
        let keys = distinct(request.keys);
        let begin = || Union::of(&keys, self.bounds.tally());
        let (values, _) = self.in_pieces(space.id, &keys, begin).await?;
        Ok(Items { values })
    }

    async fn set_intersection(
        &self,
        space: &Namespace,
        request: contract::SetIntersectionRequest,
    ) -> Answer<Items> {
        let keys = distinct(request.keys);
        let begin = || Intersection::of(&keys, self.bounds.tally());
        let (values, _) = self.in_pieces(space.id, &keys, begin).await?;
        Ok(Items { values })
    }

    async fn set_query(
        &self,
        space: &Namespace,
        request: contract::SetQueryRequest,
    ) -> Answer<Items> {
        let keys = [request.key];
        let begin = || Union::of(&keys, self.bounds.tally());
        let short = self.edit(space.id, &keys[0], |slot| {
            let len = set_of(&keys[0], slot.value())?.map_or(0, |set| set.members().len());
            if len > PIECE {
                return Ok(None);
            }
            at_once(begin(), slot.value()).map(Some)
        })?;
        if let Some(values) = short {
            return Ok(Items { values });
        }
        let (values, _) = self.in_pieces(space.id, &keys, begin).await?;
        Ok(Items { values })
    }

    async fn key_exists(
        &self,
        space: &Namespace,
        request: contract::KeyExistsRequest,
    ) -> Answer<Lookup> {
        let exists = self.edit(space.id, &request.key, |slot| Ok(slot.value().is_some()))?;
        Ok(Lookup { value: String::new(), exists })
    }
}

impl Memory {
    /// Removes items of a list with `remove`, which says what they were charged: how many are left.
    /// `None` when it would rather not.
    fn remove_items(
        &self,
        space: &Namespace,
        key: &str,
        remove: impl FnOnce(&mut List) -> Option<u64>,
    ) -> Answer<Option<ListCount>> {
        self.edit(space.id, key, |mut slot| match slot.value_mut() {
            None => Ok(Some(ListCount { new_count: 0 })),
            Some(Value::List(list)) => {
                let Some(bytes) = remove(list) else { return Ok(None) };
                self.budget.shrank(bytes);
                let left = list.items().len();
                if left == 0 {
                    slot.remove();
                }
                Ok(Some(ListCount { new_count: count(left)? }))
            }
            Some(other) => Err(refusal::wrong_kind(key, other.kind(), Kind::List)),
        })
    }
}

/// Carries out what one piece is enough for.
fn at_once<P: Piecewise>(mut operation: P, value: Option<&Value>) -> Answer<P::Outcome> {
    loop {
        if let Flow::Done(outcome) = operation.step(&[value], usize::MAX)? {
            return Ok(outcome);
        }
    }
}
