//! A disk that is small enough to be filled.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::wrap::wrapped;

/// Its size in the form of `mount`, several times that of an empty store.
const SIZE: &str = "16m";
/// The file that fills it.
const BALLAST: &str = "ballast";

/// A file system of a few megabytes in memory. It is mounted in a mount namespace of one host, so
/// only that host sees it, no test needs root, and none leaves a mount behind.
pub struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// A disk that hosts see at this path.
    ///
    /// # Panics
    /// When the folder for the mount cannot be made.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        fs::create_dir_all(&path).expect("the site is writable");
        Self { at: path }
    }

    /// The command of a host that sees this disk, empty, at its path.
    #[must_use]
    pub fn under(&self, host: &Command) -> Command {
        let mount = format!("mount -t tmpfs -o size={SIZE} none \"$0\" && exec \"$@\"");
        let unshare = ["unshare", "--map-root-user", "--mount", "sh", "-c", &mount].map(OsStr::new);
        wrapped(&[unshare.as_slice(), &[self.at.as_os_str()]].concat(), host)
    }

    /// Fills the disk. `process_id` is the host's.
    ///
    /// # Panics
    /// When a write fails for another reason.
    pub fn fill(&self, process_id: u32) {
        let mut ballast = File::create(self.ballast(process_id)).expect("the disk is mounted");
        // Large steps first, then the rest of the last page.
        for step in [vec![0; 64 << 10], vec![0; 1]] {
            let full = loop {
                if let Err(error) = ballast.write_all(&step) {
                    break error;
                }
            };
            assert_eq!(full.kind(), ErrorKind::StorageFull, "{full}");
        }
    }

    /// Frees what [`fill`](Self::fill) took.
    ///
    /// # Panics
    /// When it was not filled.
    pub fn free(&self, process_id: u32) {
        fs::remove_file(self.ballast(process_id)).expect("the disk was filled");
    }

    /// The path of the ballast for this process, through the host's root.
    fn ballast(&self, process_id: u32) -> PathBuf {
        let root = Path::new("/proc").join(process_id.to_string()).join("root");
        let at = self.at.strip_prefix("/").expect("temporary folders have absolute paths");
        root.join(at).join(BALLAST)
    }
}
