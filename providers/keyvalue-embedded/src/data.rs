//! `trellis:keyvalue_data` on either store: where a page ends, and how full it is.

use trellis_core::CallError;
use trellis_providers_sdk::data::{Piece, wrong_cursor};

/// What a key or an element costs in a page beside its text.
const ELEMENT_BYTES: u64 = 16;

/// Most keys of which one page tells, and which one round removes.
pub(crate) const KEYS_MAX: usize = 1_024;

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

/// Refuses pieces that make no sense, or begin what would have more elements than it may.
///
/// # Errors
/// As it says.
pub(crate) fn check(
    pieces: &[Piece],
    bounds: &trellis_capabilities_keyvalue::Bounds,
) -> Result<(), CallError> {
    for piece in pieces {
        piece.check()?;
        if piece.count > bounds.elements_max as u64 {
            return Err(bounds.too_many_elements());
        }
    }
    Ok(())
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
