//! Where an artifact is on this machine.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use trellis_core::{CallError, Code};

use crate::blob::Blob;
use crate::digest::digest_of;
use crate::file::{self, Content};
use crate::stamp::Stamp;

/// Where an artifact is on this machine. A closed list: each kind knows how to tell that nothing
/// changed, and how to read.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Reference {
    /// A file of the user's.
    File(PathBuf),
    /// Content of a registry, in the cache.
    Blob(Arc<Blob>),
}

impl Reference {
    /// What an actor is called that has no name: the file's, without its extension, or the last
    /// part of the image's.
    #[must_use]
    pub fn short_name(&self) -> String {
        match self {
            Self::File(path) => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            Self::Blob(blob) => blob.short_name.clone(),
        }
    }

    /// What tells this content from the next; `None` when it cannot be told without reading.
    /// Blocks.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        self.path().metadata().ok().as_ref().map(Stamp::from)
    }

    /// Reads at most `bytes_max` bytes. Blocks.
    ///
    /// # Errors
    /// As [`crate::read_bounded`]; [`Code::Digest`] when the cache was damaged.
    pub(crate) fn read(&self, bytes_max: u64) -> Result<Content, CallError> {
        let content = file::read_stamped(self.path(), bytes_max)?;
        match self {
            Self::Blob(blob) if digest_of(&content.bytes) != blob.digest => {
                let message = format!(
                    "{self}: its content in the cache was changed since it was fetched; remove {}, \
                     and read the manifest again",
                    blob.path.display()
                );
                Err(CallError::new(Code::Digest, message))
            }
            _ => Ok(content),
        }
    }

    /// That it is larger than `bytes_max` bytes.
    pub(crate) fn too_large(&self, bytes_max: u64) -> CallError {
        file::too_large(&self, bytes_max)
    }

    fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Blob(blob) => &blob.path,
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Blob(blob) => f.write_str(&blob.image),
        }
    }
}
