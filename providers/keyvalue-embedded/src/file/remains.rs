//! Large lists and sets that are gone, and how what they held is removed: a piece in each
//! transaction of the writer, so that nobody waits for all of it.
//!
//! A key is gone for everybody with the transaction that removed it. Until its last item is removed
//! too, no list or set can be made under it, and the items still count in the size of the file:
//! a change that needs the one or the other is put off ([`Failure::Later`]), not refused.

use redb::{ReadableTable, ReadableTableMetadata};

use super::failure::Failure;
use super::schema::Place;
use super::tables::Tables;

impl Tables<'_> {
    /// True while something that is gone has not been removed yet.
    pub(super) fn has_remains(&self) -> Result<bool, Failure> {
        Ok(!self.remains.is_empty()?)
    }

    /// Puts off a change that makes a list or a set where a former one is not removed yet.
    pub(super) fn vacant(&self, at: Place<'_>) -> Result<(), Failure> {
        match self.remains.get((at.space, at.key))? {
            None => Ok(()),
            Some(_) => Err(Failure::Later),
        }
    }

    /// Removes at most `most` items or members of what is gone: true when some are left.
    pub(super) fn remove_remains(&mut self, most: usize) -> Result<bool, Failure> {
        let mut left = most;
        while left > 0
            && let Some(Gone { space, key, kind }) = self.first_gone()?
        {
            let at = Place { space: &space, key: &key };
            let removed = self.remove_some(at, kind, left)?;
            if removed < left {
                self.remains.remove((at.space, at.key))?;
                self.changed = true;
            }
            left -= removed;
        }
        self.has_remains()
    }

    fn first_gone(&self) -> Result<Option<Gone>, Failure> {
        let Some((place, kind)) = self.remains.first()? else { return Ok(None) };
        let (space, key) = place.value();
        Ok(Some(Gone { space: space.to_owned(), key: key.to_owned(), kind: kind.value() }))
    }
}

/// A key whose list or set is gone, but not all that it held.
struct Gone {
    space: String,
    key: String,
    kind: u8,
}
