//! Files that are open in this process: a file has one database and one writer, however many
//! providers use it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc, oneshot};
use trellis_core::{CallError, Code};

use super::again::Again;
use super::database::{DatabaseFile, Unopened};
use super::job::{Close, Job};
use super::news::News;
use super::pace::Pace;
use super::place::{identity_at, true_path};
use super::reserve::Reserve;
use super::sentence;
use super::users::Way;
use super::writer::Writer;
use crate::clock::Clock;
use crate::metrics::FileMetrics;
use crate::refusal::stopped;

/// Most changes waiting for the writer; a caller over that waits for room, until its deadline.
const WAITING_MAX: usize = 1_024;

/// Readers at once for each core: enough that one waits for the disk while another works, too few
/// to take the machine from everybody else. More wait, until their deadline.
const READERS_PER_CORE: usize = 4;

/// How long a file that somebody else still holds is waited for: a reader that ends, or a host that
/// stops while its successor starts.
const OPEN_WAIT_MAX: Duration = Duration::from_secs(5);
/// How often it is tried meanwhile.
const OPEN_RETRY_EVERY: Duration = Duration::from_millis(20);

/// A file, its writer and its readers' places.
pub(super) struct OpenFile {
    pub(super) database: Arc<DatabaseFile>,
    pub(super) jobs: mpsc::Sender<Box<dyn Job>>,
    pub(super) readers: Arc<Semaphore>,
    pub(super) metrics: FileMetrics,
    place: Arc<Place>,
}

/// Held while a file is opened or closed, one after the other.
type Place = tokio::sync::Mutex<()>;

/// By the true path at which a file was opened; as many as the manifests ever wrote.
static PLACES: LazyLock<Mutex<HashMap<PathBuf, Arc<Place>>>> = LazyLock::new(Mutex::default);

/// The files that are open in this process.
static OPEN: Mutex<Vec<Weak<OpenFile>>> = Mutex::new(Vec::new());

impl OpenFile {
    /// The file at `path`: the one that is open already, by whatever name, or else opened or made
    /// now. The size of the cache is that of whoever opened it first, which others are told. A
    /// file that somebody else still holds is waited for.
    ///
    /// # Errors
    /// [`Code::Storage`] when the file cannot be opened, naming what is wrong with it.
    pub(super) async fn open(
        path: &Arc<Path>,
        cache_bytes: usize,
        clock: &Arc<dyn Clock>,
    ) -> Result<Arc<Self>, CallError> {
        let until = Instant::now() + OPEN_WAIT_MAX;
        loop {
            match Self::try_open(path, cache_bytes, clock).await {
                Ok(open) => return Ok(open),
                Err(Unopened::InUse(_)) if Instant::now() < until => {
                    tokio::time::sleep(OPEN_RETRY_EVERY).await;
                }
                Err(Unopened::InUse(error) | Unopened::Unusable(error)) => return Err(error),
            }
        }
    }

    async fn try_open(
        path: &Arc<Path>,
        cache_bytes: usize,
        clock: &Arc<dyn Clock>,
    ) -> Result<Arc<Self>, Unopened> {
        let (way, known) = aside(path, found).await?;
        let place = match known {
            Some(open) => Arc::clone(&open.place),
            None => Arc::clone(PLACES.lock().entry(way.true_path).or_default()),
        };
        let _held = place.lock().await;
        // Others may have opened, closed or moved it before the place was free.
        let (way, known) = aside(path, found).await?;
        if let Some(open) = known {
            if !Arc::ptr_eq(&open.place, &place) {
                return Err(Unopened::InUse(sentence::in_use()));
            }
            open.database.users.join(way);
            // It may be where it should be by this way, though by the others it is not.
            let database = Arc::clone(&open.database);
            aside(path, move |_| database.look_at_place()).await?;
            open.database.tell_of_other_cache(cache_bytes);
            return Ok(open);
        }
        let database = Arc::new(DatabaseFile::new(way, cache_bytes));
        let opening = Arc::clone(&database);
        let opened = tokio::task::spawn_blocking(move || opening.open()).await;
        opened.map_err(|error| Unopened::Unusable(stopped(error)))??;
        let open = Self::begin(database, Arc::clone(&place), clock).map_err(Unopened::Unusable)?;
        let mut all = OPEN.lock();
        all.retain(|open| open.strong_count() > 0);
        all.push(Arc::downgrade(&open));
        Ok(open)
    }

    /// Starts the writer of a file that was opened.
    fn begin(
        database: Arc<DatabaseFile>,
        place: Arc<Place>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Arc<Self>, CallError> {
        let (jobs, receiver) = mpsc::channel(WAITING_MAX);
        let metrics = FileMetrics::default();
        let writer = Writer {
            database: Arc::clone(&database),
            jobs: receiver,
            clock: Arc::clone(clock),
            unflushed: false,
            // What a host left that ended before all was removed is found with the first change or
            // sweep.
            has_remains: false,
            is_full: false,
            put_off: Vec::new(),
            pace: Pace::default(),
            reopens_at: Instant::now(),
            unopened: None,
            writing: News::default(),
            anew: Again::default(),
            reserve: Reserve::default(),
            metrics: metrics.clone(),
        };
        std::thread::Builder::new()
            .name("keyvalue-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| {
                CallError::new(Code::Storage, format!("no thread for the key-value file: {error}"))
            })?;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let readers = Arc::new(Semaphore::new(READERS_PER_CORE * cores));
        Ok(Arc::new(Self { database, jobs, readers, metrics, place }))
    }

    /// Lets go of the file. The last provider that does carries out what waits and closes it. Once
    /// begun it goes on to its end, whether or not anybody waits: half of it would leave the file
    /// open for nobody.
    pub(super) async fn close(self: Arc<Self>, path: Arc<Path>) {
        let closing = tokio::spawn(async move {
            let _held = self.place.lock().await;
            if !self.database.users.leave(&path) {
                return;
            }
            let (done, closed) = oneshot::channel();
            if self.jobs.send(Box::new(Close(done))).await.is_ok() {
                let _ = closed.await;
            }
        });
        let _ = closing.await;
    }

    /// Lets go of the file without a word. When nobody uses it any more, the writer ends by itself.
    pub(super) fn leave(&self, path: &Path) {
        // Without the place's lock: whoever opens the file meanwhile is counted as well, and then
        // the file stays open.
        self.database.users.leave(path);
    }
}

/// Where a path leads, and the file there if it is open: the very same one, whatever it was opened
/// as, or else the one that belongs there. Blocks.
fn found(path: &Arc<Path>) -> (Way, Option<Arc<OpenFile>>) {
    let true_path = true_path(path);
    let all: Vec<_> = OPEN.lock().iter().filter_map(Weak::upgrade).collect();
    let used = || all.iter().filter(|open| open.database.users.are_any());
    // Only the path is looked at: a disk that hangs under another file is no concern of this one.
    let there = identity_at(&true_path);
    let same = used().find(|open| there.is_some_and(|there| open.database.is(there)));
    let known = same.or_else(|| used().find(|open| open.database.users.came_by(&true_path)));
    let known = known.map(Arc::clone);
    (Way { path: Arc::clone(path), true_path }, known)
}

/// Looks at a path on a thread that may block.
async fn aside<T: Send + 'static>(
    path: &Arc<Path>,
    look: impl FnOnce(&Arc<Path>) -> T + Send + 'static,
) -> Result<T, Unopened> {
    let path = Arc::clone(path);
    let looked = tokio::task::spawn_blocking(move || look(&path)).await;
    looked.map_err(|error| Unopened::Unusable(stopped(error)))
}
