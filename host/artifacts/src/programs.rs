//! Programs that came in artifacts, kept by their digest in a folder of the user's.

use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use rustix::fs::{FlockOperation, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, flock, futimens};
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

/// A program in the cache. While it lives, nobody removes its file to make room: what runs may have
/// to be started again.
#[derive(Debug)]
pub struct KeptProgram {
    path: PathBuf,
    digest: Digest,
    /// Open and locked, which keeps it. Only for reading: what is open for writing cannot be run.
    _held: File,
}

impl PartialEq for KeptProgram {
    /// The same program in the same place, whoever holds it.
    fn eq(&self, other: &Self) -> bool {
        (&self.path, &self.digest) == (&other.path, &other.digest)
    }
}

impl Eq for KeptProgram {}

impl KeptProgram {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SHA-256 of it.
    #[must_use]
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }
}

impl ProgramCache {
    /// The folder need not be there yet.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, bytes_max: PROGRAM_CACHE_BYTES.default }
    }

    /// The program of that digest; `None` when it is not there, was changed, or is being removed.
    #[must_use]
    pub fn find(&self, digest: &Digest) -> Option<KeptProgram> {
        let path = self.path(digest);
        let mut file = hold(&path).ok()?;
        // One that was removed before it was held is nobody's any more.
        let is_there = file.metadata().ok()?.nlink() > 0;
        if !is_there || !holds(&mut file, digest).ok()? {
            return None;
        }
        // It only tells which of them may go first.
        let _ = futimens(&file, &WANTED_NOW);
        Some(KeptProgram { path, digest: *digest, _held: file })
    }

    /// Keeps a program under its digest, whole or not at all.
    ///
    /// # Errors
    /// [`Code::Hash`] when it has another digest, [`Code::Storage`] when it cannot be kept.
    pub fn keep(&self, digest: &Digest, program: &[u8]) -> Result<KeptProgram, CallError> {
        if Digest::from(Sha256::digest(program)) != *digest {
            return Err(CallError::new(Code::Hash, "the program is not the one that was signed"));
        }
        if let Some(kept) = self.find(digest) {
            return Ok(kept);
        }
        let path = self.path(digest);
        let held = self.write(&path, program).map_err(|error| {
            let folder = self.folder.display();
            let text = format!("the program cannot be unpacked into {folder}: {error}");
            CallError::new(Code::Storage, text)
        })?;
        // Without room the next program says so.
        let _ = self.make_room();
        Ok(KeptProgram { path, digest: *digest, _held: held })
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(HEXLOWER.encode(digest))
    }

    /// Gives it as it is held.
    fn write(&self, path: &Path, program: &[u8]) -> io::Result<File> {
        self.open()?;
        let mut file = tempfile::Builder::new().prefix(NEW_PREFIX).tempfile_in(&self.folder)?;
        // From the beginning: another host may be making room.
        let held = hold(file.path())?;
        file.write_all(program)?;
        file.as_file().set_permissions(Permissions::from_mode(PROGRAM_MODE))?;
        file.as_file().sync_all()?;
        // What is there under that name is not it: it was looked at.
        drop(file.persist(path).map_err(|error| error.error)?);
        File::open(&self.folder)?.sync_all()?;
        Ok(held)
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

    /// Removes what nobody holds and was not wanted for longest, until the rest fits.
    fn make_room(&self) -> io::Result<()> {
        let mut files: Vec<(PathBuf, Metadata)> = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            // What is gone by now takes no room.
            let Ok(found) = entry.metadata() else { continue };
            files.push((entry.path(), found));
        }
        files.sort_by_key(|(_, found)| (found.atime(), found.atime_nsec()));
        let mut bytes: u64 = files.iter().map(|(_, found)| found.len()).sum();
        for (path, found) in &files {
            if bytes <= self.bytes_max {
                break;
            }
            let Ok(file) = File::open(path) else { continue };
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
                fs::remove_file(path)?;
                bytes = bytes.saturating_sub(found.len());
            }
        }
        Ok(())
    }
}

/// True when the file at `path` is, to its last byte, the program of that digest. Blocks.
///
/// # Errors
/// When it cannot be read.
pub fn is_program(path: &Path, digest: &Digest) -> io::Result<bool> {
    holds(&mut File::open(path)?, digest)
}

/// Opens a file and holds it, so that nobody removes it to make room.
fn hold(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    flock(&file, FlockOperation::NonBlockingLockShared)?;
    Ok(file)
}

fn holds(file: &mut File, digest: &Digest) -> io::Result<bool> {
    Ok(file.metadata()?.is_file() && digest_of_file(file)? == *digest)
}

/// SHA-256 of what is left to read, piece by piece.
pub(crate) fn digest_of_file(file: &mut impl Read) -> io::Result<Digest> {
    let mut state = Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(state.finalize().into()),
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
        assert!(cache.find(&digest(program)).is_none());
        let wrong = cache.keep(&digest(b"other"), program).expect_err("another digest");
        assert_eq!(wrong.code(), Code::Hash);
        let kept = cache.keep(&digest(program), program).expect("it is kept");
        let path = kept.path().to_owned();
        assert_eq!(fs::read(&path).expect("it is there"), program);
        let mode = |path: &Path| path.metadata().expect("it is there").mode() & 0o777;
        assert_eq!((mode(&path), mode(&cache.folder)), (PROGRAM_MODE, FOLDER_MODE));
        assert_eq!(fs::read_dir(&cache.folder).expect("a folder").count(), 1, "nothing is left");

        let written = path.metadata().expect("it is there").modified().expect("a time");
        let again = cache.keep(&digest(program), program).expect("it is there already");
        assert_eq!(again.path(), path);
        let now = path.metadata().expect("it is there").modified().expect("a time");
        assert_eq!(now, written, "whoever runs it sees no change");
    }

    #[test]
    fn a_changed_program_is_not_found_and_is_written_anew() {
        let site = tempfile::tempdir().expect("a temporary folder");
        let cache = ProgramCache::new(site.path().to_owned());
        let kept = cache.keep(&digest(b"good"), b"good").expect("it is kept");
        let path = kept.path().to_owned();
        fs::set_permissions(&path, Permissions::from_mode(0o700)).expect("it is ours");
        fs::write(&path, b"evil").expect("it is ours");
        assert_eq!(is_program(&path, &digest(b"good")).ok(), Some(false));
        assert!(cache.find(&digest(b"good")).is_none());
        cache.keep(&digest(b"good"), b"good").expect("it is kept again");
        assert_eq!(fs::read(&path).expect("it is there"), b"good");
    }

    fn small(folder: &Path) -> ProgramCache {
        ProgramCache { folder: folder.to_owned(), bytes_max: 8 }
    }

    fn keep(cache: &ProgramCache, program: &[u8]) -> KeptProgram {
        cache.keep(&digest(program), program).expect("it is kept")
    }

    /// Long ago, whatever the clock of the file system can tell.
    fn long_ago(path: &Path, s: i64) {
        let then = Timespec { tv_sec: s, tv_nsec: 0 };
        let times = Timestamps { last_access: then, last_modification: then };
        futimens(File::open(path).expect("it is there"), &times).expect("it is ours");
    }

    #[test]
    fn what_was_not_wanted_for_longest_makes_room() {
        let site = tempfile::tempdir().expect("a temporary folder");
        let cache = small(site.path());
        let path = |program: &[u8]| keep(&cache, program).path().to_owned();
        let (first, second) = (path(b"aaaa"), path(b"bbbb"));
        long_ago(&first, 1_000);
        long_ago(&second, 2_000);
        assert!(cache.find(&digest(b"aaaa")).is_some(), "it is wanted again");
        let third = path(b"cccc");
        assert!(first.exists() && !second.exists() && third.exists());
        let large = path(b"larger than all");
        assert!(large.exists() && !first.exists() && !third.exists(), "the newest stays");
    }

    #[test]
    fn what_somebody_has_stays_however_old_it_is() {
        let site = tempfile::tempdir().expect("a temporary folder");
        // As two hosts have it.
        let (cache, other) = (small(site.path()), small(site.path()));
        let held = keep(&cache, b"aaaa");
        let free = keep(&cache, b"bbbb").path().to_owned();
        long_ago(held.path(), 1_000);
        long_ago(&free, 2_000);
        let new = keep(&other, b"cccc");
        assert!(held.path().exists() && !free.exists(), "only what nobody has makes room");
        assert!(cache.find(&digest(b"aaaa")).is_some());
        let path = held.path().to_owned();
        drop((held, new));
        long_ago(&path, 1_000);
        drop(keep(&other, b"dddd"));
        assert!(!path.exists(), "nobody has it any more");
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
