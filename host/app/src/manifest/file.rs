//! The manifest's file.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use trellis_artifacts::hint;
use trellis_core::{CallError, Code};

use crate::failure::Failure;

/// How the names of manifests end.
const FILE_EXTENSIONS: &[&str] = &["yaml", "yml", "json"];

/// One byte more than a manifest may have tells that it is too large; a pipe is read as well.
pub(super) fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let bytes_max = trellis_manifest::BYTES_MAX as u64;
    File::open(path)?.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Why it cannot be read, and what to do about it.
pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let (code, help) = match error.kind() {
        ErrorKind::NotFound => {
            let near = hint::of_missing(path, FILE_EXTENSIONS);
            let near = near.map_or_else(String::new, |near| format!("{near} "));
            (Code::NotFound, Some(format!("{near}`--manifest FILE` names the manifest to run")))
        }
        _ => {
            let folder = hint::of_folder(path, FILE_EXTENSIONS);
            (
                Code::Storage,
                folder.map(|folder| format!("name a file with `--manifest FILE`: {folder}")),
            )
        }
    };
    let error = CallError::new(code, format!("the manifest cannot be read: {error}"));
    let failure = Failure::call(path.display().to_string(), error);
    match help {
        Some(help) => failure.help(help),
        None => failure,
    }
}
