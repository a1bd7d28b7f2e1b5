//! What tells one content of a file from the next without reading it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How coarse the times of a file system may be: the kernel's clock tick, with room.
const FINE_GRAIN: Duration = Duration::from_millis(50);
/// The same for file systems that keep whole seconds (or two of them, as FAT does).
const COARSE_GRAIN: Duration = Duration::from_millis(2_500);

/// Identity, size and times of a file. Two equal stamps mean the same content, unless the file is
/// so young that it could change again within one tick of its clock ([`Stamp::is_settled`]).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    /// Seconds since 1970 and nanoseconds, as stat(2) gives them.
    modified: (i64, i64),
    /// Of the inode: what a program cannot set, unlike the time of modification.
    changed: (i64, i64),
}

impl Stamp {
    /// The size in bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// True when a later change of the content would show: the last change is older than the
    /// file system's clock is coarse. `seen` is when the stamp was taken.
    #[must_use]
    pub fn is_settled(&self, seen: SystemTime) -> bool {
        let (seconds, nanoseconds) = self.changed;
        let grain = if nanoseconds == 0 { COARSE_GRAIN } else { FINE_GRAIN };
        let since_1970 = Duration::new(
            u64::try_from(seconds).unwrap_or_default(),
            u32::try_from(nanoseconds).unwrap_or_default(),
        );
        // A change in the future comes from a clock that is not ours: nothing can be said.
        let age = UNIX_EPOCH.checked_add(since_1970).map(|changed| seen.duration_since(changed));
        age.is_some_and(|age| age.is_ok_and(|age| age > grain))
    }
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// What time it is for the file system.
#[expect(
    clippy::disallowed_methods,
    reason = "compared with the file system's own clock; it decides about no expiry"
)]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed_at(seconds: i64, nanoseconds: i64) -> Stamp {
        let changed = (seconds, nanoseconds);
        Stamp { device: 1, inode: 1, bytes: 1, modified: changed, changed }
    }

    #[test]
    fn a_young_stamp_is_not_settled() {
        let seen = UNIX_EPOCH + Duration::new(100, 500_000_000);
        for (stamp, settled) in [
            (changed_at(100, 400_000_000), true),
            (changed_at(100, 499_000_000), false),
            // Whole seconds alone say less.
            (changed_at(100, 0), false),
            (changed_at(97, 0), true),
            // From the future, and from before 1970.
            (changed_at(101, 1), false),
            (changed_at(-1, 1), true),
        ] {
            assert_eq!(stamp.is_settled(seen), settled, "{stamp:?}");
        }
    }
}
