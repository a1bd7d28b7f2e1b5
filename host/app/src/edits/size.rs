//! How much there is of edits: what they add and change is kept for as long as they are in force.

use trellis_core::{CallError, Code};
use trellis_limits::Limit;
use trellis_limits::fixed::{EDIT_ENTRIES, EDIT_VALUES};
use trellis_manifest::TextPairs;

use super::besides::Besides;
use super::version::Replacement;

/// How much there is of one edit, or of several.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Size {
    /// Actors, providers and bindings.
    pub(crate) entries: usize,
    /// Names and values.
    pub(crate) bytes: usize,
}

impl Size {
    /// Of an edit that brings this; what the manifest says itself (`None`) is no part of it.
    pub(super) fn of(replacement: Option<&Replacement>, besides: &Besides) -> Self {
        let bound = besides.bindings.iter().map(|((contract, name), it)| {
            let values = it.now.as_ref().map_or(0, |now| bytes_of(&now.values));
            contract.len() + name.len() + it.provider().map_or(0, str::len) + values
        });
        let own = match replacement {
            Some(Replacement::Actor { name, image }) => name.len() + image.len(),
            Some(Replacement::Provider { kind, values }) => kind.written().len() + bytes_of(values),
            None => 0,
        };
        Self { entries: 1 + besides.bindings.len(), bytes: own + bound.sum::<usize>() }
    }

    /// Both together.
    pub(crate) const fn with(self, other: Self) -> Self {
        let entries = self.entries.saturating_add(other.entries);
        Self { entries, bytes: self.bytes.saturating_add(other.bytes) }
    }

    /// True when what is to take the place of this needs no more room.
    pub(super) fn has_room_for(self, next: Self) -> bool {
        next.entries <= self.entries.max(1) && next.bytes <= self.bytes
    }

    /// Whether edits may have so much.
    ///
    /// # Errors
    /// [`Code::Busy`].
    pub(super) fn check(self) -> Result<(), CallError> {
        check(self.entries, &EDIT_ENTRIES, "more entries")?;
        check(self.bytes, &EDIT_VALUES, "longer names and values")
    }
}

fn check(size: usize, most: &Limit, what: &str) -> Result<(), CallError> {
    let Limit { name, unit, default, .. } = most;
    if u64::try_from(size).is_ok_and(|size| size <= *default) {
        return Ok(());
    }
    let text = format!(
        "edits would have {what} than {default} {unit} in all ({name}): take some back with \
         `trellis rollback NAME --to-manifest`, or write them in the manifest, which may have more"
    );
    Err(CallError::new(Code::Busy, text))
}

fn bytes_of(values: &TextPairs) -> usize {
    values.iter().map(|(key, value)| key.value.len() + value.value.len()).sum()
}
