//! The folder that holds the keys.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use crate::error::KeystoreError;

/// Permission to write for everyone but the owner.
const OTHERS_WRITE: u32 = 0o022;

/// Makes the folder (0700) unless it exists.
pub(crate) fn create(dir: &Path) -> Result<(), KeystoreError> {
    if !is_safe(dir)? {
        let mut builder = DirBuilder::new();
        let created = builder.recursive(true).mode(0o700).create(dir);
        created.map_err(|source| KeystoreError::io("create", dir, source))?;
    }
    Ok(())
}

/// True when the folder exists, false when it does not; an error when others could replace the
/// keys in it.
pub(crate) fn is_safe(dir: &Path) -> Result<bool, KeystoreError> {
    let metadata = match std::fs::metadata(dir) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(KeystoreError::io("read", dir, error)),
    };
    let mode = metadata.permissions().mode();
    if mode & OTHERS_WRITE != 0 {
        return Err(KeystoreError::OpenFolder { path: dir.to_owned(), mode: mode & 0o777 });
    }
    Ok(true)
}
