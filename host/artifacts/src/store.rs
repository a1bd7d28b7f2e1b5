//! The cache of images: manifests and modules by their digests, and what tags were resolved to.
//!
//! All of it blocks. Nothing here is trusted: content is hashed before it is used, and a tag only
//! says what digest to look for.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use data_encoding::HEXLOWER;
use parking_lot::Mutex;
use rustix::fs::FlockOperation;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::digest::{Digest, digest_of, parse_digest, written_digest};
use crate::image::Image;
use crate::stamp::{Stamp, now};

/// How precisely it is known when content was used last: the file says so, and is touched no more
/// often than this.
const USE_GRAIN: Duration = Duration::from_secs(24 * 60 * 60);
/// How much of a file is hashed at once, in bytes.
const PIECE_BYTES: usize = 64 << 10;
/// More than what a tag was resolved to takes, in bytes.
const TAG_BYTES_MAX: u64 = 256;

/// The images in one folder. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    folder: PathBuf,
    /// What was hashed before, and how its file was then.
    hashed: Hashed,
    /// What all content may take, in bytes.
    bytes_max: u64,
}

/// Files whose content was hashed, as they were then.
pub(crate) type Hashed = Arc<Mutex<HashMap<PathBuf, Stamp>>>;

/// Content that is kept.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) path: PathBuf,
    /// Open and locked: nobody removes it to make room.
    pub(crate) file: File,
}

impl Store {
    pub(crate) const fn new(folder: PathBuf, hashed: Hashed, bytes_max: u64) -> Self {
        Self { folder, hashed, bytes_max }
    }

    /// The content of this digest; `None` when it is not there. What is damaged is removed.
    ///
    /// # Errors
    /// Whatever the system says of a file that is there.
    pub(crate) fn find(&self, digest: &Digest) -> io::Result<Option<Kept>> {
        let path = self.blobs().join(HEXLOWER.encode(digest));
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared).is_err()
            || file.metadata()?.nlink() == 0
        {
            // Somebody is removing it, or has.
            return Ok(None);
        }
        let stamp = Stamp::from(&file.metadata()?);
        if self.hashed.lock().get(&path) != Some(&stamp) && hash(&mut file)? != *digest {
            fs::remove_file(&path)?;
            return Ok(None);
        }
        self.note_use(&path, &file)?;
        Ok(Some(Kept { path, file }))
    }

    /// The whole of a small content; `None` when it is not there.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub(crate) fn read(&self, digest: &Digest, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(kept) = self.find(digest)? else { return Ok(None) };
        let mut content = Vec::new();
        File::open(kept.path)?.take(bytes_max).read_to_end(&mut content)?;
        Ok(Some(content).filter(|content| digest_of(content) == *digest))
    }

    /// A file to write content into, locked like all that is in use; it is gone unless it is kept.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(crate) fn begin(&self) -> io::Result<NamedTempFile> {
        make_folder(&self.blobs())?;
        let file = NamedTempFile::with_prefix_in(".new-", self.blobs())?;
        rustix::fs::flock(file.as_file(), FlockOperation::LockShared)?;
        Ok(file)
    }

    /// Keeps what was begun, is whole by now and on the disk, and has this digest; makes room.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(crate) fn keep(&self, content: NamedTempFile, digest: &Digest) -> io::Result<Kept> {
        let path = self.blobs().join(HEXLOWER.encode(digest));
        let file = content.persist(&path).map_err(|error| error.error)?;
        File::open(self.blobs())?.sync_all()?;
        self.hashed.lock().insert(path.clone(), Stamp::from(&file.metadata()?));
        self.make_room()?;
        Ok(Kept { path, file })
    }

    /// Keeps a small content.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(crate) fn write(&self, content: &[u8]) -> io::Result<()> {
        let mut file = self.begin()?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        self.keep(file, &digest_of(content)).map(drop)
    }

    /// What a tag was resolved to last; `None` when that is not known.
    pub(crate) fn tag(&self, image: &Image) -> Option<Digest> {
        let mut text = String::new();
        let file = File::open(self.tag_path(image)).ok()?;
        file.take(TAG_BYTES_MAX).read_to_string(&mut text).ok()?;
        parse_digest(text.trim_end())
    }

    /// Remembers what a tag is resolved to.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(crate) fn pin(&self, image: &Image, digest: &Digest) -> io::Result<()> {
        if self.tag(image).as_ref() == Some(digest) {
            return Ok(());
        }
        let folder = self.folder.join("tags");
        make_folder(&folder)?;
        let mut file = NamedTempFile::with_prefix_in(".new-", &folder)?;
        writeln!(file, "{}", written_digest(digest))?;
        file.as_file().sync_all()?;
        file.persist(self.tag_path(image)).map_err(|error| error.error)?;
        Ok(())
    }

    fn blobs(&self) -> PathBuf {
        self.folder.join("blobs")
    }

    fn tag_path(&self, image: &Image) -> PathBuf {
        self.folder.join("tags").join(HEXLOWER.encode(&digest_of(image.to_string().as_bytes())))
    }

    /// Notes that content is used, and how its file is then.
    fn note_use(&self, path: &Path, file: &File) -> io::Result<()> {
        let now = now();
        let is_recent =
            |used: SystemTime| now.duration_since(used).is_ok_and(|age| age < USE_GRAIN);
        if !file.metadata()?.modified().is_ok_and(is_recent) {
            // Another user's cache cannot be touched, and is not cleared by us either.
            let _ = file.set_modified(now);
        }
        self.hashed.lock().insert(path.to_owned(), Stamp::from(&file.metadata()?));
        Ok(())
    }

    /// Removes what nobody holds and was used the longest ago, until the rest fits.
    fn make_room(&self) -> io::Result<()> {
        let mut there = Vec::new();
        for entry in fs::read_dir(self.blobs())? {
            let entry = entry?;
            // What is gone by now takes no room.
            let Ok(metadata) = entry.metadata() else { continue };
            there.push((metadata.modified()?, metadata.len(), entry.path()));
        }
        let mut bytes: u64 = there.iter().map(|(_, bytes, _)| bytes).sum();
        there.sort_unstable();
        for (_, size, path) in there {
            if bytes <= self.bytes_max {
                break;
            }
            let Ok(file) = File::open(&path) else { continue };
            if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
                fs::remove_file(&path)?;
                self.hashed.lock().remove(&path);
                bytes -= size;
            }
        }
        Ok(())
    }
}

/// The digest of what an open file holds.
fn hash(file: &mut File) -> io::Result<Digest> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hash.finalize().into()),
            bytes => hash.update(&piece[..bytes]),
        }
    }
}

/// A folder of the user's own.
fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(folder: &Path, bytes_max: u64) -> Store {
        Store::new(folder.join("images"), Hashed::default(), bytes_max)
    }

    #[test]
    fn what_is_kept_is_found_until_it_is_damaged() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (first, other) = (store(folder.path(), 1_000), store(folder.path(), 1_000));
        let digest = digest_of(b"content");
        assert!(first.find(&digest).expect("an empty cache").is_none());
        first.write(b"content").expect("it is kept");
        let kept = first.find(&digest).expect("readable").expect("it is there");
        assert_eq!(first.read(&digest, 100).expect("readable").as_deref(), Some(&b"content"[..]));
        fs::write(&kept.path, b"changed").expect("somebody changes it");
        assert!(other.find(&digest).expect("readable").is_none(), "it is hashed");
        assert!(!kept.path.exists(), "it can be fetched anew");
    }

    #[test]
    fn a_tag_is_what_it_was_resolved_to_last() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = store(folder.path(), 1_000);
        let image = |text| Image::parse(text).expect("a reference");
        let (one, two) = (image("localhost:5000/a:1"), image("localhost:5000/a:2"));
        assert_eq!(store.tag(&one), None);
        for digest in [digest_of(b"old"), digest_of(b"new")] {
            store.pin(&one, &digest).expect("it is pinned");
            assert_eq!(store.tag(&one), Some(digest));
        }
        assert_eq!(store.tag(&two), None);
    }

    #[test]
    fn room_is_made_by_what_was_used_the_longest_ago_and_nobody_holds() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = store(folder.path(), 20);
        let is_there =
            |content: &[u8]| store.find(&digest_of(content)).expect("readable").is_some();
        for content in [b"first-----", b"second----"] {
            store.write(content).expect("it is kept");
        }
        let aged = |content: &[u8], days: u32| {
            let kept = store.find(&digest_of(content)).expect("readable").expect("it is there");
            let then = now() - days * USE_GRAIN;
            kept.file.set_modified(then).expect("it is ours");
        };
        aged(b"first-----", 3);
        aged(b"second----", 2);
        let held = store.find(&digest_of(b"second----")).expect("readable");
        aged(b"second----", 4);
        store.write(b"third-----").expect("it is kept");
        assert!(held.is_some() && is_there(b"second----"), "it is held, though older");
        assert!(!is_there(b"first-----"), "it made room");
        assert!(is_there(b"third-----"));
    }
}
