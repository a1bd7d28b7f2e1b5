//! Where an artifact is.

use std::fmt;
use std::path::{Path, PathBuf};

use trellis_core::CallError;

use crate::file::{self, Content};
use crate::stamp::Stamp;

/// SHA-256 of an artifact's bytes.
pub type Digest = [u8; 32];

/// Where an artifact is. A closed list: each kind knows how to tell that nothing changed, and how
/// to read.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Reference {
    /// A file of this machine.
    File(PathBuf),
}

impl Reference {
    /// What `text` means in a manifest whose folder is `folder`: a path, which starts there unless
    /// it is absolute.
    #[must_use]
    pub fn new(folder: &Path, text: &str) -> Self {
        Self::File(folder.join(text))
    }

    /// The file to watch for changes, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        let Self::File(path) = self;
        Some(path)
    }

    /// What tells this content from the next; `None` when it cannot be told without reading.
    /// Blocks.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        let Self::File(path) = self;
        path.metadata().ok().as_ref().map(Stamp::from)
    }

    /// Reads at most `bytes_max` bytes. Blocks.
    ///
    /// # Errors
    /// As [`crate::read_bounded`].
    pub(crate) fn read(&self, bytes_max: u64) -> Result<Content, CallError> {
        let Self::File(path) = self;
        file::read_stamped(path, bytes_max)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::File(path) = self;
        path.display().fmt(f)
    }
}
