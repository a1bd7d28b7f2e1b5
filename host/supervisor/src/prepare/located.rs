//! What is known of a module once it is on this machine.

use std::path::PathBuf;
use std::sync::Arc;

use trellis_artifacts::{Credentials, Digest, KeptProgram, Registries, Wanted};
use trellis_core::CallError;

/// How images are fetched. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Images {
    /// The way to registries.
    pub registries: Registries,
    /// The cache folder, where they are kept; without one there are no images.
    pub cache: Option<PathBuf>,
}

impl Default for Images {
    /// No images.
    fn default() -> Self {
        Self { registries: Registries::new(Credentials::of_user()), cache: None }
    }
}

/// A module, or an archive, that is on this machine.
pub(super) struct Located {
    pub(super) module: Wanted,
    /// Of an image, what it stands for.
    pub(super) resolved: Option<Resolved>,
    /// Of a copy in the cache, what keeps it there.
    pub(super) held: Option<Arc<KeptProgram>>,
}

/// What an image of a manifest stands for.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    /// The digest of its manifest.
    pub(super) digest: Digest,
    /// Why that is what it stood for the last time.
    pub(super) stale: Option<CallError>,
}
