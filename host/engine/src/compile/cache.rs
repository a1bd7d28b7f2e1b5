//! Compiled code on disk, so that a restart compiles nothing.
//!
//! A file is a magic, a keyed MAC and the code. The MAC covers the file's name and the code, so a
//! changed byte, a file of another module or a file of another version is not loaded: it is
//! ignored, counted and written again. The key is 32 random bytes in the same folder, readable by
//! its owner only. Nothing here can fail a load; a full disk only means no cache.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};

use super::artifact::Artifact;
use super::quota::{CacheQuota, ENTRY_SUFFIX, NEW_PREFIX};
use crate::config::CacheConfig;
use crate::metrics::Metrics;

/// First bytes of a file; the digit is the format's version.
const MAGIC: &[u8; 8] = b"TRELLIS1";
const MAC_BYTES: usize = 32;
const HEADER_BYTES: usize = MAGIC.len() + MAC_BYTES;
/// "Now", as the file system's own clock has it.
const NOW: Timestamps = Timestamps { last_access: THIS_MOMENT, last_modification: THIS_MOMENT };
const THIS_MOMENT: Timespec = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };

const KEY_FILE: &str = "key";

/// The folder.
pub(super) struct Cache {
    dir: PathBuf,
    key: [u8; 32],
    quota: CacheQuota,
    metrics: Arc<Metrics>,
}

/// The name of a module's file: what was compiled, and by what.
pub(super) fn entry_name(digest: &[u8; 32], fingerprint: &blake3::Hash) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(digest).update(fingerprint.as_bytes());
    format!("{}{ENTRY_SUFFIX}", hasher.finalize().to_hex())
}

impl Cache {
    /// Opens the folder, making it and its key when they are missing.
    pub(super) fn open(config: &CacheConfig, metrics: Arc<Metrics>) -> io::Result<Self> {
        let dir = config.dir.as_path();
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let key = read_or_make_key(dir)?;
        let quota = CacheQuota::new(config.bytes_max);
        Ok(Self { dir: dir.to_owned(), key, quota, metrics })
    }

    /// Whether there is something under `name`, to be trusted or not.
    pub(super) fn has(&self, name: &str) -> bool {
        self.dir.join(name).exists()
    }

    /// The code under `name`, authenticated; `None` when there is none to trust.
    pub(super) fn read(&self, name: &str) -> Option<Artifact> {
        let bytes = match read_used(&self.dir.join(name)) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.metrics.cache("miss");
                if error.kind() != ErrorKind::NotFound {
                    tracing::warn!(%error, "a cached module cannot be read");
                }
                return None;
            }
        };
        let authentic = bytes.strip_prefix(MAGIC).and_then(|rest| {
            let (mac, code) = rest.split_at_checked(MAC_BYTES)?;
            let mac = blake3::Hash::from_slice(mac).ok()?;
            // Comparing two `Hash`es takes the same time wherever they differ.
            (self.mac(name, code) == mac).then_some(())
        });
        if authentic.is_none() {
            self.reject(name, "its MAC does not match");
            return None;
        }
        Some(Artifact::authenticated(bytes, HEADER_BYTES))
    }

    /// Counts and logs a file that cannot be used; it will be written again.
    pub(super) fn reject(&self, name: &str, reason: &str) {
        self.metrics.cache("reject");
        tracing::warn!(file = name, reason, event = "cache_reject", "ignored a cached module");
    }

    /// Keeps `artifact` under `name`. Readers see the old file or the whole new one.
    pub(super) fn write(&self, name: &str, artifact: &Artifact) {
        let mac = self.mac(name, artifact.bytes());
        let parts = [MAGIC.as_slice(), mac.as_bytes(), artifact.bytes()];
        let size = parts.iter().map(|part| part.len() as u64).sum();
        let kept = write_whole(&self.dir, name, &parts)
            .and_then(|()| self.quota.take(&self.dir.join(name), size));
        match kept {
            Ok(pruned) => (0..pruned).for_each(|_| self.metrics.cache("pruned")),
            Err(error) => {
                self.metrics.cache("write_failed");
                tracing::warn!(%error, "a compiled module was not cached");
            }
        }
    }

    fn mac(&self, name: &str, code: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes()).update(code);
        hasher.finalize()
    }
}

/// Reads a file, and marks it as used now: what was not used for longest goes first.
fn read_used(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    // A file of somebody else cannot be marked; it is only pruned earlier.
    let _ = futimens(&file, &NOW);
    Ok(bytes)
}

fn write_whole(dir: &Path, name: &str, parts: &[&[u8]]) -> io::Result<()> {
    let (temporary, mut file) = temporary(dir)?;
    let written = parts
        .iter()
        .try_for_each(|part| file.write_all(part))
        .and_then(|()| fs::rename(&temporary, dir.join(name)));
    if written.is_err() {
        // Best effort: what matters is the first error.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// A new file only its owner can read, under a name nobody else uses.
fn temporary(dir: &Path) -> io::Result<(PathBuf, File)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    // Relaxed: each gets another number, and that is all.
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = dir.join(format!("{NEW_PREFIX}{}-{number}", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let file = options.open(&path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok((path, file))
}

fn read_or_make_key(dir: &Path) -> io::Result<[u8; 32]> {
    let path = dir.join(KEY_FILE);
    if !path.exists() {
        let mut key = [0_u8; 32];
        rustix::rand::getrandom(&mut key, rustix::rand::GetRandomFlags::empty())?;
        let (temporary, mut file) = temporary(dir)?;
        file.write_all(&key)?;
        // A link fails when another process was first; its key is then the key.
        let linked = fs::hard_link(&temporary, &path);
        fs::remove_file(&temporary)?;
        if let Err(error) = linked
            && error.kind() != ErrorKind::AlreadyExists
        {
            return Err(error);
        }
    }
    let mut file = File::open(&path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        let message = "the compile cache's key can be read by others: delete the folder";
        return Err(io::Error::new(ErrorKind::PermissionDenied, message));
    }
    let mut key = [0_u8; 32];
    file.read_exact(&mut key)?;
    Ok(key)
}
