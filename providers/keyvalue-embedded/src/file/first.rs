//! The first opening of a file, which may have to make it.

use std::fs::{File, OpenOptions, remove_file};
use std::io::{self, ErrorKind};
use std::path::Path;

use super::place::is_at;

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
        let options = options();
        let (file, is_new) = match options.clone().create_new(true).open(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => (options.open(path)?, false),
            made => (made?, true),
        };
        let was_empty = bytes_of(&file)? == 0;
        Ok(Self { file, is_new, was_empty })
    }

    /// Opens a file that somebody put there.
    ///
    /// # Errors
    /// As [`open`](Self::open), and that there is none.
    pub(super) fn of_found(path: &Path) -> io::Result<File> {
        // Looked at first: to open a pipe waits for whoever writes into it.
        let is_file = std::fs::metadata(path)?.is_file();
        let file = if is_file { options().open(path)? } else { return Err(no_file()) };
        bytes_of(&file)?;
        Ok(file)
    }

    /// Takes back that a store was begun in it, which was not brought to an end: half of one would
    /// be a damaged file to the next start. Done as far as possible.
    pub(super) fn leave_as_it_was(self, path: &Path) {
        // Somebody else may have it open by now.
        if !self.was_empty || self.file.try_lock().is_err() {
            return;
        }
        let undone = match (self.is_new, is_at(&self.file, path)) {
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

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    options
}

fn bytes_of(file: &File) -> io::Result<u64> {
    let about = file.metadata()?;
    // A device or a pipe takes a store's bytes and gives none back.
    if about.is_file() { Ok(about.len()) } else { Err(no_file()) }
}

fn no_file() -> io::Error {
    ErrorKind::IsADirectory.into()
}
