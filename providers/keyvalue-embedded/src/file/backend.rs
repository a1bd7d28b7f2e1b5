//! The file beneath a store, as redb reads and writes it. It knows how long the store made the
//! file, and notices when another program cut it short. The store writes nothing from then on: it
//! would make what is left look like a whole one. Opened again, it is read from end to end.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use redb::backends::FileBackend;
use redb::{BackendError, DatabaseError, StorageBackend};

/// The file beneath a store.
#[derive(Debug)]
pub(super) struct Backend {
    file: FileBackend,
    length: Arc<Length>,
}

/// How long a store made its file.
///
/// Relaxed: only one thread at a time makes the file longer or shorter, the store's writer or
/// whoever lets go of the store last; to others it is a hint, which they get again later.
#[derive(Debug)]
pub(super) struct Length {
    bytes: AtomicU64,
    is_cut: AtomicBool,
}

impl Length {
    /// True when the file, which now has so many `bytes`, was cut short, now or before.
    pub(super) fn is_cut(&self, bytes: u64) -> bool {
        if bytes < self.bytes.load(Ordering::Relaxed) {
            self.is_cut.store(true, Ordering::Relaxed);
        }
        self.is_cut.load(Ordering::Relaxed)
    }
}

impl Backend {
    /// Takes the store's lock on the file.
    ///
    /// # Errors
    /// As [`FileBackend::new`].
    pub(super) fn new(file: File) -> Result<Self, DatabaseError> {
        let file = FileBackend::new(file)?;
        let bytes = AtomicU64::new(file.len()?);
        let length = Arc::new(Length { bytes, is_cut: AtomicBool::new(false) });
        Ok(Self { file, length })
    }

    pub(super) fn length(&self) -> Arc<Length> {
        Arc::clone(&self.length)
    }

    /// Refuses to write what would hide that something is missing.
    fn whole(&self) -> io::Result<()> {
        if self.length.is_cut(self.file.len()?) {
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
        let before = self.length.bytes.load(Ordering::Relaxed);
        // Never more than the file has, so that nobody is blamed for what is done here.
        self.length.bytes.store(len.min(before), Ordering::Relaxed);
        self.file.set_len(len)?;
        self.length.bytes.store(len, Ordering::Relaxed);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.whole()?;
        self.file.write(offset, data)
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
        assert!(backend.length().is_cut(4_096), "what was in it does not come back");
        assert!(backend.write(0, &[3]).is_err());
        let mut kept = [0; 512];
        backend.read(0, &mut kept).expect("what is left can be read");
        assert_eq!(kept, [2; 512]);
    }
}
