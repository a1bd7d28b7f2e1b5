//! The store in a file: redb transactions, one writer, readers beside it.

mod again;
mod anew;
mod backend;
mod database;
mod failure;
mod first;
mod found;
mod job;
mod news;
mod open;
mod operations;
mod pace;
mod pages;
mod place;
mod remains;
mod reserve;
mod room;
mod schema;
mod sentence;
mod store;
mod survey;
mod tables;
mod unwritten;
mod users;
mod view;
mod whole;
mod work;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::ReadableDatabase;
use tokio::sync::oneshot;
use trellis_capabilities_keyvalue::Bounds;
use trellis_core::CallError;

use crate::clock::Clock;
use crate::metrics::FileMetrics;
use crate::namespace::Namespace;
use crate::refusal::{self, stopped};
use failure::Failure;
use job::{Change, Sweep};
use open::OpenFile;
pub(crate) use survey::{Seen, survey};
use tables::{SWEPT_MAX, Tables};
use view::View;
use work::Work;

/// One provider's way to a file, which others may use as well.
pub(crate) struct FileStore {
    file: Arc<OpenFile>,
    path: Arc<Path>,
    /// It was closed, or is being closed.
    closed: AtomicBool,
    clock: Arc<dyn Clock>,
    bounds: Bounds,
    bytes_max: u64,
    immediate: bool,
}

/// How a file is kept.
pub(crate) struct FileConfig {
    pub(crate) path: PathBuf,
    /// Memory for pages of the file.
    pub(crate) cache_bytes: usize,
    /// Whether a change is on the disk before it is answered, or at most a second later.
    pub(crate) immediate: bool,
    /// Most bytes of keys and values.
    pub(crate) bytes_max: u64,
    pub(crate) bounds: Bounds,
}

impl FileStore {
    /// Opens or makes the file and starts its writer, unless it is open in this process already.
    ///
    /// # Errors
    /// [`trellis_core::Code::Storage`] when the file cannot be opened, naming what is wrong with
    /// it.
    pub(crate) async fn open(config: FileConfig, clock: Arc<dyn Clock>) -> Result<Self, CallError> {
        let FileConfig { path, cache_bytes, immediate, bytes_max, bounds } = config;
        let path = Arc::from(path);
        let file = OpenFile::open(&path, cache_bytes, &clock).await?;
        let closed = AtomicBool::new(false);
        Ok(Self { file, path, closed, clock, bounds, bytes_max, immediate })
    }

    /// Removes expired keys and takes what was written to the disk.
    pub(crate) fn sweep(&self) {
        // When the queue is full the writer is busy anyway; the next sweep comes in a second.
        let _ = self.file.jobs.try_send(Box::new(Sweep::new(SWEPT_MAX)));
    }

    /// Why it is not well, and what to do; `None` when it is.
    pub(crate) fn ailment(&self) -> Option<String> {
        self.file.database.ailment()
    }

    /// What sets a namespace of this file apart from every other one.
    fn identity(&self, space: &Namespace) -> String {
        format!("file {:p} {}", Arc::as_ptr(&self.file), space.name)
    }

    /// What its keys and values are charged.
    pub(crate) fn bytes(&self) -> u64 {
        self.file.database.bytes()
    }

    /// Memory for pages of the file, as it was opened.
    pub(crate) fn cache_bytes(&self) -> u64 {
        self.file.database.cache_bytes() as u64
    }

    /// What the file's writer counts.
    pub(crate) fn metrics(&self) -> &FileMetrics {
        &self.file.metrics
    }

    /// Carries out what waits, then closes the file, if nobody else uses it. To repeat it does
    /// nothing; to be cut does not stop it.
    pub(crate) async fn close(&self) {
        // Relaxed: only that one of several goes on matters.
        if !self.closed.swap(true, Ordering::Relaxed) {
            Arc::clone(&self.file).close(Arc::clone(&self.path)).await;
        }
    }

    /// Has the writer carry out a change; answers after its commit. A change that must wait for
    /// something to be removed first is run again then.
    async fn write<T, F>(&self, operation: F) -> Result<T, CallError>
    where
        T: Send + 'static,
        F: FnMut(&mut Tables<'_>, &mut Work) -> Result<T, Failure> + Send + 'static,
    {
        self.change(operation, false).await
    }

    /// The same for a change that takes from what is kept and adds nothing: a full disk does not
    /// stop it. It may be run again after a transaction that failed.
    async fn free<T, F>(&self, operation: F) -> Result<T, CallError>
    where
        T: Send + 'static,
        F: FnMut(&mut Tables<'_>, &mut Work) -> Result<T, Failure> + Send + 'static,
    {
        self.change(operation, true).await
    }

    async fn change<T, F>(&self, operation: F, frees: bool) -> Result<T, CallError>
    where
        T: Send + 'static,
        F: FnMut(&mut Tables<'_>, &mut Work) -> Result<T, Failure> + Send + 'static,
    {
        let (_waiting, work) = Work::new(self.bounds.tally());
        let (reply, answered) = oneshot::channel();
        let flushes = self.immediate;
        let (outcome, put_off) = (None, false);
        let change = Change { operation, work, flushes, frees, outcome, put_off, reply };
        self.file.jobs.send(Box::new(change)).await.map_err(stopped)?;
        answered.await.map_err(stopped)?
    }

    /// Looks at the file as of the last commit.
    async fn read<T, F>(&self, operation: F) -> Result<T, CallError>
    where
        T: Send + 'static,
        F: FnOnce(&View, &mut Work) -> Result<T, Failure> + Send + 'static,
    {
        let place = Arc::clone(&self.file.readers).acquire_owned().await.map_err(stopped)?;
        let (_waiting, mut work) = Work::new(self.bounds.tally());
        let database = Arc::clone(&self.file.database);
        let now_ms = self.clock.now_ms();
        let look = move || {
            let _place = place;
            let looked = (|| {
                let open = database.get()?;
                let era = database.era();
                let txn = open.begin_read().map_err(redb::Error::from)?;
                operation(&View::open(&txn, now_ms, era)?, &mut work)
            })();
            looked.map_err(|failure| match failure {
                Failure::Refused(refused) => refused,
                // Nothing is in a reader's way.
                Failure::Later => refusal::always_changing(),
                Failure::Broken(broken) => database.explain(&broken),
            })
        };
        // The one error is a panic of redb's or a runtime that ends: neither may end the host.
        tokio::task::spawn_blocking(look).await.map_err(|_| self.file.database.damaged())?
    }
}

impl Drop for FileStore {
    fn drop(&mut self) {
        if !*self.closed.get_mut() {
            self.file.leave(&self.path);
        }
    }
}

#[cfg(test)]
mod tests;
