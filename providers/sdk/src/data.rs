//! `trellis:keyvalue-data`: what a store holds, for the host that looks at it and moves it.
//!
//! A provider that serves this names it in its descriptor (`data`), not among its contracts. So no
//! actor can be bound to it, and an actor that names one of its operations is refused as for any
//! operation that its contract lacks. The host calls it over a binding of `wascc:keyvalue`, whose
//! keyspace is what is meant.
//!
//! # Rules
//! - Pages together have every key that is there from the first to the last of them. One that
//!   changes meanwhile may be missing, or there twice: whoever needs more holds the writers back.
//! - The pieces of a key come one after the other, and end with its last element. What they say of
//!   its `count` and its time is the same in all of them.
//! - A list comes from its head on; a set in any order.
//! - A counter is a text. Only texts have a time, and it is one of a clock, not a span: how long
//!   the way takes changes nothing.

use trellis_core::{CallError, Code};

trellis_macros::contract! { "data.wit" }

/// Whether an operation is one of these: all of them, and none of `wascc:keyvalue`, end so.
#[inline]
#[must_use]
pub fn is_one(operation: &str) -> bool {
    operation.ends_with("Data")
}

impl Piece {
    /// What makes no sense about it, whatever store it is for.
    ///
    /// # Errors
    /// [`Code::Message`], naming what is wrong.
    pub fn check(&self) -> Result<(), CallError> {
        let elements = self.values.len() as u64;
        let end = self.start.checked_add(elements);
        let wrong = match self.kind {
            Kind::Text if self.count != 1 || elements != 1 => "a text is one value",
            Kind::List | Kind::Set if self.expires_ms > 0 => "only a text has a time",
            _ if elements == 0 => "it has no values",
            Kind::List if end.is_none_or(|end| end > self.count) => "it has more values than count",
            _ => return Ok(()),
        };
        Err(CallError::new(Code::Message, format!("a piece makes no sense: {wrong}")))
    }

    /// True when it begins its key.
    #[must_use]
    pub const fn begins(&self) -> bool {
        self.start == 0
    }
}

/// A cursor that no page gave.
#[must_use]
pub fn wrong_cursor() -> CallError {
    CallError::new(Code::Message, "the cursor is not one that a page gave; begin without one")
}

/// A piece that goes on with a key that is not as the piece before left it.
#[must_use]
pub fn does_not_follow() -> CallError {
    let text = "a piece of a long list or set does not follow the one before it; somebody else \
                may have written there meanwhile";
    CallError::new(Code::Conflict, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_operations_are_known_by_their_end() {
        assert!(CONTRACT.operations.iter().all(|it| is_one(&it.name)));
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        let piece = Piece {
            key: "k".to_owned(),
            kind: Kind::List,
            expires_ms: 0,
            count: 2,
            start: 0,
            values: vec!["a".to_owned(), "b".to_owned()],
        };
        assert_eq!(piece.check(), Ok(()));
        for wrong in [
            Piece { start: 1, ..piece.clone() },
            Piece { start: u64::MAX, ..piece.clone() },
            Piece { expires_ms: 1, ..piece.clone() },
            Piece { values: Vec::new(), ..piece.clone() },
            Piece { kind: Kind::Text, count: 1, ..piece.clone() },
        ] {
            assert_eq!(wrong.check().expect_err("no sense").code(), Code::Message, "{wrong:?}");
        }
    }
}
