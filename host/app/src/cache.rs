//! Where compiled modules are kept.

use std::path::PathBuf;

/// The default folder: `$XDG_CACHE_HOME/trellis`, else `~/.cache/trellis`; `None` when the user
/// has neither.
#[must_use]
pub fn default_dir() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
    Some(base.join("trellis"))
}
