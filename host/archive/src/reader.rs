//! Reading an archive: the token first, then the programs.

use std::collections::btree_map::Entry as Place;

use sha2::{Digest, Sha256};
use trellis_core::CallError;
use trellis_limits::fixed::{
    ARCHIVE_BYTES, ARCHIVE_PROGRAM_BYTES, ARCHIVE_PROGRAMS, ARCHIVE_TOKEN_BYTES,
};

use crate::bounds::{Bounds, over, unsound};
use crate::program::{Program, Programs};
use crate::source::Source;
use crate::target::{TOKEN_ENTRY, Target};

/// An archive whose token was read, and nothing else yet.
pub(crate) struct Reader<'a> {
    source: Source<'a>,
    bounds: Bounds,
    token: String,
}

impl<'a> Reader<'a> {
    /// Reads the token.
    ///
    /// # Errors
    /// [`trellis_core::Code::Archive`] for what is no archive, or is over a limit.
    pub(crate) fn open(archive: &'a [u8]) -> Result<Self, CallError> {
        Self::within(archive, Bounds::default())
    }

    fn within(archive: &'a [u8], bounds: Bounds) -> Result<Self, CallError> {
        if archive.len() as u64 > bounds.archive_bytes {
            return Err(over(&ARCHIVE_BYTES, bounds.archive_bytes, "it is too large"));
        }
        let mut source = Source::new(archive, &bounds);
        let first = source.entry()?.filter(|entry| entry.name == TOKEN_ENTRY);
        let first =
            first.ok_or_else(|| unsound(format!("its first entry is not `{TOKEN_ENTRY}`")))?;
        if first.bytes > bounds.token_bytes {
            return Err(over(&ARCHIVE_TOKEN_BYTES, bounds.token_bytes, "its token is too long"));
        }
        let mut token = Vec::new();
        source.content(first.bytes, |piece| token.extend_from_slice(piece))?;
        let token = String::from_utf8(token).map_err(|_| unsound("its token is no text"))?;
        Ok(Self { source, bounds, token })
    }

    /// The token, of which nothing was checked.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Reads all programs to the end of the archive, and keeps those that are wanted.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(crate) fn programs(
        mut self,
        wanted: impl Fn(&Target) -> bool,
    ) -> Result<Programs, CallError> {
        let mut programs = Programs::new();
        while let Some(entry) = self.source.entry()? {
            let name = &entry.name;
            let target = Target::of_entry(name).ok_or_else(|| stray(name))?;
            let count = programs.len() as u64;
            let Place::Vacant(place) = programs.entry(target) else {
                return Err(unsound(format!("its entry {name:?} is there twice")));
            };
            if count >= self.bounds.programs {
                let what = "it has too many programs";
                return Err(over(&ARCHIVE_PROGRAMS, self.bounds.programs, what));
            }
            if entry.bytes > self.bounds.program_bytes {
                let what = format!("its entry {name:?} is too large");
                return Err(over(&ARCHIVE_PROGRAM_BYTES, self.bounds.program_bytes, &what));
            }
            let keep = wanted(place.key());
            place.insert(program(&mut self.source, entry.bytes, keep)?);
        }
        self.source.end()?;
        if programs.is_empty() {
            return Err(unsound("it holds no program"));
        }
        Ok(programs)
    }
}

fn program(source: &mut Source<'_>, bytes: u64, keep: bool) -> Result<Program, CallError> {
    let mut state = Sha256::new();
    // It grows as bytes arrive, whatever the header says.
    let mut content = keep.then(Vec::new);
    source.content(bytes, |piece| {
        state.update(piece);
        if let Some(content) = &mut content {
            content.extend_from_slice(piece);
        }
    })?;
    Ok(Program { bytes, digest: state.finalize().into(), content })
}

fn stray(name: &str) -> CallError {
    let what = if name == TOKEN_ENTRY {
        "a second token"
    } else {
        "neither the token nor a program (`<arch>-<os>.bin`)"
    };
    unsound(format!("its entry {name:?} is {what}"))
}

#[cfg(test)]
mod tests;
