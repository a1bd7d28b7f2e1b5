//! Pages of what a namespace of a file holds, out and in.

use std::sync::Arc;

use redb::ReadableTableMetadata;
use trellis_core::CallError;
use trellis_providers_sdk::data::{
    self, About, CompareDataRequest, Differing, EraseDataRequest, Erased, ExportDataRequest,
    ImportDataRequest, Kind, Page, Piece, Taken,
};

use super::FileStore;
use super::failure::Failure;
use super::schema::{Entry, FIRST_POSITION, Held, Place, is_over};
use super::tables::Tables;
use super::view::View;
use super::whole::{make_room, make_sure};
use crate::data::{Cursor, KEYS_MAX, Room, TextPiece, begun, checked, differing, texts};
use crate::namespace::Namespace;

type Answer<T> = Result<T, CallError>;

impl data::Provider for FileStore {
    type Caller = Namespace;

    async fn describe_data(&self, space: &Namespace) -> Answer<About> {
        let store = self.identity(space);
        self.read(move |view, _| {
            let (prefix, now_ms, total) = (String::new(), view.now_ms, view.entries.len()?);
            Ok(About { store, prefix, now_ms, total, removable: true })
        })
        .await
    }

    async fn export_data(&self, space: &Namespace, request: ExportDataRequest) -> Answer<Page> {
        let ExportDataRequest { cursor, keys, names_only, bytes_max } = request;
        let (cursor, keys) = (Cursor::read(&cursor)?, texts(keys));
        let space = Arc::clone(&space.name);
        self.read(move |view, _| {
            let mut room = Room::new(bytes_max, names_only);
            let mut pieces = Vec::new();
            let next = if keys.is_empty() {
                export(view, &space, cursor, (&mut room, &mut pieces))?
            } else {
                export_these(view, &space, (cursor, &keys), (&mut room, &mut pieces))?
            };
            Ok(Page { pieces, next })
        })
        .await
    }

    async fn import_data(&self, space: &Namespace, request: ImportDataRequest) -> Answer<Taken> {
        let pieces = checked(request.pieces, &self.bounds)?;
        let (space, bytes_max) = (Arc::clone(&space.name), self.bytes_max);
        self.write(move |tables, _| {
            make_sure(tables, &space, &pieces, bytes_max)?;
            make_room(tables, &space, &pieces)?;
            for piece in &pieces {
                put(tables, Place { space: &space, key: &piece.key }, piece)?;
            }
            Ok(Taken { keys: begun(&pieces) })
        })
        .await
    }

    async fn compare_data(
        &self,
        space: &Namespace,
        request: CompareDataRequest,
    ) -> Answer<Differing> {
        let (space, pieces) = (Arc::clone(&space.name), request.pieces);
        self.read(move |view, _| differing(pieces, |piece| view.is_so(&space, piece))).await
    }

    async fn erase_data(&self, space: &Namespace, request: EraseDataRequest) -> Answer<Erased> {
        let cursor = Cursor::read(&request.cursor)?;
        let space = Arc::clone(&space.name);
        self.free(move |tables, _| {
            let keys = tables.keys_from(&space, &cursor.key, KEYS_MAX)?;
            for key in &keys {
                tables.remove(Place { space: &space, key })?;
            }
            let last = keys.last().filter(|_| keys.len() == KEYS_MAX);
            Ok(Erased { next: last.map_or_else(String::new, |key| Cursor::behind(0, key).write()) })
        })
        .await
    }
}

/// All keys from a cursor on, until the page is full: where the next one begins.
fn export(
    view: &View,
    space: &str,
    cursor: Cursor,
    (room, pieces): (&mut Room, &mut Vec<Piece>),
) -> Result<String, Failure> {
    let mut begun = (cursor.start > 0).then(|| cursor.clone());
    for entry in view.entries.range((space, cursor.key.as_str())..)? {
        let entry = entry?;
        let (at, key) = entry.0.value();
        if at != space {
            break;
        }
        if room.is_full() {
            return Ok(Cursor { key: key.to_owned(), ..Cursor::default() }.write());
        }
        let row = entry.1.value();
        let from = begun.take().filter(|begun| begun.key == key);
        if is_over(row.1, view.now_ms) {
            continue;
        }
        let place = Place { space, key };
        if let Some(next) = view.piece(place, &Entry::of(row)?, from, (room, pieces))? {
            return Ok(next.write());
        }
    }
    Ok(String::new())
}

/// These keys alone, in their order.
fn export_these(
    view: &View,
    space: &str,
    (cursor, keys): (Cursor, &[String]),
    (room, pieces): (&mut Room, &mut Vec<Piece>),
) -> Result<String, Failure> {
    let mut begun = (cursor.start > 0).then(|| cursor.clone());
    for (part, key) in keys.iter().enumerate().skip(cursor.part) {
        if room.is_full() {
            return Ok(Cursor { part, ..Cursor::default() }.write());
        }
        let from = begun.take().filter(|begun| begun.key == *key);
        let at = Place { space, key };
        let Some(entry) = view.entry(at)? else { continue };
        if let Some(next) = view.piece(at, &entry, from, (room, pieces))? {
            return Ok(Cursor { part, ..next }.write());
        }
    }
    Ok(String::new())
}

impl View {
    /// The key's entry, unless its time is over.
    fn entry(&self, at: Place<'_>) -> Result<Option<Entry>, Failure> {
        let entry = super::schema::read_entry(&self.entries, at)?;
        Ok(entry.filter(|entry| !entry.is_over(self.now_ms)))
    }

    /// Tells of a key, from where it was left; gives where it goes on when it does not fit.
    fn piece(
        &self,
        at: Place<'_>,
        entry: &Entry,
        from: Option<Cursor>,
        (room, pieces): (&mut Room, &mut Vec<Piece>),
    ) -> Result<Option<Cursor>, Failure> {
        room.key(at.key);
        let from = from.unwrap_or_default();
        let (key, start) = (at.key.to_owned(), from.start);
        let piece = |kind, count, values| {
            let expires_ms = entry.expires_ms;
            Piece::from(TextPiece { key: key.clone(), kind, expires_ms, count, start, values })
        };
        let (kind, count, found) = match &entry.held {
            Held::Text(text) => {
                let values = if room.names_only { Vec::new() } else { vec![text.clone()] };
                room.take(if room.names_only { "" } else { text });
                pieces.push(piece(Kind::Text, 1, values));
                return Ok(None);
            }
            Held::List { count, .. } => (Kind::List, *count, self.items_from(at, &from, room)?),
            Held::Set { count } => (Kind::Set, *count, self.members_from(at, &from, room)?),
        };
        let (values, last) = found;
        let told = start.saturating_add(values.len() as u64);
        pieces.push(piece(kind, count, values));
        let after = last.filter(|_| !room.names_only && told < count);
        Ok(after.map(|after| Cursor { key, start: told, after, ..Cursor::default() }))
    }

    /// Items behind the cursor, and the place of the last.
    fn items_from(
        &self,
        at: Place<'_>,
        from: &Cursor,
        room: &mut Room,
    ) -> Result<(Vec<String>, Option<String>), Failure> {
        let (mut values, mut last) = (Vec::new(), None::<u64>);
        if room.names_only {
            return Ok((values, None));
        }
        let first = from.after.parse::<u64>().map_or(0, |position| position.saturating_add(1));
        let items = self.items.range((at.space, at.key, first)..=(at.space, at.key, u64::MAX))?;
        for item in items {
            let (place, item) = item?;
            room.take(item.value());
            values.push(item.value().to_owned());
            last = Some(place.value().2);
            if room.is_full() {
                break;
            }
        }
        Ok((values, last.map(|place| place.to_string())))
    }

    /// Members behind the cursor, and the last.
    fn members_from(
        &self,
        at: Place<'_>,
        from: &Cursor,
        room: &mut Room,
    ) -> Result<(Vec<String>, Option<String>), Failure> {
        let mut values = Vec::new();
        if room.names_only {
            return Ok((values, None));
        }
        let first = match from.start {
            0 => String::new(),
            _ => super::schema::successor(&from.after),
        };
        let end = super::schema::successor(at.key);
        let range = (at.space, at.key, first.as_str())..(at.space, end.as_str(), "");
        for member in self.members.range(range)? {
            let member = member?.0;
            let member = member.value().2;
            room.take(member);
            values.push(member.to_owned());
            if room.is_full() {
                break;
            }
        }
        let last = values.last().cloned();
        Ok((values, last))
    }

    /// Whether a key holds what a piece says.
    fn is_so(&self, space: &str, piece: &TextPiece) -> Result<bool, Failure> {
        let at = Place { space, key: &piece.key };
        let Some(entry) = self.entry(at)? else { return Ok(piece_is_over(piece, self.now_ms)) };
        match (&entry.held, piece.kind) {
            (Held::Text(text), Kind::Text) => {
                let same = piece.values.first().is_some_and(|value| value == text);
                Ok(same && entry.expires_ms == piece.expires_ms)
            }
            (Held::List { count, head }, Kind::List) if *count == piece.count => {
                let first = head.saturating_add(piece.start);
                let range = (space, at.key, first)..=(space, at.key, u64::MAX);
                let mut items = self.items.range(range)?;
                for value in &piece.values {
                    let item = items.next().transpose()?;
                    if item.is_none_or(|(_, item)| item.value() != value) {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Held::Set { count }, Kind::Set) if *count == piece.count => {
                for value in &piece.values {
                    if !self.has_member(at, value)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}

const fn piece_is_over(piece: &TextPiece, now_ms: u64) -> bool {
    is_over(piece.expires_ms, now_ms)
}

/// Puts one piece where there is room for it.
fn put(tables: &mut Tables<'_>, at: Place<'_>, piece: &TextPiece) -> Result<(), Failure> {
    let TextPiece { kind, expires_ms, count, start, values, .. } = piece;
    if piece.begins() && *kind != Kind::Text {
        // A page may tell of a key twice.
        tables.remove(at)?;
        tables.vacant(at)?;
    }
    let held = tables.entry(at)?.map(|entry| entry.held);
    let entry = match (kind, held) {
        // Such a piece is refused before.
        (Kind::Other, _) => return Err(data::does_not_follow().into()),
        (Kind::Text, _) if is_over(*expires_ms, tables.now_ms()) => return Ok(()),
        (Kind::Text, _) => {
            let text = values.first().cloned().unwrap_or_default();
            Entry { held: Held::Text(text), expires_ms: *expires_ms }
        }
        (Kind::List, held) => {
            let (before, head) = match held {
                None if *start == 0 => (0, FIRST_POSITION - count),
                Some(Held::List { count: before, head }) if before == *start => (before, head),
                _ => return Err(data::does_not_follow().into()),
            };
            let end = before + values.len() as u64;
            if FIRST_POSITION.saturating_sub(head) < end {
                return Err(data::does_not_follow().into());
            }
            for (index, value) in (0..).zip(values) {
                tables.insert_item(at, head + before + index, value)?;
            }
            Entry::lasting(Held::List { count: end, head })
        }
        (Kind::Set, held) => {
            let mut members = match held {
                None if *start == 0 => 0,
                Some(Held::Set { count }) if *start > 0 => count,
                _ => return Err(data::does_not_follow().into()),
            };
            for value in values {
                members += u64::from(tables.insert_member(at, value)?);
            }
            Entry::lasting(Held::Set { count: members })
        }
    };
    tables.put(at, &entry)
}
