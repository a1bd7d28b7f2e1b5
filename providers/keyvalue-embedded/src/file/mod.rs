//! The store in a file: redb transactions, one writer, readers beside it.

mod failure;
mod job;
mod operations;
mod shelf;
mod tables;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use redb::ReadableDatabase;
use tokio::sync::{mpsc, oneshot};
use trellis_core::{CallError, Code};

use crate::clock::Clock;
use crate::metrics::Metrics;
use failure::Failure;
use job::{Change, Close, Job, Sweep};
use shelf::Shelf;
use tables::{Tables, View};
use writer::Writer;

/// Most changes waiting for the writer; a caller over that waits for room, until its deadline.
const WAITING_MAX: usize = 1_024;

/// Most expired keys one sweep removes.
const SWEPT_MAX: usize = 1_024;

/// All keys of all namespaces, in one file.
pub(crate) struct FileStore {
    shelf: Arc<Shelf>,
    jobs: mpsc::Sender<Box<dyn Job>>,
    clock: Arc<dyn Clock>,
}

/// How a file is kept.
pub(crate) struct FileConfig {
    pub(crate) path: PathBuf,
    /// Memory for pages of the file.
    pub(crate) cache_bytes: usize,
    /// Whether a change is on the disk before it is answered, or at most a second later.
    pub(crate) immediate: bool,
}

impl FileStore {
    /// Opens or makes the file and starts its writer.
    ///
    /// # Errors
    /// [`Code::Storage`] when the file cannot be opened, naming what is wrong with it.
    pub(crate) async fn open(
        config: FileConfig,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
    ) -> Result<Self, CallError> {
        let shelf = Arc::new(Shelf::new(config.path, config.cache_bytes));
        let opening = Arc::clone(&shelf);
        tokio::task::spawn_blocking(move || opening.open()).await.map_err(stopped)??;
        let (jobs, receiver) = mpsc::channel(WAITING_MAX);
        let writer = Writer {
            shelf: Arc::clone(&shelf),
            jobs: receiver,
            clock: Arc::clone(&clock),
            immediate: config.immediate,
            unflushed: false,
            opened_last: Instant::now(),
            metrics,
        };
        std::thread::Builder::new()
            .name("keyvalue-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| {
                CallError::new(Code::Storage, format!("no thread for the key-value file: {error}"))
            })?;
        Ok(Self { shelf, jobs, clock })
    }

    /// Removes expired keys and takes what was written to the disk.
    pub(crate) fn sweep(&self) {
        // When the queue is full the writer is busy anyway; the next sweep comes in a second.
        let _ = self.jobs.try_send(Box::new(Sweep(SWEPT_MAX)));
    }

    /// True while the file is open.
    pub(crate) fn is_open(&self) -> bool {
        !self.shelf.is_empty()
    }

    /// Carries out what waits, then closes the file.
    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.jobs.send(Box::new(Close(done))).await.is_ok() {
            let _ = closed.await;
        }
    }

    /// Has the writer carry out a change; answers after its commit.
    async fn write<T, F>(&self, operation: F) -> Result<T, CallError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tables<'_>) -> Result<T, Failure> + Send + 'static,
    {
        let (reply, answered) = oneshot::channel();
        let job = Box::new(Change::new(operation, reply));
        self.jobs.send(job).await.map_err(stopped)?;
        answered.await.map_err(stopped)?
    }

    /// Looks at the file as of the last commit.
    async fn read<T, F>(&self, operation: F) -> Result<T, CallError>
    where
        T: Send + 'static,
        F: FnOnce(&View) -> Result<T, Failure> + Send + 'static,
    {
        let shelf = Arc::clone(&self.shelf);
        let now_ms = self.clock.now_ms();
        let look = move || {
            let looked = (|| {
                let database = shelf.get()?;
                let txn = database.begin_read().map_err(redb::Error::from)?;
                operation(&View::open(&txn, now_ms)?)
            })();
            looked.map_err(|failure| match failure {
                Failure::Refused(refused) => refused,
                Failure::Broken(broken) => shelf.explain(&broken),
            })
        };
        // The one error is a panic of redb's or a runtime that ends: neither may end the host.
        tokio::task::spawn_blocking(look).await.map_err(|_| self.shelf.damaged())?
    }
}

fn stopped<E>(_: E) -> CallError {
    CallError::new(Code::Stopping, "the key-value store is being closed")
}
