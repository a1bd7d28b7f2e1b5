//! The first opening of a file, which may have to make it.

use std::fs::{File, OpenOptions, remove_file};
use std::io::{self, ErrorKind};
use std::path::Path;

use super::place::{Place, place_of};

/// A file as it was found, or made.
pub(super) struct First {
    pub(super) file: File,
    /// It was made.
    pub(super) is_new: bool,
    was_empty: bool,
}

impl First {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// Why that cannot be done.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        let (file, is_new) = match options.clone().create_new(true).open(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => (options.open(path)?, false),
            made => (made?, true),
        };
        let about = file.metadata()?;
        if !about.is_file() {
            // A device or a pipe takes a store's bytes and gives none back.
            return Err(ErrorKind::IsADirectory.into());
        }
        let was_empty = about.len() == 0;
        Ok(Self { file, is_new, was_empty })
    }

    /// Takes back that a store was begun in it, which was not brought to an end: half of one would
    /// be a damaged file to the next start. Done as far as possible.
    pub(super) fn leave_as_it_was(self, path: &Path) {
        // Somebody else may have it open by now.
        if !self.was_empty || self.file.try_lock().is_err() {
            return;
        }
        let is_there = matches!(place_of(&self.file, path), Ok(Place::AtPath));
        let undone = match (self.is_new, is_there) {
            (true, true) => remove_file(path),
            _ => self.file.set_len(0),
        };
        if let Err(error) = undone {
            tracing::warn!(
                path = %path.display(), %error,
                "a key-value file that could not be made is left behind; remove it"
            );
        }
    }
}
