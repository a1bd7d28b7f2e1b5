//! Programs that came in artifacts, kept by their digest in a folder of the user's.

use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use rustix::fs::{Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, futimens};
use sha2::{Digest as _, Sha256};
use trellis_core::{CallError, Code};
use trellis_limits::fixed::PROGRAM_CACHE_BYTES;

use crate::digest::Digest;

/// Whose folder it is: the user's alone.
const FOLDER_MODE: u32 = 0o700;
/// A program may be read and run by the user, and changed by nobody.
const PROGRAM_MODE: u32 = 0o500;
/// The names of programs that are not whole yet.
const NEW_PREFIX: &str = ".new-";
/// What is read at once, in bytes.
const PIECE_BYTES: usize = 64 << 10;
/// It was wanted now. When it was written stays: who runs it knows it by that.
const WANTED_NOW: Timestamps = Timestamps {
    last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
    last_modification: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
};

/// A folder of programs, each in a file that is named by its digest. All of its methods block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProgramCache {
    folder: PathBuf,
    bytes_max: u64,
}

impl ProgramCache {
    /// The folder need not be there yet.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, bytes_max: PROGRAM_CACHE_BYTES.default }
    }

    /// Where the program of that digest is; `None` when it is not there, or was changed.
    #[must_use]
    pub fn find(&self, digest: &Digest) -> Option<PathBuf> {
        let path = self.path(digest);
        let is_whole = is_program(&path, digest).unwrap_or(false);
        is_whole.then(|| {
            // It only tells which of them may go first.
            let _ = File::open(&path).map(|file| futimens(file, &WANTED_NOW));
            path
        })
    }

    /// Keeps a program under its digest, whole or not at all; gives where it is.
    ///
    /// # Errors
    /// [`Code::Hash`] when it has another digest, [`Code::Storage`] when it cannot be kept.
    pub fn keep(&self, digest: &Digest, program: &[u8]) -> Result<PathBuf, CallError> {
        if Digest::from(Sha256::digest(program)) != *digest {
            return Err(CallError::new(Code::Hash, "the program is not the one that was signed"));
        }
        if let Some(path) = self.find(digest) {
            return Ok(path);
        }
        let path = self.path(digest);
        self.write(&path, program).map_err(|error| {
            let folder = self.folder.display();
            let text = format!("the program cannot be unpacked into {folder}: {error}");
            CallError::new(Code::Storage, text)
        })?;
        // Without room the next program says so.
        let _ = self.make_room(&path);
        Ok(path)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(HEXLOWER.encode(digest))
    }

    fn write(&self, path: &Path, program: &[u8]) -> io::Result<()> {
        self.open()?;
        let mut file = tempfile::Builder::new().prefix(NEW_PREFIX).tempfile_in(&self.folder)?;
        file.write_all(program)?;
        file.as_file().set_permissions(Permissions::from_mode(PROGRAM_MODE))?;
        file.as_file().sync_all()?;
        // What is there under that name is not it: it was looked at.
        file.persist(path).map_err(|error| error.error)?;
        File::open(&self.folder)?.sync_all()
    }

    /// Makes the folder, and sees to it that it is the user's alone.
    fn open(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&self.folder)?;
        let found = fs::symlink_metadata(&self.folder)?;
        if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
            return Err(io::Error::other("it is not a folder of the host's user"));
        }
        if found.mode() & 0o777 != FOLDER_MODE {
            fs::set_permissions(&self.folder, Permissions::from_mode(FOLDER_MODE))?;
        }
        Ok(())
    }

    /// Removes what was not wanted for longest until the rest fits; `newest` stays.
    fn make_room(&self, newest: &Path) -> io::Result<()> {
        let mut files: Vec<(PathBuf, Metadata)> = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            files.push((entry.path(), entry.metadata()?));
        }
        files.sort_by_key(|(_, found)| (found.atime(), found.atime_nsec()));
        let mut bytes: u64 = files.iter().map(|(_, found)| found.len()).sum();
        for (path, found) in files.iter().filter(|(path, _)| path != newest) {
            if bytes <= self.bytes_max {
                break;
            }
            fs::remove_file(path)?;
            bytes = bytes.saturating_sub(found.len());
        }
        Ok(())
    }
}

/// True when the file at `path` is, to its last byte, the program of that digest. Blocks.
///
/// # Errors
/// When it cannot be read.
pub fn is_program(path: &Path, digest: &Digest) -> io::Result<bool> {
    let mut file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Ok(false);
    }
    let mut state = Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(Digest::from(state.finalize()) == *digest),
            length => state.update(&piece[..length]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(program: &[u8]) -> Digest {
        Sha256::digest(program).into()
    }

    #[test]
    fn a_program_is_kept_whole_and_private() {
        let site = tempfile::tempdir().expect("a temporary folder");
        let cache = ProgramCache::new(site.path().join("a/programs"));
        let program = b"#!/bin/sh\n";
        assert_eq!(cache.find(&digest(program)), None);
        let wrong = cache.keep(&digest(b"other"), program).expect_err("another digest");
        assert_eq!(wrong.code(), Code::Hash);
        let path = cache.keep(&digest(program), program).expect("it is kept");
        assert_eq!(fs::read(&path).expect("it is there"), program);
        let mode = |path: &Path| path.metadata().expect("it is there").mode() & 0o777;
        assert_eq!((mode(&path), mode(&cache.folder)), (PROGRAM_MODE, FOLDER_MODE));
        assert_eq!(fs::read_dir(&cache.folder).expect("a folder").count(), 1, "nothing is left");

        let written = path.metadata().expect("it is there").modified().expect("a time");
        assert_eq!(cache.keep(&digest(program), program), Ok(path.clone()), "it is there already");
        let now = path.metadata().expect("it is there").modified().expect("a time");
        assert_eq!(now, written, "whoever runs it sees no change");
    }

    #[test]
    fn a_changed_program_is_not_found_and_is_written_anew() {
        let site = tempfile::tempdir().expect("a temporary folder");
        let cache = ProgramCache::new(site.path().to_owned());
        let path = cache.keep(&digest(b"good"), b"good").expect("it is kept");
        fs::set_permissions(&path, Permissions::from_mode(0o700)).expect("it is ours");
        fs::write(&path, b"evil").expect("it is ours");
        assert_eq!(is_program(&path, &digest(b"good")).ok(), Some(false));
        assert_eq!(cache.find(&digest(b"good")), None);
        cache.keep(&digest(b"good"), b"good").expect("it is kept again");
        assert_eq!(fs::read(&path).expect("it is there"), b"good");
    }

    #[test]
    fn what_was_not_wanted_for_longest_makes_room() {
        let site = tempfile::tempdir().expect("a temporary folder");
        let cache = ProgramCache { folder: site.path().to_owned(), bytes_max: 8 };
        let keep = |program: &[u8]| cache.keep(&digest(program), program).expect("it is kept");
        let (first, second) = (keep(b"aaaa"), keep(b"bbbb"));
        // Long ago, whatever the clock of the file system can tell.
        let long_ago = |path: &Path, s: i64| {
            let then = Timespec { tv_sec: s, tv_nsec: 0 };
            let times = Timestamps { last_access: then, last_modification: then };
            futimens(File::open(path).expect("it is there"), &times).expect("it is ours");
        };
        long_ago(&first, 1_000);
        long_ago(&second, 2_000);
        assert!(cache.find(&digest(b"aaaa")).is_some(), "it is wanted again");
        let third = keep(b"cccc");
        assert!(first.exists() && !second.exists() && third.exists());
        let large = keep(b"larger than all");
        assert!(large.exists() && !first.exists() && !third.exists(), "the newest stays");
    }

    #[test]
    fn a_folder_that_others_may_enter_is_closed() {
        let site = tempfile::tempdir().expect("a temporary folder");
        let folder = site.path().join("open");
        fs::create_dir(&folder).expect("a folder");
        fs::set_permissions(&folder, Permissions::from_mode(0o777)).expect("it is ours");
        let cache = ProgramCache::new(folder.clone());
        cache.keep(&digest(b"x"), b"x").expect("it is kept");
        assert_eq!(folder.metadata().expect("it is there").mode() & 0o777, FOLDER_MODE);
        let link = site.path().join("link");
        std::os::unix::fs::symlink(&folder, &link).expect("a link");
        let error = ProgramCache::new(link).keep(&digest(b"y"), b"y").expect_err("a link");
        assert_eq!(error.code(), Code::Storage);
    }
}
