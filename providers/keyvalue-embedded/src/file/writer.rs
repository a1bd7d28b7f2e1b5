//! The one thread that writes: it takes all the work that waits, commits it at once, and only then
//! answers. Many callers share one `fsync`, and none of them blocks a thread of the runtime.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use redb::{Durability, WriteTransaction};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;
use trellis_core::CallError;

use super::again::Again;
use super::database::{DatabaseFile, Unopened};
use super::failure::Failure;
use super::job::{Job, Sweep};
use super::news::News;
use super::pace::Pace;
use super::place::Place;
use super::reserve::Reserve;
use super::schema::RESERVE;
use super::sentence;
use super::tables::{PIECE, Tables};
use crate::clock::Clock;
use crate::metrics::FileMetrics;

/// Most changes that join one transaction: enough to share a commit, few enough to keep answers
/// prompt.
const BATCH_MAX: usize = 512;

/// What a change that grows the file leaves free in it: enough for a change that frees space, which
/// writes some ten pages of 4KiB before it frees any. redb gives 32 pages for this.
const RESERVE_BYTES: usize = 31 * 4_096;

/// How long a file that could not be opened is left alone.
const REOPEN_AFTER: Duration = Duration::from_millis(500);

/// A reader that still holds the store that failed is waited for: how often, and how long each
/// time. Nothing can be written meanwhile.
const READER_WAITS: usize = 25;
const READER_WAIT: Duration = Duration::from_millis(20);

/// What the writer's thread owns.
pub(super) struct Writer {
    pub(super) database: Arc<DatabaseFile>,
    pub(super) jobs: mpsc::Receiver<Box<dyn Job>>,
    pub(super) clock: Arc<dyn Clock>,
    /// Committed, but not known to be on the disk.
    pub(super) unflushed: bool,
    /// Something that is gone is still to be removed, as far as is known.
    pub(super) has_remains: bool,
    /// The last transaction failed because the file may not grow.
    pub(super) is_full: bool,
    /// Changes that wait for something to be removed.
    pub(super) put_off: Vec<Box<dyn Job>>,
    pub(super) pace: Pace,
    /// When a file that could not be opened is tried again.
    pub(super) reopens_at: Instant,
    /// Why it could not be opened, as the log says already.
    pub(super) unopened: Option<CallError>,
    pub(super) writing: News,
    /// Writing the file anew.
    pub(super) anew: Again,
    /// Room on the disk for what frees space.
    pub(super) reserve: Reserve,
    pub(super) metrics: FileMetrics,
}

impl Writer {
    /// Works until the last sender is gone or a job closes the store.
    pub(super) fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        self.keep_reserve(false);
        while self.fill(&mut batch) {
            // Nothing comes after what closes the store.
            batch.sort_by_key(|job| job.closes());
            // Without any work there is something to be removed.
            loop {
                let count = self.pace.of(BATCH_MAX).min(batch.len());
                let mut part: Vec<_> = batch.drain(..count).collect();
                let committed = self.commit(&mut part);
                if let Err(failed) = &committed
                    && self.is_full
                    && self.goes_on(&mut part, &mut batch, failed)
                {
                    continue;
                }
                if self.settle(part, &committed) {
                    return;
                }
                if batch.is_empty() {
                    break;
                }
            }
            // What was lent to changes that free space, as far as it is left.
            self.keep_reserve(false);
        }
        if self.unflushed {
            let _ = self.commit(&mut [Box::new(Sweep::new(0))]);
        }
        self.database.close();
    }

    /// What to do with a `part` of the batch that found no room: all that grows the file is
    /// refused, and what frees space goes back into the batch, to be carried out without it, or in
    /// smaller parts. False when that was done already, and there are no smaller ones.
    fn goes_on(
        &mut self,
        part: &mut Vec<Box<dyn Job>>,
        batch: &mut Vec<Box<dyn Job>>,
        failed: &CallError,
    ) -> bool {
        if refuse_growth(part, failed) {
            refuse_growth(batch, failed);
        } else if !self.reserve.give_up() && !self.pace.slow_down() {
            return false;
        }
        batch.splice(..0, part.drain(..));
        true
    }

    /// Answers what was committed, or failed: true when that closed the store.
    fn settle(&mut self, part: Vec<Box<dyn Job>>, committed: &Result<(), CallError>) -> bool {
        let looks = part.iter().any(|job| job.looks());
        let (closing, others): (Vec<_>, Vec<_>) = part.into_iter().partition(|job| job.closes());
        let closes = !closing.is_empty();
        // Before the look, which takes long when the file must be written anew.
        for job in others {
            if committed.is_ok() && !closes && job.is_put_off() {
                self.put_off.push(job);
            } else {
                job.answer(committed.clone());
            }
        }
        // Also when the file failed: what it held before can be read, and is lost with the handle.
        if looks {
            self.look_at_place(closes);
            self.keep_reserve(true);
        }
        if closes {
            self.jobs.close();
            self.database.close();
        }
        closing.into_iter().for_each(|job| job.answer(committed.clone()));
        closes
    }

    /// Waits for work, and takes all there is of it: false when no more will come. While something
    /// is left to be removed there always is some.
    fn fill(&mut self, batch: &mut Vec<Box<dyn Job>>) -> bool {
        batch.append(&mut self.put_off);
        let most = batch.len() + BATCH_MAX;
        if batch.is_empty() && !self.has_remains {
            match self.jobs.blocking_recv() {
                Some(first) => batch.push(first),
                None => return false,
            }
        }
        while batch.len() < most {
            match self.jobs.try_recv() {
                Ok(job) => batch.push(job),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return !batch.is_empty(),
            }
        }
        true
    }

    /// Carries out the batch in one transaction. When the file fails, nothing of the batch stays,
    /// and the file is opened afresh: redb refuses further work on a file after a failed write.
    fn commit(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), CallError> {
        self.is_full = false;
        self.notice_cut();
        if let Some(unopened) = self.database.unopened() {
            if Instant::now() < self.reopens_at {
                return Err(unopened);
            }
            self.reopen()?;
        }
        let attempt = AssertUnwindSafe(|| self.transact(batch));
        let failed = match catch_unwind(attempt) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(broken)) => {
                self.is_full = DatabaseFile::is_full(&broken);
                self.database.explain(&broken)
            }
            Err(_panic) => self.database.damaged(),
        };
        self.metrics.failures.inc();
        if self.writing.failed(&failed, Instant::now()) {
            tracing::error!(
                path = %self.database.path().display(), error = %failed,
                "writing the key-value file failed; the same is not repeated here until it was over"
            );
        }
        self.database.fail();
        self.unflushed = false;
        // Looked for again in the next transaction, which another job begins.
        self.has_remains = false;
        // Whether that works is told by itself.
        let _ = self.reopen();
        Err(failed)
    }

    /// Lets go of a store whose file was cut short, and has it opened again: memory may hold what
    /// is not in the file any more.
    fn notice_cut(&mut self) {
        if self.database.unopened().is_some() || !self.database.is_cut_short() {
            return;
        }
        let error = sentence::cut_short();
        tracing::error!(path = %self.database.path().display(), %error, "the key-value file is opened again");
        self.database.fail();
        self.unopened = Some(error);
        self.reopens_at = Instant::now();
    }

    fn transact(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), Box<redb::Error>> {
        let database = self.database.get()?;
        let flushes = batch.iter().any(|job| job.flushes());
        let boxed = |error: redb::Error| Box::new(error);
        let mut txn = database.begin_write().map_err(|error| boxed(error.into()))?;
        let before = self.database.bytes();
        let has_remains;
        let (changed, list_removed, bytes) = {
            let (now_ms, known) = (self.clock.now_ms(), (before, self.database.era()));
            let mut tables = Tables::open(&txn, now_ms, known).map_err(boxed)?;
            tables.keep_to(self.pace);
            for job in batch.iter_mut() {
                job.run(&mut tables)?;
            }
            has_remains = match tables.remove_remains(self.pace.of(PIECE)) {
                Err(Failure::Broken(broken)) => return Err(broken),
                left => left.unwrap_or(false),
            };
            let bytes = tables.keep_bytes(before).map_err(boxed)?;
            (tables.changed(), tables.list_removed(), bytes)
        };
        if bytes > before {
            keep_reserve(&txn).map_err(boxed)?;
        }
        let must_commit = changed || (flushes && self.unflushed);
        if !must_commit {
            self.has_remains = has_remains;
            return txn.abort().map_err(|error| boxed(error.into()));
        }
        let durability = if flushes { Durability::Immediate } else { Durability::None };
        txn.set_durability(durability).map_err(|error| boxed(error.into()))?;
        if list_removed {
            self.database.next_era();
        }
        let committed = txn.commit().map_err(|error| boxed(error.into()));
        if list_removed {
            self.database.next_era();
        }
        committed?;
        self.database.set_bytes(bytes);
        self.unflushed = !flushes;
        self.has_remains = has_remains;
        self.metrics.commits.inc();
        self.metrics.changes.add(batch.len() as u64);
        if bytes > before {
            self.grew();
        } else {
            self.pace.goes_well();
        }
        Ok(())
    }

    /// There is room again; what frees space says nothing about a disk that is full.
    fn grew(&mut self) {
        self.pace = Pace::default();
        if self.writing.works(Instant::now()) {
            tracing::info!(path = %self.database.path().display(), "the key-value file can be written again");
        }
    }

    /// Looks whether the next start will find the file. One that was deleted is written anew: all
    /// of it can be read as long as it is open. Everything is on the disk when this is called. The
    /// `last` look does not wait: there will be no other.
    fn look_at_place(&mut self, last: bool) {
        let before = self.database.place();
        let place = self.database.look_at_place();
        // One that holds nothing gives way to another store.
        if place == Place::Displaced && self.database.bytes() == 0 && self.database.go_over() {
            return;
        }
        if place != before
            && place != Place::Deleted
            && let Some(ailment) = place.ailment(None)
        {
            tracing::error!(path = %self.database.path().display(), "{ailment}");
        }
        if place == Place::Deleted && (last || self.anew.is_due(Instant::now())) {
            self.write_anew();
        }
    }

    fn write_anew(&mut self) {
        let path = self.database.path();
        let path = path.display();
        match self.database.write_anew() {
            Ok(()) => {
                self.anew = Again::default();
                tracing::warn!(
                    %path,
                    "the key-value file was deleted while it is in use; it was written anew, with \
                     everything in it (to begin without, delete it while no host uses it)"
                );
            }
            Err(error) => {
                if self.anew.failed(&error, Instant::now()) {
                    tracing::error!(
                        %path, %error,
                        "the key-value file was deleted while it is in use and cannot be written \
                         anew; its keys are lost when the host stops"
                    );
                }
            }
        }
    }

    /// Sets room aside for what frees space, or takes back what is left of it.
    fn keep_reserve(&mut self, again: bool) {
        self.reserve.keep(&self.database.path(), again);
    }

    fn reopen(&mut self) -> Result<(), CallError> {
        let mut opened = self.database.open_again();
        for _ in 0..READER_WAITS {
            if !matches!(opened, Err(Unopened::InUse(_))) {
                break;
            }
            std::thread::park_timeout(READER_WAIT);
            opened = self.database.open_again();
        }
        let path = self.database.path();
        let path = path.display();
        let Err(unopened) = opened else {
            if self.unopened.take().is_some() {
                tracing::info!(%path, "the key-value file can be opened again");
            }
            return Ok(());
        };
        self.reopens_at = Instant::now() + REOPEN_AFTER;
        let error = unopened.error();
        if self.unopened.as_ref() != Some(error) {
            tracing::error!(%path, %error, "opening the key-value file again failed");
            self.unopened = Some(error.clone());
        }
        Err(error.clone())
    }
}

/// Refuses what needs more space than there is: true when there was any.
fn refuse_growth(jobs: &mut Vec<Box<dyn Job>>, failed: &CallError) -> bool {
    let before = jobs.len();
    for job in jobs.extract_if(.., |job| !job.frees()) {
        job.answer(Err(failed.clone()));
    }
    jobs.len() < before
}

/// Makes sure that the file still has room for transactions that free space: what grows it is
/// refused before nothing else is possible. The room is taken and given back at once, so that it is
/// never written; blocks of the disk are set aside by [`Reserve`].
fn keep_reserve(txn: &WriteTransaction) -> Result<(), redb::Error> {
    txn.open_table(RESERVE)?.insert((), &[0; RESERVE_BYTES][..])?;
    txn.delete_table(RESERVE)?;
    Ok(())
}

#[cfg(test)]
mod tests;
