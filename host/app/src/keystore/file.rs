//! Files and folders that only their owner may read.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use trellis_claims::{KeyPair, Seed};
use zeroize::Zeroizing;

use super::{KeystoreError, parse_seed};

/// A seed with some white space around it; anything larger is not a seed.
const SEED_FILE_BYTES_MAX: u64 = 1 << 10;
/// Permission bits of everyone but the owner.
const OTHERS: u32 = 0o077;
/// Permission to write for everyone but the owner.
const OTHERS_WRITE: u32 = 0o022;

/// Who may have had access to a file that is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Only its owner, or the file is refused.
    OwnerOnly,
    /// Anyone: the user is bringing a key in.
    Any,
}

/// Reads a seed file.
///
/// # Errors
/// [`KeystoreError::Exposed`] when others may read it and must not; when it cannot be read or holds
/// no seed.
pub fn read_seed_file(path: &Path, access: Access) -> Result<KeyPair, KeystoreError> {
    let failed = |source| KeystoreError::io("read", path, source);
    let file = File::open(path).map_err(failed)?;
    // Asked of the open file, so that it cannot be exchanged in between.
    let metadata = file.metadata().map_err(failed)?;
    let mode = metadata.permissions().mode();
    if access == Access::OwnerOnly && mode & OTHERS != 0 {
        return Err(KeystoreError::Exposed { path: path.to_owned(), mode: mode & 0o777 });
    }
    // The whole capacity at once: a buffer that grows would leave copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(SEED_FILE_BYTES_MAX as usize + 1));
    file.take(SEED_FILE_BYTES_MAX).read_to_end(&mut text).map_err(failed)?;
    // Not UTF-8 means not a seed, which an empty text is too.
    let text = std::str::from_utf8(&text).unwrap_or_default();
    parse_seed(text, &path.display().to_string())
}

/// Writes a seed to a file of its owner's (0600), whole or not at all.
///
/// # Errors
/// [`KeystoreError::Exists`] when the file is there and `replace` is false; when it cannot be
/// written.
pub fn write_seed_file(path: &Path, seed: &Seed, replace: bool) -> Result<(), KeystoreError> {
    let failed = |source| KeystoreError::io("write", path, source);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .prefix(".new-key-")
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(folder.unwrap_or(Path::new(".")))
        .map_err(failed)?;
    file.write_all(seed.expose().as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    let placed = if replace { file.persist(path) } else { file.persist_noclobber(path) };
    match placed {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
            Err(KeystoreError::Exists { path: path.to_owned() })
        }
        Err(error) => Err(failed(error.error)),
    }
}

/// Makes the keystore's folder (0700) unless it is there.
pub(super) fn create_folder(dir: &Path) -> Result<(), KeystoreError> {
    if !folder_is_safe(dir)? {
        let mut builder = DirBuilder::new();
        let created = builder.recursive(true).mode(0o700).create(dir);
        created.map_err(|source| KeystoreError::io("create", dir, source))?;
    }
    Ok(())
}

/// True when the folder is there, false when it is not; an error when others could exchange keys.
pub(super) fn folder_is_safe(dir: &Path) -> Result<bool, KeystoreError> {
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
