//! Files that are open in this process: a file has one database and one writer, however many
//! providers use it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc, oneshot};
use trellis_core::{CallError, Code};

use super::database::{DatabaseFile, Unopened};
use super::job::{Close, Job};
use super::news::News;
use super::pace::Pace;
use super::place::true_path;
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
    /// How many providers have opened and not closed it.
    users: AtomicUsize,
    place: Arc<Place>,
}

/// Where a file is opened and closed, one after the other.
type Place = tokio::sync::Mutex<Weak<OpenFile>>;

/// By the file's true path; as many as the manifests ever wrote.
static PLACES: LazyLock<Mutex<HashMap<PathBuf, Arc<Place>>>> = LazyLock::new(Mutex::default);

impl OpenFile {
    /// The file at `path`: the one that is open already, or else opened or made now. The size of
    /// the cache is that of whoever opened it first, which others are told.
    ///
    /// # Errors
    /// [`Code::Storage`] when the file cannot be opened, naming what is wrong with it.
    pub(super) async fn open(
        path: PathBuf,
        cache_bytes: usize,
        clock: &Arc<dyn Clock>,
    ) -> Result<Arc<Self>, CallError> {
        let known = path.clone();
        let known = tokio::task::spawn_blocking(move || true_path(&known)).await;
        let place = Arc::clone(PLACES.lock().entry(known.map_err(stopped)?).or_default());
        let mut held = place.lock().await;
        if let Some(open) = held.upgrade()
            && open.users.load(Ordering::Relaxed) > 0
        {
            // Relaxed, here and below: whether to close the file is decided under the place's lock.
            open.users.fetch_add(1, Ordering::Relaxed);
            open.database.tell_of_other_cache(cache_bytes);
            return Ok(open);
        }
        let database = Arc::new(DatabaseFile::new(path, cache_bytes));
        open_patiently(&database).await?;
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
            anew_last: None,
            metrics: metrics.clone(),
        };
        std::thread::Builder::new()
            .name("keyvalue-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| {
                CallError::new(Code::Storage, format!("no thread for the key-value file: {error}"))
            })?;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let open = Arc::new(Self {
            database,
            jobs,
            readers: Arc::new(Semaphore::new(READERS_PER_CORE * cores)),
            metrics,
            users: AtomicUsize::new(1),
            place: Arc::clone(&place),
        });
        *held = Arc::downgrade(&open);
        Ok(open)
    }

    /// Lets go of the file. The last provider that does carries out what waits and closes it. Once
    /// begun it goes on to its end, whether or not anybody waits: half of it would leave the file
    /// open for nobody.
    pub(super) async fn close(self: Arc<Self>) {
        let closing = tokio::spawn(async move {
            let _held = self.place.lock().await;
            if self.users.fetch_sub(1, Ordering::Relaxed) > 1 {
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
    pub(super) fn leave(&self) {
        // Without the place's lock: whoever opens the file meanwhile counts itself in as well, and
        // then the file stays open.
        self.users.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Opens the file; waits a while when somebody else holds it.
async fn open_patiently(database: &Arc<DatabaseFile>) -> Result<(), CallError> {
    let until = Instant::now() + OPEN_WAIT_MAX;
    loop {
        let opening = Arc::clone(database);
        let opened = tokio::task::spawn_blocking(move || opening.open()).await;
        match opened.map_err(stopped)? {
            Ok(()) => return Ok(()),
            Err(Unopened::Unusable(error)) => return Err(error),
            Err(Unopened::InUse(error)) if Instant::now() >= until => return Err(error),
            Err(Unopened::InUse(_)) => tokio::time::sleep(OPEN_RETRY_EVERY).await,
        }
    }
}
