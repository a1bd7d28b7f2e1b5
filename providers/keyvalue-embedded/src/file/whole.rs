//! Pieces are put into a file all or not at all: whatever is in the way of one of them is found
//! before anything is written.

use std::collections::HashMap;

use trellis_providers_sdk::data::{Kind, does_not_follow};

use super::failure::Failure;
use super::schema::{FIRST_POSITION, Held, Place};
use super::tables::Tables;
use crate::data::TextPiece;

/// How far a key has come, and how far it may.
#[derive(Clone, Copy)]
struct Told {
    kind: Kind,
    count: u64,
    most: u64,
}

impl Told {
    /// A key that is there.
    const fn of(held: &Held) -> Option<Self> {
        match held {
            Held::Text(_) => None,
            Held::List { count, head } => {
                let most = FIRST_POSITION.saturating_sub(*head);
                Some(Self { kind: Kind::List, count: *count, most })
            }
            Held::Set { count } => Some(Self { kind: Kind::Set, count: *count, most: u64::MAX }),
        }
    }

    fn is_followed_by(&self, piece: &TextPiece) -> bool {
        let is_next = piece.kind == Kind::Set || self.count == piece.start;
        self.kind == piece.kind && is_next && end(piece) <= self.most
    }
}

fn end(piece: &TextPiece) -> u64 {
    piece.start.saturating_add(piece.values.len() as u64)
}

/// Refuses pieces of which one could not be put there, or puts all of them off; writes nothing.
pub(super) fn make_sure(
    tables: &mut Tables<'_>,
    space: &str,
    pieces: &[TextPiece],
    bytes_max: u64,
) -> Result<(), Failure> {
    let (mut bytes, mut freed) = (0, 0);
    let mut told: HashMap<&str, Told> = HashMap::new();
    for piece in pieces {
        let at = Place { space, key: &piece.key };
        let held = tables.entry(at)?.map(|entry| entry.held);
        let before = told.get(at.key).copied();
        // All of a list finds its place behind the first item, so that it has no gaps.
        let mut most = if piece.kind == Kind::List { piece.count } else { u64::MAX };
        if piece.begins() {
            freed += match held.filter(|_| before.is_none()) {
                Some(Held::Text(text)) => at.key_bytes(&text),
                held => {
                    held.as_ref().map_or(0, |_| at.key_bytes(""))
                        + tables.item_bytes(at, held.as_ref())?
                }
            };
            bytes += at.key_bytes(if piece.kind == Kind::Text { &piece.values[0] } else { "" });
        } else {
            let before = before.or_else(|| Told::of(held.as_ref()?));
            let before = before.filter(|before| before.is_followed_by(piece));
            most = before.ok_or_else(does_not_follow)?.most;
        }
        if piece.kind != Kind::Text {
            bytes += piece.values.iter().map(|value| at.item_bytes(value)).sum::<u64>();
        }
        told.insert(at.key, Told { kind: piece.kind, count: end(piece), most });
    }
    tables.room_for(bytes.saturating_sub(freed), bytes_max)
}

/// Removes what these pieces replace; where a large list was, all of them are put off until its
/// items are gone.
pub(super) fn make_room(
    tables: &mut Tables<'_>,
    space: &str,
    pieces: &[TextPiece],
) -> Result<(), Failure> {
    for piece in pieces.iter().filter(|piece| piece.begins()) {
        let at = Place { space, key: &piece.key };
        tables.remove(at)?;
        if piece.kind != Kind::Text {
            tables.vacant(at)?;
        }
    }
    Ok(())
}
