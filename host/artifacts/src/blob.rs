//! Content of a registry, in the cache of this machine.

use std::fs::File;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;

use crate::digest::Digest;

/// Content of a registry, in the cache of this machine. While it lives, nobody removes its file to
/// make room.
#[derive(Debug)]
pub struct Blob {
    /// What it was fetched as, for people.
    pub(crate) image: String,
    /// What an actor of it is called that has no name.
    pub(crate) short_name: String,
    pub(crate) path: PathBuf,
    pub(crate) digest: Digest,
    /// Open and locked, which keeps it.
    pub(crate) _held: File,
}

/// The same content in the same place.
impl PartialEq for Blob {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

impl Eq for Blob {}

impl Hash for Blob {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.path.hash(state);
    }
}
