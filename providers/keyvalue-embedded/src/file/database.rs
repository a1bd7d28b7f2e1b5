//! The open file, for the writer and every reader, and the sentences for what it did.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use redb::{Builder, Database, ReadableDatabase};
use trellis_core::{CallError, Code};

use super::place::{Place, folder_of, place_of, write_anew};
use super::tables::Tables;
use super::view::View;

/// The file, open unless it failed.
pub(super) struct DatabaseFile {
    path: PathBuf,
    cache_bytes: usize,
    open: Mutex<Option<Open>>,
    /// Where the open file was when that was looked at last.
    place: Mutex<Place>,
    /// What its keys and values are charged, as of the last commit.
    bytes: AtomicU64,
    /// Another one before and after each commit in which a list was removed whole: what a reader
    /// found in a list may then be in another one.
    era: AtomicU64,
}

/// The file, open.
#[derive(Clone)]
struct Open {
    database: Arc<Database>,
    /// The file beneath, to look at where it is.
    file: Arc<File>,
}

/// Why the file could not be opened.
pub(super) enum Unopened {
    /// Somebody else holds it, for now.
    InUse(CallError),
    /// It cannot be used.
    Unusable(CallError),
}

impl DatabaseFile {
    pub(super) const fn new(path: PathBuf, cache_bytes: usize) -> Self {
        Self {
            path,
            cache_bytes,
            open: Mutex::new(None),
            place: Mutex::new(Place::AtPath),
            bytes: AtomicU64::new(0),
            era: AtomicU64::new(0),
        }
    }

    /// Opens the file, making it and its folder when they are missing, and makes sure that it can
    /// be written. Blocks.
    ///
    /// # Errors
    /// [`Code::Storage`] naming what is wrong with the file.
    pub(super) fn open(&self) -> Result<(), Unopened> {
        self.open_guarded(Self::try_open)
    }

    /// Opens a file that was open before and failed. It is not written to: that it can be read
    /// again must not depend on room. Blocks.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(super) fn open_again(&self) -> Result<(), Unopened> {
        self.open_guarded(Self::try_open_again)
    }

    fn open_guarded(&self, open: fn(&Self) -> Result<Open, redb::Error>) -> Result<(), Unopened> {
        let attempt = AssertUnwindSafe(|| open(self));
        match catch_unwind(attempt) {
            Ok(Ok(open)) => {
                *self.open.lock() = Some(open);
                *self.place.lock() = Place::AtPath;
                Ok(())
            }
            Ok(Err(broken @ redb::Error::DatabaseAlreadyOpen)) => {
                Err(Unopened::InUse(self.explain(&broken)))
            }
            Ok(Err(broken)) => Err(Unopened::Unusable(self.explain(&broken))),
            Err(_panic) => Err(Unopened::Unusable(self.damaged())),
        }
    }

    /// Memory for pages of the file, as it was opened.
    pub(super) const fn cache_bytes(&self) -> usize {
        self.cache_bytes
    }

    /// Says that another size of the cache, which a manifest asks for, is not the one in force.
    pub(super) fn tell_of_other_cache(&self, wanted: usize) {
        if wanted != self.cache_bytes {
            tracing::warn!(
                path = %self.path(),
                wanted,
                in_force = self.cache_bytes,
                "CACHE of a key-value file is not changed while the file is open; it takes effect \
                 with the next start of the host"
            );
        }
    }

    /// The file's path, for the log alone: errors reach guests.
    pub(super) fn path(&self) -> std::path::Display<'_> {
        self.path.display()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.lock().is_none()
    }

    /// Lets go of the file; it closes when the last reader is done.
    pub(super) fn take(&self) {
        let open = self.open.lock().take();
        // Closing a damaged file may panic as well.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(open)));
    }

    pub(super) fn get(&self) -> Result<Arc<Database>, Box<redb::Error>> {
        let open = self.open.lock();
        let database = open.as_ref().map(|open| Arc::clone(&open.database));
        database.ok_or_else(|| Box::new(redb::Error::DatabaseClosed))
    }

    /// Where the open file was when that was looked at last.
    pub(super) fn place(&self) -> Place {
        *self.place.lock()
    }

    /// Looks at where the open file is. Blocks.
    pub(super) fn look_at_place(&self) -> Place {
        let open = self.open.lock().clone();
        // A disk that says nothing leaves what is known.
        if let Some(open) = open
            && let Ok(place) = place_of(&open.file, &self.path)
        {
            *self.place.lock() = place;
        }
        self.place()
    }

    /// Writes a file that was deleted anew, and goes on with the copy: for its writer, when all of
    /// it is on the disk. Readers end with what they have. Blocks.
    ///
    /// # Errors
    /// Why that could not be done; what is open stays open.
    pub(super) fn write_anew(&self) -> Result<(), CallError> {
        let Some(open) = self.open.lock().clone() else { return Ok(()) };
        let anew = AssertUnwindSafe(|| {
            let copy = write_anew(&open.file, &self.path)?;
            self.open_file(copy)
        });
        match catch_unwind(anew) {
            Ok(Ok(anew)) => {
                *self.open.lock() = Some(anew);
                *self.place.lock() = Place::AtPath;
                Ok(())
            }
            Ok(Err(broken)) => Err(self.explain(&broken)),
            Err(_panic) => Err(self.damaged()),
        }
    }

    /// What its keys and values are charged.
    pub(super) fn bytes(&self) -> u64 {
        // Relaxed: written by the writer alone; to everybody else it is a statistic.
        self.bytes.load(Ordering::Relaxed)
    }

    /// To be told after each commit.
    pub(super) fn set_bytes(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// Which lists a reader sees. Read before its transaction begins.
    pub(super) fn era(&self) -> u64 {
        // Acquire, against the AcqRel of `next_era`: whoever sees the era after a commit sees the
        // commit, so that a reader with an older view holds an older era.
        self.era.load(Ordering::Acquire)
    }

    pub(super) fn next_era(&self) {
        self.era.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether the file may not grow any more.
    pub(super) fn is_full(broken: &redb::Error) -> bool {
        matches!(broken, redb::Error::Io(error) if is_full(error.kind()))
    }

    /// The sentence for what the file did.
    pub(super) fn explain(&self, broken: &redb::Error) -> CallError {
        use redb::Error as E;
        match broken {
            E::Io(error) => self.explain_io(error),
            E::DatabaseAlreadyOpen => self.says(
                "is in use by another process; stop the host that uses it, or give this one a \
                 PATH of its own",
            ),
            E::UpgradeRequired(_) => self.says("was written by an older, incompatible version"),
            E::Corrupted(_) | E::RepairAborted | E::TableTypeMismatch { .. } => self.damaged(),
            E::DatabaseClosed | E::PreviousIo => {
                self.says("could not be written lately and is being opened again; try later")
            }
            _ => self.says("cannot be used"),
        }
    }

    /// The sentence for a file that is not, or no longer, a store.
    pub(super) fn damaged(&self) -> CallError {
        self.says("is damaged or not a key-value file; restore it from a copy, or move it away")
    }

    fn explain_io(&self, error: &std::io::Error) -> CallError {
        match error.kind() {
            kind if is_full(kind) => self.says("cannot grow: the disk is full; free space there"),
            ErrorKind::ReadOnlyFilesystem => self.says("is on a disk that is mounted read-only"),
            ErrorKind::PermissionDenied => {
                self.says("may not be read and written by the host's user; change its permissions")
            }
            ErrorKind::NotFound => self.says("is gone"),
            // Making the folder finds that a file stands where it should be.
            ErrorKind::IsADirectory | ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
                self.says("is not a file in a folder; correct PATH")
            }
            ErrorKind::InvalidData | ErrorKind::UnexpectedEof => self.damaged(),
            kind => self.says(&format!("cannot be read or written ({kind})")),
        }
    }

    fn says(&self, what: &str) -> CallError {
        CallError::new(Code::Storage, format!("the key-value file {what}"))
    }

    fn try_open(&self) -> Result<Open, redb::Error> {
        let folder = folder_of(&self.path);
        std::fs::create_dir_all(folder)?;
        let is_new = !self.path.exists();
        let open = self.open_path()?;
        if is_new {
            // A new file outlives a power cut only once its folder's entry is on the disk too.
            File::open(folder)?.sync_all()?;
        }
        // A file that has everything is not written to: that it opens must not depend on room.
        if let Some(bytes) = View::whole(&open.database.begin_read()?)? {
            self.set_bytes(bytes);
            return Ok(open);
        }
        let txn = open.database.begin_write()?;
        let mut tables = Tables::open(&txn, 0, (0, self.era()))?;
        self.set_bytes(tables.count_bytes()?);
        drop(tables);
        txn.commit()?;
        Ok(open)
    }

    fn try_open_again(&self) -> Result<Open, redb::Error> {
        if !self.path.exists() {
            tracing::error!(path = %self.path(), "the key-value file is gone; a new one is begun");
            return self.try_open();
        }
        let open = self.open_path()?;
        match View::whole(&open.database.begin_read()?)? {
            Some(bytes) => self.set_bytes(bytes),
            // Somebody put another file in its place.
            None => {
                drop(open);
                return self.try_open();
            }
        }
        Ok(open)
    }

    fn open_path(&self) -> Result<Open, redb::Error> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        self.open_file(options.open(&self.path)?)
    }

    fn open_file(&self, file: File) -> Result<Open, redb::Error> {
        // A second handle of the same opening: its locks end with the last of them.
        let second = file.try_clone()?;
        let database = Builder::new().set_cache_size(self.cache_bytes).create_file(file)?;
        Ok(Open { database: Arc::new(database), file: Arc::new(second) })
    }
}

const fn is_full(kind: ErrorKind) -> bool {
    use ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(kind, StorageFull | QuotaExceeded | FileTooLarge)
}
