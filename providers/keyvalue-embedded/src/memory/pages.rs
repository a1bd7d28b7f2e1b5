//! Pages of what a namespace in memory holds, out and in. Keys stand in no order there, so a page
//! looks at a whole shard for the first keys behind its cursor, and then at each of these alone.

use std::collections::{BinaryHeap, HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use trellis_core::CallError;
use trellis_providers_sdk::data::{
    self, About, CompareDataRequest, Differing, EraseDataRequest, Erased, ExportDataRequest,
    ImportDataRequest, Kind, Page, Piece, Taken,
};

use super::Memory;
use super::charge::item_bytes;
use super::collection::{List, Set};
use super::shard::Value;
use crate::data::{Cursor, KEYS_MAX, Room, TextPiece, begun, checked, differing, texts};
use crate::namespace::{Namespace, NamespaceId};
use crate::number;

type Answer<T> = Result<T, CallError>;

impl data::Provider for Memory {
    type Caller = Namespace;

    async fn describe_data(&self, space: &Namespace) -> Answer<About> {
        let (store, prefix) = (self.identity(space), String::new());
        let total = self.kept.shards.iter().map(|shard| shard.lock().entries.len() as u64).sum();
        Ok(About { store, prefix, now_ms: self.clock.now_ms(), total, removable: true })
    }

    async fn export_data(&self, space: &Namespace, request: ExportDataRequest) -> Answer<Page> {
        let ExportDataRequest { cursor, keys, names_only, bytes_max } = request;
        let (cursor, keys) = (Cursor::read(&cursor)?, texts(keys));
        let mut page = Filling { room: Room::new(bytes_max, names_only), pieces: Vec::new() };
        let next = if keys.is_empty() {
            self.export(space.id, cursor, &mut page).await?
        } else {
            self.export_these(space.id, (cursor, &keys), &mut page)?
        };
        Ok(Page { pieces: page.pieces, next })
    }

    async fn import_data(&self, space: &Namespace, request: ImportDataRequest) -> Answer<Taken> {
        let pieces = checked(request.pieces, &self.bounds)?;
        let keys = begun(&pieces);
        self.make_sure(space.id, &pieces)?;
        // From here on only one that goes on with a key can fail, which another writer took away
        // just now: so these go first, and all of them are put there or none.
        let (rest, begun): (Vec<_>, Vec<_>) = rest_first(pieces);
        for piece in rest.into_iter().chain(begun) {
            self.put(space.id, piece)?;
        }
        Ok(Taken { keys })
    }

    async fn compare_data(
        &self,
        space: &Namespace,
        request: CompareDataRequest,
    ) -> Answer<Differing> {
        differing(request.pieces, |piece| self.is_so(space.id, piece))
    }

    async fn erase_data(&self, space: &Namespace, request: EraseDataRequest) -> Answer<Erased> {
        let Cursor { part, key: from, .. } = Cursor::read(&request.cursor)?;
        let Some(shard) = self.kept.shards.get(part) else { return Ok(Erased::default()) };
        let keys = first_keys(shard.lock().keys_of(space.id), &from);
        for key in &keys {
            self.edit(space.id, key, |slot| {
                slot.remove();
                Ok(())
            })?;
        }
        let next = match keys.last().filter(|_| keys.len() == KEYS_MAX) {
            Some(key) => Cursor::behind(part, key),
            None => Cursor { part: part + 1, ..Cursor::default() },
        };
        let is_last = next.part == self.kept.shards.len();
        Ok(Erased { next: if is_last { String::new() } else { next.write() } })
    }
}

/// A page that is being filled.
struct Filling {
    room: Room,
    pieces: Vec<Piece>,
}

/// The first keys from one on, in the order of their bytes.
fn first_keys<'a>(keys: impl Iterator<Item = &'a Arc<str>>, from: &str) -> Vec<Arc<str>> {
    let mut first = BinaryHeap::new();
    for key in keys.filter(|key| ***key >= *from) {
        if first.len() < KEYS_MAX {
            first.push(Arc::clone(key));
        } else if first.peek().is_some_and(|largest| key < largest) {
            first.pop();
            first.push(Arc::clone(key));
        }
    }
    first.into_sorted_vec()
}

impl Memory {
    /// What sets a namespace of this store apart from every other one.
    fn identity(&self, space: &Namespace) -> String {
        format!("memory {:p} {}", Arc::as_ptr(&self.kept), space.name)
    }

    /// All keys from a cursor on, until the page is full: where the next one begins.
    async fn export(
        &self,
        space: NamespaceId,
        cursor: Cursor,
        page: &mut Filling,
    ) -> Answer<String> {
        let mut at = cursor;
        while let Some(shard) = self.kept.shards.get(at.part) {
            let keys = first_keys(shard.lock().keys_of(space), &at.key);
            for key in &keys {
                if page.room.is_full() {
                    let (part, key) = (at.part, key.to_string());
                    return Ok(Cursor { part, key, ..Cursor::default() }.write());
                }
                let from = std::mem::take(&mut at.after);
                let start = std::mem::take(&mut at.start);
                let begun = (start > 0 && **key == *at.key).then_some((start, from));
                if let Some(next) = self.piece(space, key, begun, page)? {
                    return Ok(Cursor { part: at.part, ..next }.write());
                }
            }
            at = match keys.last().filter(|_| keys.len() == KEYS_MAX) {
                Some(key) => Cursor::behind(at.part, key),
                None => Cursor { part: at.part + 1, ..Cursor::default() },
            };
            if page.room.is_full() && at.part < self.kept.shards.len() {
                return Ok(at.write());
            }
            tokio::task::yield_now().await;
        }
        Ok(String::new())
    }

    /// These keys alone, in their order.
    fn export_these(
        &self,
        space: NamespaceId,
        (cursor, keys): (Cursor, &[String]),
        page: &mut Filling,
    ) -> Answer<String> {
        let mut begun = (cursor.start > 0).then_some((cursor.start, cursor.after));
        for (part, key) in keys.iter().enumerate().skip(cursor.part) {
            if page.room.is_full() {
                return Ok(Cursor { part, ..Cursor::default() }.write());
            }
            if let Some(next) = self.piece(space, key, begun.take(), page)? {
                return Ok(Cursor { part, ..next }.write());
            }
        }
        Ok(String::new())
    }

    /// Tells of a key, from where it was left; gives where it goes on when it does not fit.
    fn piece(
        &self,
        space: NamespaceId,
        key: &str,
        begun: Option<(u64, String)>,
        page: &mut Filling,
    ) -> Answer<Option<Cursor>> {
        let (start, after) = begun.unwrap_or_default();
        let Filling { room, pieces } = page;
        self.edit(space, key, |slot| {
            let expires_ms = slot.expires_ms().unwrap_or(0);
            let Some(value) = slot.value() else { return Ok(None) };
            room.key(key);
            let (kind, count, values) = match value {
                Value::Number(number) => (Kind::Text, 1, vec![number.to_string()]),
                Value::Text(text) => (Kind::Text, 1, vec![text.to_string()]),
                Value::List(list) => {
                    let at = usize::try_from(start).unwrap_or(usize::MAX).min(list.items().len());
                    (Kind::List, list.items().len(), fill(room, list.items().range(at..)))
                }
                Value::Set(set) => {
                    let from = match start {
                        0 => Bound::Unbounded,
                        _ => Bound::Excluded(&*after),
                    };
                    let members = set.members().range::<str, _>((from, Bound::Unbounded));
                    (Kind::Set, set.members().len(), fill(room, members))
                }
            };
            let values = if room.names_only { Vec::new() } else { values };
            if kind == Kind::Text {
                values.first().into_iter().for_each(|text| room.take(text));
            }
            let (count, told) = (count as u64, start.saturating_add(values.len() as u64));
            let more = !room.names_only && told < count;
            let after = values.last().cloned().unwrap_or_default();
            let key = key.to_owned();
            let piece = TextPiece { key: key.clone(), kind, expires_ms, count, start, values };
            pieces.push(Piece::from(piece));
            Ok(more.then_some(Cursor { part: 0, key, start: told, after }))
        })
    }

    /// Refuses pieces of which one could not be put there, before any of them is.
    fn make_sure(&self, space: NamespaceId, pieces: &[TextPiece]) -> Answer<()> {
        let (mut bytes, mut told) = (0, HashMap::new());
        for piece in pieces {
            let own = match piece.kind {
                Kind::Text => piece.values.iter().map(|text| text_bytes(text)).sum(),
                _ => piece.values.iter().map(|value| item_bytes(value)).sum::<u64>(),
            };
            bytes += self.edit(space, &piece.key, |slot| {
                if piece.begins() {
                    return Ok(slot.growth(own));
                }
                let follows = match (told.get(piece.key.as_str()), slot.value(), piece.kind) {
                    (Some(before), ..) => *before == (piece.kind, piece.start),
                    (None, Some(Value::List(list)), Kind::List) => {
                        list.items().len() as u64 == piece.start
                    }
                    (None, Some(Value::Set(_)), Kind::Set) => true,
                    _ => false,
                };
                if follows { Ok(own) } else { Err(data::does_not_follow()) }
            })?;
            let end = piece.start.saturating_add(piece.values.len() as u64);
            told.insert(piece.key.as_str(), (piece.kind, end));
        }
        self.budget.room_for(bytes)
    }

    /// Puts one piece, for which there [is room](Self::make_sure).
    fn put(&self, space: NamespaceId, piece: TextPiece) -> Answer<()> {
        let TextPiece { key, kind, expires_ms, start, values, .. } = piece;
        if kind == Kind::Text {
            let is_over = expires_ms > 0 && expires_ms <= self.clock.now_ms();
            let text = values.into_iter().next().unwrap_or_default();
            return self.edit(space, &key, |slot| {
                if is_over {
                    slot.remove();
                    return Ok(());
                }
                let number = number::parse(&text);
                let value = number.map_or_else(|| Value::Text(text.into()), Value::Number);
                slot.put(value, expires_ms);
                Ok(())
            });
        }
        let values = values.into_iter().map(String::into_boxed_str);
        let version = self.fresh_version();
        self.edit(space, &key, |mut slot| {
            if start == 0 {
                let value = match kind {
                    Kind::List => Value::List(Box::new(List::of_all(values, version))),
                    _ => Value::Set(Box::new(Set::of_all(values, version))),
                };
                slot.put(value, 0);
                return Ok(());
            }
            let grown = match slot.value_mut() {
                Some(Value::List(list)) if list.items().len() as u64 == start => {
                    list.append(values)
                }
                Some(Value::Set(set)) if kind == Kind::Set => values
                    .map(|value| (item_bytes(&value), set.insert(value)))
                    .filter_map(|(bytes, is_new)| is_new.then_some(bytes))
                    .sum(),
                _ => return Err(data::does_not_follow()),
            };
            self.budget.grew(grown);
            Ok(())
        })
    }

    /// Whether a key holds what a piece says.
    fn is_so(&self, space: NamespaceId, piece: &TextPiece) -> Answer<bool> {
        let TextPiece { key, kind, expires_ms, count, start, values } = piece;
        self.edit(space, key, |slot| {
            let same_time = slot.expires_ms().unwrap_or(0) == *expires_ms;
            Ok(match (slot.value(), kind) {
                (None, _) => *expires_ms > 0 && *expires_ms <= self.clock.now_ms(),
                (Some(Value::Number(number)), Kind::Text) => {
                    same_time && values.first().is_some_and(|it| *it == number.to_string())
                }
                (Some(Value::Text(text)), Kind::Text) => {
                    same_time && values.first().is_some_and(|it| **it == **text)
                }
                (Some(Value::List(list)), Kind::List) => {
                    let from = usize::try_from(*start).unwrap_or(usize::MAX);
                    let items = list.items().iter().skip(from).map(|item| &**item);
                    let own = values.iter().map(String::as_str);
                    list.items().len() as u64 == *count && items.take(values.len()).eq(own)
                }
                (Some(Value::Set(set)), Kind::Set) => {
                    set.members().len() as u64 == *count
                        && values.iter().all(|value| set.members().contains(&**value))
                }
                _ => false,
            })
        })
    }
}

/// The pieces that go on with keys which are there already, and the others, in their order.
fn rest_first(pieces: Vec<TextPiece>) -> (Vec<TextPiece>, Vec<TextPiece>) {
    let begun = pieces.iter().filter(|piece| piece.begins()).map(|piece| piece.key.clone());
    let begun: HashSet<_> = begun.collect();
    pieces.into_iter().partition(|piece| !begun.contains(&piece.key))
}

/// As many as the page has room for, and one at least.
fn fill<'a>(room: &mut Room, texts: impl Iterator<Item = &'a Box<str>>) -> Vec<String> {
    let mut values = Vec::new();
    if room.names_only {
        return values;
    }
    for text in texts {
        room.take(text);
        values.push(text.to_string());
        if room.is_full() {
            break;
        }
    }
    values
}

/// What a text is charged; a number has its room in the entry.
fn text_bytes(text: &str) -> u64 {
    if number::parse(text).is_some() { 0 } else { text.len() as u64 }
}
