//! Where a host keeps what outlives it, for each manifest.

use std::path::{Path, PathBuf};

/// The user's folder for state; `None` when there is none.
pub(crate) fn state_folder() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")))
}

/// What a manifest's files are called there, without an extension; `None` when it has no path.
pub(crate) fn name_of(manifest: &Path) -> Option<String> {
    let path = std::path::absolute(manifest).ok()?;
    let digest = trellis_claims::hash::digest(path.as_os_str().as_encoded_bytes());
    Some(trellis_claims::hash::hex(&digest[..16]).to_lowercase())
}
