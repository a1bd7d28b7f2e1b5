//! Files that hold one seed.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use trellis_claims::KeyPair;
use zeroize::Zeroizing;

use crate::destination::{self, Existing, Privacy};
use crate::error::KeystoreError;
use crate::seed::parse_seed;

/// A seed with some white space around it; anything larger is not a seed.
const SEED_FILE_BYTES_MAX: u64 = 1 << 10;
/// Permission bits of everyone but the owner.
const OTHERS: u32 = 0o077;

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
    // Opening a pipe that nobody writes to would take forever. A key that is brought in may come
    // through one.
    if access == Access::OwnerOnly && !path.metadata().map_err(failed)?.is_file() {
        let error = std::io::Error::new(ErrorKind::InvalidInput, "it is no regular file");
        return Err(failed(error));
    }
    let file = File::open(path).map_err(failed)?;
    // Asked of the open file, so that nobody can swap it in between.
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

/// What writing a key came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stored {
    /// The file is new.
    Created,
    /// The same key was there already.
    Unchanged,
    /// Something else was there and is gone.
    Replaced,
}

impl Stored {
    /// The word for it in messages and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Unchanged => "unchanged",
            Self::Replaced => "replaced",
        }
    }
}

/// Writes a key's seed to a file that only its owner may read (0600), whole or not at all.
///
/// # Errors
/// [`KeystoreError::Exists`] when the file holds anything else and `replace` is false,
/// [`KeystoreError::Exposed`] when it holds this very seed and others can read it, and when it
/// cannot be written.
pub fn write_seed_file(
    path: &Path,
    pair: &KeyPair,
    replace: bool,
) -> Result<Stored, KeystoreError> {
    let there = destination::is_file(path);
    if there && read_seed_file(path, Access::Any).is_ok_and(|old| old.public() == pair.public()) {
        match read_seed_file(path, Access::OwnerOnly) {
            Ok(_) => return Ok(Stored::Unchanged),
            Err(error) if !replace => return Err(error),
            Err(_) => {}
        }
    }
    let existing = if replace { Existing::Replace } else { Existing::Keep };
    match destination::write(path, pair.seed().expose().as_bytes(), Privacy::OwnerOnly, existing) {
        Ok(()) if there => Ok(Stored::Replaced),
        Ok(()) => Ok(Stored::Created),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(KeystoreError::Exists { path: path.to_owned() })
        }
        Err(error) => Err(KeystoreError::io("write", path, error)),
    }
}
