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
//! - A counter is a text. Only texts have a time, and it is one of the store's own clock, not a
//!   span: how long the way takes changes nothing. Between stores whose clocks differ, whoever
//!   carries pieces adds the difference ([`Piece::by_clock`]), so that a key has as long to live
//!   there as it had here.
//! - Actors write UTF-8 alone, but other clients of a server may not. What they wrote is carried as
//!   it is, and refused by a store of texts.

use trellis_core::wire::Blob;
use trellis_core::{CallError, Code};

trellis_macros::contract! { "data.wit" }

/// Whether an operation is one of these: all of them, and none of `wascc:keyvalue`, end so.
#[inline]
#[must_use]
pub fn is_one(operation: &str) -> bool {
    operation.ends_with("Data")
}

/// The latest time a key may have, in milliseconds since 1970: what comes after it has no exact
/// number in JSON, in Lua or in Redis's replies, and is some 280,000 years away.
pub const EXPIRES_MS_MAX: u64 = (1 << 53) - 1;

impl Piece {
    /// What makes no sense about it, whatever store it is for.
    ///
    /// # Errors
    /// [`Code::Message`], naming what is wrong.
    pub fn check(&self) -> Result<(), CallError> {
        let elements = self.values.len() as u64;
        let end = self.start.checked_add(elements);
        let wrong = match self.kind {
            Kind::Other => "it holds what a store of keys and values has no word for",
            _ if self.expires_ms > EXPIRES_MS_MAX => "its time is too far away",
            Kind::Text if (self.count, elements, self.start) != (1, 1, 0) => "a text is one value",
            Kind::List | Kind::Set if self.expires_ms > 0 => "only a text has a time",
            _ if elements == 0 => "it has no values",
            Kind::List if end.is_none_or(|end| end > self.count) => "it has more values than count",
            _ => return Ok(()),
        };
        Err(CallError::new(Code::Message, format!("a piece makes no sense: {wrong}")))
    }

    /// What takes a key away, whatever it holds: a text whose time is over, which is left out in
    /// the place of what was there.
    #[must_use]
    pub fn of_nothing(key: Blob) -> Self {
        let values = vec![Blob::default()];
        Self { key, kind: Kind::Text, expires_ms: 1, count: 1, start: 0, values }
    }

    /// True when it begins its key.
    #[must_use]
    pub const fn begins(&self) -> bool {
        self.start == 0
    }

    /// The same piece by a clock that is ahead of the one it was told by; a key that ends still
    /// does.
    #[must_use]
    pub fn by_clock(self, ahead_ms: i64) -> Self {
        let expires_ms = match self.expires_ms {
            0 => 0,
            at => at.saturating_add_signed(ahead_ms).clamp(1, EXPIRES_MS_MAX),
        };
        Self { expires_ms, ..self }
    }
}

/// The text that these bytes are, for a store that keeps nothing else.
///
/// # Errors
/// [`Code::Data`]; it repeats nothing of them.
pub fn text(bytes: &Blob) -> Result<&str, CallError> {
    std::str::from_utf8(bytes).map_err(|_| {
        CallError::new(
            Code::Data,
            "a key or a value is not UTF-8 text, which this store does not keep; `trellis kv \
             export` of the store that has it writes it as `base64`",
        )
    })
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
            key: "k".into(),
            kind: Kind::List,
            expires_ms: 0,
            count: 2,
            start: 0,
            values: vec!["a".into(), "b".into()],
        };
        assert_eq!(piece.check(), Ok(()));
        assert_eq!(Piece::of_nothing("k".into()).check(), Ok(()));
        let one = vec!["a".into()];
        for wrong in [
            Piece { start: 1, ..piece.clone() },
            Piece { start: u64::MAX, ..piece.clone() },
            Piece { expires_ms: 1, ..piece.clone() },
            Piece { values: Vec::new(), ..piece.clone() },
            Piece { kind: Kind::Text, count: 1, ..piece.clone() },
            Piece { kind: Kind::Text, count: 1, start: 1, values: one.clone(), ..piece.clone() },
            Piece { kind: Kind::Other, ..piece.clone() },
            Piece {
                kind: Kind::Text,
                count: 1,
                values: one.clone(),
                expires_ms: EXPIRES_MS_MAX + 1,
                ..piece.clone()
            },
        ] {
            assert_eq!(wrong.check().expect_err("no sense").code(), Code::Message, "{wrong:?}");
        }
    }

    #[test]
    fn a_time_goes_with_the_clock_and_never_becomes_none() {
        let text = Piece {
            key: "k".into(),
            kind: Kind::Text,
            expires_ms: 1_000,
            count: 1,
            start: 0,
            values: vec!["v".into()],
        };
        for (ahead, expires_ms) in
            [(0, 1_000), (500, 1_500), (-1_000, 1), (i64::MIN, 1), (i64::MAX, EXPIRES_MS_MAX)]
        {
            assert_eq!(text.clone().by_clock(ahead).expires_ms, expires_ms, "{ahead}");
        }
        assert_eq!(Piece { expires_ms: 0, ..text }.by_clock(7).expires_ms, 0, "never stays never");
    }
}
