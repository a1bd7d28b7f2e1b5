//! `trellis:keyvalue_data` on either store: where a page ends, and how full it is.

use trellis_core::CallError;
use trellis_core::wire::Blob;
use trellis_providers_sdk::data::{self, Differing, Kind, Piece, wrong_cursor};

/// What a key or an element costs in a page beside its text.
const ELEMENT_BYTES: u64 = 16;

/// Most keys of which one page tells, and which one round removes.
pub(crate) const KEYS_MAX: usize = 1_024;

/// Most keys that one comparison names.
const DIFFERING_MAX: usize = 16;

/// Where a page ends.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Cursor {
    /// The part of the store, where it has several.
    pub(crate) part: usize,
    /// The next key is this one, or the first behind it.
    pub(crate) key: String,
    /// How many of its elements were told.
    pub(crate) start: u64,
    /// The last of these, or its place.
    pub(crate) after: String,
}

impl Cursor {
    /// Behind a key.
    pub(crate) fn behind(part: usize, key: &str) -> Self {
        // The first text after it in the order of bytes.
        Self { part, key: format!("{key}\0"), ..Self::default() }
    }

    /// A text that [`read`](Self::read) reads back; never empty.
    pub(crate) fn write(&self) -> String {
        let Self { part, key, start, after } = self;
        format!("{part} {start} {} {key}{after}", key.len())
    }

    /// What [`write`](Self::write) wrote, or the beginning for an empty text.
    ///
    /// # Errors
    /// When it is anything else.
    pub(crate) fn read(text: &str) -> Result<Self, CallError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        Self::parse(text).ok_or_else(wrong_cursor)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, ' ');
        let part = parts.next()?.parse().ok()?;
        let start = parts.next()?.parse().ok()?;
        let length: usize = parts.next()?.parse().ok()?;
        let rest = parts.next()?;
        let (key, after) = (rest.get(..length)?.to_owned(), rest.get(length..)?.to_owned());
        Some(Self { part, key, start, after })
    }
}

/// How much still goes into a page.
pub(crate) struct Room {
    left: u64,
    keys: usize,
    /// Nothing of what a key holds is told.
    pub(crate) names_only: bool,
}

impl Room {
    /// A page of about so many bytes.
    pub(crate) fn new(bytes_max: u32, names_only: bool) -> Self {
        Self { left: u64::from(bytes_max.max(1)), keys: KEYS_MAX, names_only }
    }

    /// True once a page is full: what there is in it may be more by one element.
    pub(crate) const fn is_full(&self) -> bool {
        self.left == 0 || self.keys == 0
    }

    /// A key is told of.
    pub(crate) const fn key(&mut self, key: &str) {
        self.keys = self.keys.saturating_sub(1);
        self.take(key);
    }

    /// An element, or a key, takes its part.
    pub(crate) const fn take(&mut self, text: &str) {
        self.left = self.left.saturating_sub(ELEMENT_BYTES + text.len() as u64);
    }
}

/// A piece of texts alone: all that these stores keep.
pub(crate) struct TextPiece {
    pub(crate) key: String,
    pub(crate) kind: Kind,
    pub(crate) expires_ms: u64,
    pub(crate) count: u64,
    pub(crate) start: u64,
    pub(crate) values: Vec<String>,
}

impl TextPiece {
    /// The same piece, as texts.
    ///
    /// # Errors
    /// When it is not.
    pub(crate) fn read(piece: Piece) -> Result<Self, CallError> {
        let Piece { key, kind, expires_ms, count, start, values } = piece;
        let values = values.into_iter().map(text).collect::<Result<_, _>>()?;
        Ok(Self { key: text(key)?, kind, expires_ms, count, start, values })
    }

    /// True when it begins its key.
    pub(crate) const fn begins(&self) -> bool {
        self.start == 0
    }
}

impl From<TextPiece> for Piece {
    fn from(piece: TextPiece) -> Self {
        let TextPiece { key, kind, expires_ms, count, start, values } = piece;
        let values = values.into_iter().map(Blob::from).collect();
        Self { key: key.into(), kind, expires_ms, count, start, values }
    }
}

fn text(bytes: Blob) -> Result<String, CallError> {
    data::text(&bytes)?;
    // It is one.
    Ok(String::from_utf8(bytes.into_vec()).unwrap_or_default())
}

/// These keys, without those that no store of texts has.
pub(crate) fn texts(keys: Vec<Blob>) -> Vec<String> {
    keys.into_iter().filter_map(|key| text(key).ok()).collect()
}

/// Takes pieces in. Refuses those that make no sense, are no texts, or begin what would have more
/// elements than it may.
///
/// # Errors
/// As it says.
pub(crate) fn checked(
    pieces: Vec<Piece>,
    bounds: &trellis_capabilities_keyvalue::Bounds,
) -> Result<Vec<TextPiece>, CallError> {
    let checked = pieces.into_iter().map(|piece| {
        piece.check()?;
        if piece.count > bounds.elements_max as u64 {
            return Err(bounds.too_many_elements());
        }
        TextPiece::read(piece)
    });
    checked.collect()
}

/// Some of the keys of which a store does not hold what the pieces say.
///
/// # Errors
/// Those of the look at one.
pub(crate) fn differing<E>(
    pieces: Vec<Piece>,
    mut is_so: impl FnMut(&TextPiece) -> Result<bool, E>,
) -> Result<Differing, E> {
    let mut keys = Vec::new();
    for piece in pieces {
        let key = piece.key.clone();
        // What is no text is not here.
        let same = match TextPiece::read(piece) {
            Ok(piece) => is_so(&piece)?,
            Err(_) => false,
        };
        if !same {
            keys.push(key);
        }
        if keys.len() == DIFFERING_MAX {
            break;
        }
    }
    Ok(Differing { keys })
}

/// How many keys begin with these.
pub(crate) fn begun(pieces: &[TextPiece]) -> u64 {
    pieces.iter().filter(|piece| piece.begins()).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_asks_for_is_told_from_what_actors_do() {
        let actors = trellis_capabilities_keyvalue::CONTRACT.operations;
        assert!(!actors.iter().any(|it| trellis_providers_sdk::data::is_one(&it.name)));
    }

    #[test]
    fn a_cursor_reads_back_whatever_the_key_is() {
        for (key, after) in [("", ""), ("a b 1", "x y"), ("é\0", "12"), (" ", " ")] {
            let (key, after) = (key.to_owned(), after.to_owned());
            let cursor = Cursor { part: 7, key, start: 9, after };
            assert_eq!(Cursor::read(&cursor.write()), Ok(cursor));
        }
        assert_eq!(Cursor::read(""), Ok(Cursor::default()));
        for text in ["x", "0", "0 0", "0 0 0", "0 0 2 é!x", "0 0 9 a", "0 0 1 é"] {
            let read = Cursor::read(text);
            assert!(read.is_err() || text == "0 0 2 é!x", "{text:?}");
        }
    }

    #[test]
    fn a_page_has_one_element_at_least_and_then_is_full() {
        let mut room = Room::new(0, false);
        assert!(!room.is_full());
        room.take("a");
        assert!(room.is_full());
        let mut room = Room::new(u32::MAX, true);
        (0..KEYS_MAX).for_each(|_| room.key(""));
        assert!(room.is_full(), "names alone are counted");
    }
}
