//! The file beneath a store, as redb reads and writes it. It knows how long the store made the
//! file and what the store wrote at its beginning, and notices when another program cut it short or
//! wrote over it. The store writes nothing from then on: it would make what is left look like a
//! whole one, or destroy a copy that was put back. Opened again, it is read from end to end.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use redb::backends::FileBackend;
use redb::{BackendError, DatabaseError, StorageBackend};

/// So much at the beginning of a file changes with every transaction: redb keeps its header there.
const HEAD_BYTES: usize = 320;

/// The file beneath a store.
#[derive(Debug)]
pub(super) struct Backend {
    file: FileBackend,
    imprint: Arc<Imprint>,
}

/// What a store knows of its file: its length and how it begins.
///
/// Relaxed: only one thread at a time makes the file longer or shorter, the store's writer or
/// whoever lets go of the store last; to others it is a hint, which they get again later.
#[derive(Debug)]
pub(super) struct Imprint {
    bytes: AtomicU64,
    head: Mutex<Vec<u8>>,
    is_foreign: AtomicBool,
}

impl Imprint {
    fn of(file: &FileBackend) -> io::Result<Self> {
        let bytes = file.len()?;
        let mut head = vec![0; HEAD_BYTES.min(usize::try_from(bytes).unwrap_or(HEAD_BYTES))];
        file.read(0, &mut head)?;
        let (bytes, is_foreign) = (AtomicU64::new(bytes), AtomicBool::new(false));
        Ok(Self { bytes, head: Mutex::new(head), is_foreign })
    }

    /// True when there was nothing in the file.
    pub(super) fn is_of_nothing(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) == 0
    }

    /// True when another program changed the file, now or before. It has so many `bytes`, and
    /// `read` reads its beginning; a disk that does not answer leaves what is known.
    pub(super) fn is_foreign(
        &self,
        bytes: u64,
        read: impl FnOnce(&mut [u8]) -> io::Result<()>,
    ) -> bool {
        let known = self.head.lock();
        let mut head = vec![0; known.len()];
        let is_cut = bytes < self.bytes.load(Ordering::Relaxed);
        if is_cut || read(&mut head).is_ok() && head != *known {
            self.is_foreign.store(true, Ordering::Relaxed);
        }
        self.is_foreign.load(Ordering::Relaxed)
    }

    /// Writes, and keeps what is now at the beginning; who looks at the file waits meanwhile.
    fn write(
        &self,
        (offset, data): (u64, &[u8]),
        write: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(offset) = usize::try_from(offset).ok().filter(|offset| *offset < HEAD_BYTES)
        else {
            return write();
        };
        let mut head = self.head.lock();
        write()?;
        let end = HEAD_BYTES.min(offset + data.len());
        if head.len() < end {
            head.resize(end, 0);
        }
        head[offset..end].copy_from_slice(&data[..end - offset]);
        Ok(())
    }

    fn shorten(&self, bytes: u64) {
        self.head.lock().truncate(usize::try_from(bytes).unwrap_or(HEAD_BYTES));
    }
}

impl Backend {
    /// Takes the store's lock on the file.
    ///
    /// # Errors
    /// As [`FileBackend::new`].
    pub(super) fn new(file: File) -> Result<Self, DatabaseError> {
        let file = FileBackend::new(file)?;
        let imprint = Arc::new(Imprint::of(&file)?);
        Ok(Self { file, imprint })
    }

    pub(super) fn imprint(&self) -> Arc<Imprint> {
        Arc::clone(&self.imprint)
    }

    /// Refuses to write what would hide that something is missing.
    fn whole(&self) -> io::Result<()> {
        if self.imprint.is_foreign(self.file.len()?, |head| self.file.read(0, head)) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.whole()?;
        let before = self.imprint.bytes.load(Ordering::Relaxed);
        // Never more than the file has, so that nobody is blamed for what is done here.
        self.imprint.bytes.store(len.min(before), Ordering::Relaxed);
        self.imprint.shorten(len);
        self.file.set_len(len)?;
        self.imprint.bytes.store(len, Ordering::Relaxed);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.whole()?;
        self.imprint.write((offset, data), || self.file.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_shrink_by_its_store_and_by_nobody_else() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("store");
        let mut options = File::options();
        let file = options.read(true).write(true).create_new(true).open(&path).expect("a new file");
        let other = file.try_clone().expect("a second handle");
        let backend = Backend::new(file).expect("nobody else has it");
        backend.set_len(4_096).expect("it grows");
        backend.write(0, &[1; 4_096]).expect("there is room");
        backend.set_len(1_024).expect("it shrinks");
        backend.write(0, &[2; 1_024]).expect("all of it is there");
        other.set_len(512).expect("another program may");
        for refused in [backend.write(0, &[3; 512]), backend.set_len(4_096)] {
            let error = refused.expect_err("something is missing");
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
        other.set_len(4_096).expect("another program may");
        let unread = |_: &mut [u8]| Err(io::ErrorKind::Other.into());
        assert!(backend.imprint().is_foreign(4_096, unread), "what was in it does not come back");
        assert!(backend.write(0, &[3]).is_err());
        let mut kept = [0; 512];
        backend.read(0, &mut kept).expect("what is left can be read");
        assert_eq!(kept, [2; 512]);
    }
}
