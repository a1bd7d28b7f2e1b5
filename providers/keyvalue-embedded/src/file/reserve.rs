//! Blocks of the disk that are set aside for changes that free space: on a disk without a free
//! block, even a page within the file may be one that the disk has not given yet.
//!
//! A file without a name has them, which ends with the process. A file system that cannot set
//! blocks aside has none, and nothing else changes.

use std::fs::File;
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate};

use super::place::{folder_of, true_path};

/// Enough for some transactions that free space, each of which writes some ten pages of 4KiB.
/// After these, what they freed is written again.
const RESERVE_BYTES: u64 = 512 << 10;
/// Less than that is not asked for.
const RESERVE_BYTES_MIN: u64 = 16 << 10;

/// What is set aside for one file.
#[derive(Default, Debug)]
pub(super) struct Reserve {
    blocks: Option<File>,
    /// It is as much as was asked for.
    is_whole: bool,
}

impl Reserve {
    /// Sets blocks aside on the disk of the file at `path`, as many as it still has, unless that
    /// was done. `again` asks for those that the disk did not have then. Blocks.
    pub(super) fn keep(&mut self, path: &Path, again: bool) {
        if self.is_whole || (self.blocks.is_some() && !again) {
            return;
        }
        if self.blocks.is_none() {
            self.blocks = tempfile::tempfile_in(folder_of(&true_path(path))).ok();
        }
        let Some(blocks) = &self.blocks else { return };
        let mut bytes = RESERVE_BYTES;
        // Without a length of its own: a process may be ended by the system over one.
        while fallocate(blocks, FallocateFlags::KEEP_SIZE, 0, bytes).is_err() {
            bytes /= 2;
            if bytes < RESERVE_BYTES_MIN {
                break;
            }
        }
        self.is_whole = bytes == RESERVE_BYTES;
    }

    /// Gives them back to the disk: true when there may have been any. Blocks.
    pub(super) fn give_up(&mut self) -> bool {
        self.is_whole = false;
        self.blocks.take().is_some()
    }
}
