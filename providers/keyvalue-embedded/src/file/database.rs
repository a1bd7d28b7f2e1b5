//! The open file, for the writer and every reader, and the sentences for what it did.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use redb::Database;
use trellis_core::CallError;

use super::anew::{remove_left_copies, write_anew};
use super::backend::Imprint;
use super::first::First;
use super::place::{
    Identity, Place, another_handle, folder_of, identity_of, leads_nowhere, place_of, true_path,
};
use super::sentence;
use super::store::Store;
use super::survey::rehearse;
use super::users::{Users, Way};

/// The file, open unless it failed.
pub(super) struct DatabaseFile {
    /// By which paths it is used.
    pub(super) users: Users,
    cache_bytes: usize,
    state: Mutex<State>,
    /// What its keys and values are charged, as of the last commit.
    bytes: AtomicU64,
    /// Another one before and after each commit in which a list was removed whole: what a reader
    /// found in a list may then be in another one.
    era: AtomicU64,
}

/// What is open of the file.
#[derive(Default)]
struct State {
    /// The store; none while it cannot be opened after it failed, and once it is closed.
    database: Option<Arc<Database>>,
    /// The file beneath, from its first opening until it is closed. What was deleted or moved lives
    /// as long as a handle of it, so this one stays when the store fails. It takes no part in the
    /// store's locks.
    file: Option<Arc<File>>,
    /// What tells that file from others, known without a look at it: its disk may hang.
    identity: Option<Identity>,
    /// Where the file was when that was looked at last.
    place: Place,
    /// The store that failed, which readers may still hold.
    failed: Weak<Database>,
    /// Why there is no store.
    unopened: Option<CallError>,
    /// Why a file that was deleted could not be written anew.
    unwritten: Option<CallError>,
    /// What the store knows of the file.
    imprint: Option<Arc<Imprint>>,
}

/// The file, opened.
struct Open {
    store: Store,
    file: File,
}

/// Why the file could not be opened.
pub(super) enum Unopened {
    /// Somebody else holds it, for now.
    InUse(CallError),
    /// It cannot be used.
    Unusable(CallError),
}

impl Unopened {
    pub(super) const fn error(&self) -> &CallError {
        match self {
            Self::InUse(error) | Self::Unusable(error) => error,
        }
    }
}

impl DatabaseFile {
    pub(super) fn new(way: Way, cache_bytes: usize) -> Self {
        Self {
            users: Users::one(way),
            cache_bytes,
            state: Mutex::default(),
            bytes: AtomicU64::new(0),
            era: AtomicU64::new(0),
        }
    }

    /// Opens the file, making it and its folder when they are missing, and makes sure that it can
    /// be written. Blocks.
    ///
    /// # Errors
    /// [`trellis_core::Code::Storage`] naming what is wrong with the file.
    pub(super) fn open(&self) -> Result<(), Unopened> {
        if leads_nowhere(&self.path()) {
            return Err(Unopened::Unusable(sentence::leads_nowhere()));
        }
        let open = self.guarded(|| self.try_open())?;
        self.goes_on_with(open);
        Ok(())
    }

    /// Opens a file that was open before and failed: the very same one, wherever it is by now, and
    /// never a new one in its place. It is not written to: that it can be read again must not
    /// depend on room. When it is no store any more, and somebody put one where it should be, that
    /// one is opened. Blocks.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(super) fn open_again(&self) -> Result<(), Unopened> {
        let Some(file) = self.state.lock().file.clone() else { return Ok(()) };
        let known = || Store::known_in(another_handle(&file, &self.path())?, self.cache_bytes);
        let opened = self.guarded(known);
        if let Err(Unopened::Unusable(error)) = &opened
            && sentence::is_damage(error)
            && self.go_over()
        {
            return Ok(());
        }
        let mut state = self.state.lock();
        match opened {
            Ok(Store { database, imprint, bytes }) => {
                (state.database, state.imprint) = (Some(Arc::new(database)), Some(imprint));
                state.unopened = None;
                self.set_bytes(bytes);
                Ok(())
            }
            Err(unopened) => {
                let by_reader =
                    matches!(unopened, Unopened::InUse(_)) && state.failed.strong_count() > 0;
                state.unopened = (!by_reader).then(|| unopened.error().clone());
                Err(unopened)
            }
        }
    }

    /// Goes on with another store that was put where the file should be: for its writer, when the
    /// file holds nothing that would be missed. False when there is none. Blocks.
    pub(super) fn go_over(&self) -> bool {
        let Some(file) = self.state.lock().file.clone() else { return false };
        let path = self.path();
        if !matches!(place_of(&file, &path), Ok(Place::Displaced)) {
            return false;
        }
        let found = self.guarded(|| {
            let there = First::of_found(&path)?;
            // Somebody may be writing it still: nothing is written into what is not whole.
            rehearse(another_handle(&there, &path)?)?;
            let file = another_handle(&there, &path)?;
            Ok(Open { store: Store::found_in(there, self.cache_bytes)?, file })
        });
        let Ok(found) = found else { return false };
        self.goes_on_with(found);
        // No place that a reader found is one of this store.
        self.next_era();
        tracing::info!(
            path = %path.display(), bytes = self.bytes(),
            "the key-value file that was put at its PATH is used from now on"
        );
        true
    }

    fn goes_on_with(&self, Open { store: Store { database, imprint, bytes }, file }: Open) {
        self.set_bytes(bytes);
        let identity = identity_of(&file);
        let (database, file) = (Some(Arc::new(database)), Some(Arc::new(file)));
        let now = State { database, file, identity, imprint: Some(imprint), ..State::default() };
        let before = std::mem::replace(&mut *self.state.lock(), now);
        // Closing a damaged file may panic, and nobody else need wait for it.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(before)));
    }

    fn guarded<T>(&self, open: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, Unopened> {
        match catch_unwind(AssertUnwindSafe(open)) {
            Ok(Ok(open)) => Ok(open),
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
                path = %self.path().display(),
                wanted,
                in_force = self.cache_bytes,
                "CACHE of a key-value file is not changed while the file is open; it takes effect \
                 with the next start of the host"
            );
        }
    }

    /// The file's path. It is told by the log alone: errors reach guests.
    pub(super) fn path(&self) -> Arc<Path> {
        self.users.path()
    }

    /// True when the open file is that one.
    pub(super) fn is(&self, identity: Identity) -> bool {
        self.state.lock().identity == Some(identity)
    }

    /// Why there is no store, when there is none.
    pub(super) fn unopened(&self) -> Option<CallError> {
        let state = self.state.lock();
        if state.database.is_some() {
            return None;
        }
        Some(state.unopened.clone().unwrap_or_else(sentence::lately))
    }

    /// What is wrong, and what to do; `None` when nothing is.
    pub(super) fn ailment(&self) -> Option<String> {
        let unopened = self.unopened().map(|why| why.message().to_owned());
        let state = self.state.lock();
        // Whatever is at the path of a store that is none any more is what it is to be restored
        // from.
        let is_gone = state.unopened.as_ref().is_some_and(sentence::is_damage);
        let place = Some(state.place).filter(|place| !(is_gone && *place == Place::Displaced));
        let misplaced = place.and_then(|place| place.ailment(state.unwritten.as_ref()));
        match (unopened, misplaced) {
            (Some(unopened), Some(misplaced)) => Some(format!("{unopened}; {misplaced}")),
            (unopened, misplaced) => unopened.or(misplaced),
        }
    }

    /// Lets go of a store that failed; it closes when the last reader is done. Its file is held on
    /// to, to be opened again.
    pub(super) fn fail(&self) {
        let database = {
            let mut state = self.state.lock();
            state.failed = state.database.as_ref().map_or_else(Weak::new, Arc::downgrade);
            state.database.take()
        };
        // Closing a damaged file may panic as well.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(database)));
    }

    /// True when another program cut the file short, or wrote over it, since the store in it was
    /// opened. Blocks.
    pub(super) fn is_cut_short(&self) -> bool {
        let state = self.state.lock();
        let known = state.file.clone().zip(state.imprint.clone());
        drop(state);
        // A disk that says nothing leaves what is known.
        known.is_some_and(|(file, imprint)| {
            let bytes = file.metadata().map_or(u64::MAX, |about| about.len());
            imprint.is_foreign(bytes, |head| file.read_exact_at(head, 0))
        })
    }

    /// Lets go of the store and of its file.
    pub(super) fn close(&self) {
        self.fail();
        *self.state.lock() = State::default();
    }

    pub(super) fn get(&self) -> Result<Arc<Database>, Box<redb::Error>> {
        let database = self.state.lock().database.clone();
        database.ok_or_else(|| Box::new(redb::Error::DatabaseClosed))
    }

    /// Where the open file was when that was looked at last.
    pub(super) fn place(&self) -> Place {
        self.state.lock().place
    }

    /// Looks at where the open file is: where one of its users wants it, or else what became of
    /// the newest one's path. Blocks.
    pub(super) fn look_at_place(&self) -> Place {
        let file = self.state.lock().file.clone();
        let Some(file) = file else { return self.place() };
        let paths = self.users.paths();
        // A disk that says nothing leaves what is known.
        let places = || paths.iter().filter_map(|path| place_of(&file, path).ok());
        let place = places().find(|place| *place == Place::AtPath).or_else(|| places().next());
        if let Some(place) = place {
            self.state.lock().place = place;
        }
        self.place()
    }

    /// Writes a file that was deleted anew, and goes on with the copy: for its writer, when all of
    /// it is on the disk. Readers end with what they have. Blocks.
    ///
    /// # Errors
    /// Why that could not be done; what is open stays open.
    pub(super) fn write_anew(&self) -> Result<(), CallError> {
        let Some(file) = self.state.lock().file.clone() else { return Ok(()) };
        let anew = self.guarded(|| {
            if self.is_cut_short() {
                return Err(redb::Error::Io(ErrorKind::UnexpectedEof.into()));
            }
            let path = self.path();
            let copy = write_anew(&file, &path)?;
            let file = another_handle(&copy, &path)?;
            Ok(Open { store: Store::known_in(copy, self.cache_bytes)?, file })
        });
        match anew {
            Ok(anew) => {
                self.goes_on_with(anew);
                Ok(())
            }
            Err(Unopened::InUse(error) | Unopened::Unusable(error)) => {
                self.state.lock().unwritten = Some(error.clone());
                Err(error)
            }
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
        matches!(broken, redb::Error::Io(error) if sentence::is_full(error.kind()))
    }

    /// The sentence for what the file did.
    pub(super) fn explain(&self, broken: &redb::Error) -> CallError {
        use redb::Error as E;
        match broken {
            E::Io(_) if self.is_cut_short() => sentence::cut_short(),
            E::Corrupted(_) | E::RepairAborted | E::TableTypeMismatch { .. } => self.damaged(),
            E::DatabaseClosed | E::PreviousIo => self.unopened().unwrap_or_else(sentence::lately),
            other => sentence::of_store(other),
        }
    }

    /// The sentence for a file that is not, or no longer, a store.
    pub(super) fn damaged(&self) -> CallError {
        if self.is_cut_short() { sentence::cut_short() } else { sentence::damaged() }
    }

    fn try_open(&self) -> Result<Open, redb::Error> {
        let path = true_path(&self.path());
        let folder = folder_of(&path);
        std::fs::create_dir_all(folder)?;
        let first = First::open(&path)?;
        match Store::begin_in(first.file.try_clone()?, self.cache_bytes) {
            Ok(store) => {
                if first.is_new {
                    tracing::info!(path = %path.display(), "made a new, empty key-value file");
                    // It outlives a power cut only once its folder's entry is on the disk too.
                    File::open(folder)?.sync_all()?;
                }
                // What a host left that was killed; the store is ours by now.
                remove_left_copies(&path);
                let file = another_handle(&first.file, &path)?;
                Ok(Open { store, file })
            }
            Err(error) => {
                first.leave_as_it_was(&path);
                Err(error)
            }
        }
    }
}
