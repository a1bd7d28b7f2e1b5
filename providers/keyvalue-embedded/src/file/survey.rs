//! What stands at a path, for somebody who will not open it now. Nothing is changed, made or
//! repaired, and a file that a host uses stays in its use.

use std::fs::{File, OpenOptions, metadata};
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use redb::{Builder, DatabaseError};
use rustix::fs::{Access, access};
use trellis_core::CallError;

use super::place::{folder_of, is_missing, leads_nowhere};
use super::sentence;
use super::unwritten::Unwritten;

/// Memory for pages of a file that is only looked at.
const CACHE_BYTES: usize = 1 << 20;

/// What a look at a path found.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Seen {
    /// A store, as far as that can be told without opening it for writing.
    Store,
    /// A store would be begun, as the sentence says.
    New(CallError),
    /// No store can be opened there now, and why.
    Unusable(CallError),
}

/// Looks at what opening the file would find. Blocks.
pub(crate) fn survey(path: &Path) -> Seen {
    if leads_nowhere(path) {
        return Seen::Unusable(sentence::leads_nowhere());
    }
    match metadata(path) {
        Ok(about) if !about.is_file() => unusable(ErrorKind::IsADirectory),
        Ok(about) => match OpenOptions::new().read(true).write(true).open(path) {
            Err(error) => Seen::Unusable(sentence::of_io(&error)),
            Ok(_) if about.len() == 0 => {
                Seen::New(sentence::of("is empty: a new store will be begun in it"))
            }
            Ok(file) => of_content(file),
        },
        Err(error) if is_missing(&error) => of_folder(folder_of(path)),
        Err(error) => Seen::Unusable(sentence::of_io(&error)),
    }
}

fn of_content(file: File) -> Seen {
    let opened = catch_unwind(AssertUnwindSafe(|| rehearse(file)));
    match opened {
        // Somebody uses it, or was killed while doing so: then a start repairs it.
        Ok(Ok(()) | Err(DatabaseError::DatabaseAlreadyOpen | DatabaseError::RepairAborted)) => {
            Seen::Store
        }
        Ok(Err(error)) => Seen::Unusable(sentence::of_store(&error.into())),
        Err(_panic) => Seen::Unusable(sentence::damaged()),
    }
}

/// Opens the store as a start would, but for writing into the file, and for a repair, which reads
/// all of it.
///
/// # Errors
/// What is wrong with it, that somebody uses it, or that it needs a repair.
pub(super) fn rehearse(file: File) -> Result<(), DatabaseError> {
    if file.try_lock_shared().is_err() {
        return Err(DatabaseError::DatabaseAlreadyOpen);
    }
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES).set_repair_callback(|repair| repair.abort());
    builder.create_with_backend(Unwritten::over(file)?).map(drop)
}

/// Whether a file can be made in the folder, which is made as well.
fn of_folder(folder: &Path) -> Seen {
    let mut there = folder;
    loop {
        match metadata(there) {
            Ok(about) if about.is_dir() => break,
            // Where a host runs may be gone as well, and has no folder above.
            Err(error)
                if error.kind() == ErrorKind::NotFound
                    && !there.is_symlink()
                    && there != folder_of(there) =>
            {
                there = folder_of(there);
            }
            Err(error) if !is_missing(&error) => {
                return Seen::Unusable(sentence::of_io(&error));
            }
            _ => return unusable(ErrorKind::NotADirectory),
        }
    }
    match access(there, Access::WRITE_OK | Access::EXEC_OK).map_err(io::Error::from) {
        Ok(()) if there == folder => {
            Seen::New(sentence::of("does not exist: a new one will be made"))
        }
        Ok(()) => {
            Seen::New(sentence::of("does not exist: a new one will be made, with its folder"))
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Seen::Unusable(sentence::of(
            "cannot be made: its folder may not be written by the host's user; change its \
                 permissions, or correct PATH",
        )),
        Err(error) => Seen::Unusable(sentence::of_io(&error)),
    }
}

fn unusable(kind: ErrorKind) -> Seen {
    Seen::Unusable(sentence::of_io(&kind.into()))
}

#[cfg(test)]
mod tests;
