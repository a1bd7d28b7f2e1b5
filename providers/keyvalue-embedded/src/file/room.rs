//! Whether a change fits into the file.

use redb::ReadableTable;

use super::failure::Failure;
use super::schema::{Held, Place, items_of, members_of, successor};
use super::tables::{AT_ONCE_MAX, Tables};
use crate::refusal;

impl Tables<'_> {
    /// Refuses growth over `bytes_max`; puts it off while room is being made. What does not grow is
    /// never refused.
    pub(super) fn room_for(&self, bytes: u64, bytes_max: u64) -> Result<(), Failure> {
        let after = self.bytes.saturating_add(bytes);
        if bytes == 0 || after <= bytes_max {
            return Ok(());
        }
        if self.has_remains()? {
            Err(Failure::Later)
        } else {
            Err(refusal::file_full(bytes_max).into())
        }
    }

    /// As [`room_for`](Self::room_for), for a text in place of what the key holds.
    pub(super) fn room_to_replace(
        &self,
        at: Place<'_>,
        (held, text): (Option<&Held>, &str),
        bytes_max: u64,
    ) -> Result<(), Failure> {
        let bytes = at.key_bytes(text);
        let key_bytes = match held {
            None => 0,
            Some(Held::Text(before)) => at.key_bytes(before),
            Some(Held::List { .. } | Held::Set { .. }) => at.key_bytes(""),
        };
        match self.room_for(bytes.saturating_sub(key_bytes), bytes_max) {
            Err(refused) if bytes > key_bytes + self.item_bytes(at, held)? => Err(refused),
            _ => Ok(()),
        }
    }

    /// What the items or members of a key are charged; at least that, when there are very many.
    pub(super) fn item_bytes(&self, at: Place<'_>, held: Option<&Held>) -> Result<u64, Failure> {
        let mut bytes = 0;
        let count = match held {
            None | Some(Held::Text(_)) => return Ok(0),
            Some(Held::List { count, .. }) => {
                for item in self.items.range(items_of(at))?.take(AT_ONCE_MAX) {
                    bytes += at.item_bytes(item?.1.value());
                }
                *count
            }
            Some(Held::Set { count }) => {
                let after = successor(at.key);
                for member in self.members.range(members_of(at, &after))?.take(AT_ONCE_MAX) {
                    bytes += at.item_bytes(member?.0.value().2);
                }
                *count
            }
        };
        Ok(bytes + count.saturating_sub(AT_ONCE_MAX as u64) * at.item_bytes(""))
    }
}
