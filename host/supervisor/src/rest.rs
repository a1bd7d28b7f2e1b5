//! The rest of a key that was put into a store in parts: that it is one, and not somebody's piece
//! of a key that was there all the time.

use std::hash::{BuildHasher, RandomState};

use trellis_control::{DataKind, DataPiece};
use trellis_core::{BindingId, CallError, Code};

/// Makes and checks the tickets with which the rest of a key comes. Nothing is kept for one: it is
/// a number that only this host makes of what the key had by then.
#[derive(Default)]
pub(crate) struct Rest(RandomState);

impl Rest {
    /// What the next part of the key of the last piece has to come with; a text has none.
    pub(crate) fn ticket(&self, binding: BindingId, pieces: &[DataPiece]) -> Option<String> {
        let last = pieces.last().filter(|piece| piece.kind != DataKind::Text)?;
        Some(self.of(binding, last, end(last)))
    }

    /// Makes sure that each piece begins a key or goes on with the one before; the first one with
    /// the one that the ticket is for.
    ///
    /// # Errors
    /// [`Code::Conflict`].
    pub(crate) fn check(
        &self,
        (binding, ticket): (BindingId, Option<&str>),
        pieces: &[DataPiece],
    ) -> Result<(), CallError> {
        let mut before: Option<&DataPiece> = None;
        for piece in pieces {
            let follows = match before {
                _ if piece.start == 0 => true,
                Some(it) => (&it.key, it.kind, end(it)) == (&piece.key, piece.kind, piece.start),
                None => ticket.is_some_and(|it| it == self.of(binding, piece, piece.start)),
            };
            if !follows {
                let text = "a piece goes on with a key that did not come before it; send the \
                            pieces of a key one after the other, and with the rest, as `from`, \
                            the `next` that the answer to the first part gave";
                return Err(CallError::new(Code::Conflict, text));
            }
            before = Some(piece);
        }
        Ok(())
    }

    fn of(&self, binding: BindingId, piece: &DataPiece, told: u64) -> String {
        let DataPiece { key, kind, .. } = piece;
        format!("{:016x}", self.0.hash_one((binding.0, key, *kind == DataKind::List, told)))
    }
}

/// How many elements of the key came with this piece and those before.
const fn end(piece: &DataPiece) -> u64 {
    piece.start.saturating_add(piece.values.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: BindingId = BindingId(1);

    fn piece(key: &str, start: u64) -> DataPiece {
        let (key, values) = (key.into(), vec!["a".into(), "b".into()]);
        DataPiece { key, kind: DataKind::List, expires_unix_ms: 0, count: 9, start, values }
    }

    #[test]
    fn the_rest_of_a_key_needs_the_ticket_of_its_first_part() {
        let rest = Rest::default();
        let begun = [piece("k", 0), piece("k", 2)];
        assert_eq!(rest.check((HERE, None), &begun), Ok(()));
        let ticket = rest.ticket(HERE, &begun).expect("it may go on");
        let with = |binding, piece| rest.check((binding, Some(&*ticket)), &[piece]);
        assert_eq!(with(HERE, piece("k", 4)), Ok(()));
        assert_eq!(with(HERE, piece("other", 0)), Ok(()), "it need not go on");
        let set = DataPiece { kind: DataKind::Set, ..piece("k", 4) };
        for (binding, piece) in [
            (HERE, piece("k", 3)),
            (HERE, piece("l", 4)),
            (HERE, set),
            (BindingId(2), piece("k", 4)),
        ] {
            assert_eq!(with(binding, piece).expect_err("it is another").code(), Code::Conflict);
        }
        for pieces in [vec![piece("k", 4)], vec![piece("k", 0), piece("l", 2)]] {
            let refused = rest.check((HERE, None), &pieces).expect_err("nothing came before");
            assert!(refused.message().contains("`next`"), "{refused}");
        }
        let text = DataPiece { kind: DataKind::Text, count: 1, ..piece("k", 0) };
        assert_eq!(rest.ticket(HERE, &[text]), None);
    }
}
