//! The size of the cache's folder, kept below a maximum.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use parking_lot::Mutex;

/// How the name of a file with compiled code ends.
pub(super) const ENTRY_SUFFIX: &str = ".cwasm";
/// How the name of a file that is being written begins.
pub(super) const NEW_PREFIX: &str = ".new-";
/// How much of the maximum is left after pruning, in percent, so that the next file fits as well.
const LEFT_PERCENT: u64 = 75;

/// What the folder may hold, and what it holds as far as this process knows: other processes may
/// share it, so the size is counted anew whenever it matters.
pub(super) struct CacheQuota {
    bytes_max: u64,
    known: Mutex<Option<u64>>,
}

/// One file of the folder.
struct Entry {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

impl CacheQuota {
    pub(super) const fn new(bytes_max: u64) -> Self {
        Self { bytes_max, known: Mutex::new(None) }
    }

    /// Counts a file that was just written; when the folder is too large now, deletes the others
    /// not used for longest, and those a crash left half-written with them. Gives how many.
    pub(super) fn take(&self, written: &Path, bytes: u64) -> io::Result<usize> {
        let dir = written.parent().unwrap_or(written);
        let mut known = self.known.lock();
        let total = match *known {
            Some(before) => before + bytes,
            None => bytes_of(&entries(dir)?),
        };
        *known = Some(total);
        if total <= self.bytes_max {
            return Ok(0);
        }
        let entries = entries(dir)?;
        let mut left = bytes_of(&entries);
        let deleted = prune(entries, written, (&mut left, self.bytes_max / 100 * LEFT_PERCENT))?;
        *known = Some(left);
        Ok(deleted)
    }
}

fn bytes_of(entries: &[Entry]) -> u64 {
    entries.iter().map(|entry| entry.bytes).sum()
}

/// Deletes until no more than `bytes_max` are left, but never the file just written: times of use
/// are only as fine as the file system's clock.
fn prune(
    mut entries: Vec<Entry>,
    written: &Path,
    (left, bytes_max): (&mut u64, u64),
) -> io::Result<usize> {
    entries.retain(|entry| entry.path != written);
    entries.sort_by_key(|entry| entry.used);
    let mut deleted = 0;
    for entry in entries {
        if *left <= bytes_max {
            break;
        }
        match fs::remove_file(&entry.path) {
            // Another process may have pruned it first.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {
                *left = left.saturating_sub(entry.bytes);
                deleted += 1;
            }
        }
    }
    Ok(deleted)
}

/// The files of compiled code, and those on their way to be one; never the key.
fn entries(dir: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for file in fs::read_dir(dir)? {
        let file = file?;
        let name = file.file_name();
        let name = name.to_string_lossy();
        if !name.ends_with(ENTRY_SUFFIX) && !name.starts_with(NEW_PREFIX) {
            continue;
        }
        // One that is gone already takes no room.
        let Ok(metadata) = file.metadata() else { continue };
        if metadata.is_file() {
            let used = metadata.modified()?;
            entries.push(Entry { path: file.path(), bytes: metadata.len(), used });
        }
    }
    Ok(entries)
}
