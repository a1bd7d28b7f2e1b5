//! Which files are being read, and by how many threads. A disk that hangs keeps each thread that
//! reads from it. So the number of these threads must not grow with every attempt, and they must
//! not keep files on other disks from being read.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use trellis_core::{CallError, Code};
use trellis_limits::fixed::FILES_HUNG;

use crate::reference::Reference;

/// How many threads may read, all lists together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Most threads that read at once and do not hang.
    reading_max: usize,
    /// Most threads that hang; these are not counted in `reading_max`.
    hung_max: usize,
    /// A thread that has been reading one file for this long counts as hanging until it is done.
    hung_after: Duration,
}

/// Many times what one list takes, and both together few beside the runtime's threads that may
/// block.
const BOUNDS: Bounds = Bounds {
    reading_max: 64,
    hung_max: FILES_HUNG.default as usize,
    hung_after: Duration::from_secs(2),
};

/// The artifacts that are being read, each by one thread at a time. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Readers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    now: Mutex<Now>,
    /// An artifact was read, or a thread ended: whoever waits looks again.
    ended: Notify,
    /// Lists and files that were refused because too many hang.
    refused: AtomicU64,
    bounds: Bounds,
}

#[derive(Default, Debug)]
struct Now {
    /// Each on a thread.
    under_way: HashMap<Reference, Instant>,
    threads: usize,
}

/// The right to read one artifact; it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    readers: Readers,
    reference: Reference,
}

/// The right to a thread; it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Thread(Readers);

impl Default for Readers {
    fn default() -> Self {
        Self::within(BOUNDS)
    }
}

impl Readers {
    fn within(bounds: Bounds) -> Self {
        let (now, refused) = (Mutex::default(), AtomicU64::new(0));
        Self(Arc::new(Shared { now, ended: Notify::new(), refused, bounds }))
    }

    /// The turn to read an artifact, for somebody on a thread; `None` while somebody else has it.
    pub(crate) fn begin(&self, reference: &Reference) -> Option<Turn> {
        match self.0.now.lock().under_way.entry(reference.clone()) {
            Entry::Occupied(_) => None,
            Entry::Vacant(free) => {
                free.insert(Instant::now());
                Some(Turn { readers: self.clone(), reference: reference.clone() })
            }
        }
    }

    /// Waits for the turn to read an artifact, and for a thread to read it on. Takes no thread
    /// while another caller reads the artifact.
    ///
    /// # Errors
    /// As [`threads`](Self::threads).
    pub(crate) async fn turn(
        &self,
        reference: &Reference,
    ) -> Result<(Turn, Vec<Thread>), CallError> {
        loop {
            let mut ended = std::pin::pin!(self.ended());
            ended.as_mut().enable();
            if self.0.now.lock().under_way.contains_key(reference) {
                ended.await;
                continue;
            }
            let threads = self.threads(1).await?;
            if let Some(turn) = self.begin(reference) {
                // In this order they end: whoever has a turn has a thread.
                return Ok((turn, threads));
            }
        }
    }

    /// Waits for the right to a thread: up to `threads` of them, and at least one.
    ///
    /// # Errors
    /// [`Code::Storage`] when as many threads hang as may, and others that read as many.
    pub(crate) async fn threads(&self, threads: usize) -> Result<Vec<Thread>, CallError> {
        loop {
            let mut ended = std::pin::pin!(self.ended());
            ended.as_mut().enable();
            let granted = self.grant(threads)?;
            if granted > 0 {
                return Ok((0..granted).map(|_| Thread(self.clone())).collect());
            }
            // Wait no longer than this: a thread that begins to hang notifies nobody.
            let _ = tokio::time::timeout(self.0.bounds.hung_after, ended).await;
        }
    }

    /// How many threads a caller gets that wants this many.
    fn grant(&self, wanted: usize) -> Result<usize, CallError> {
        let Bounds { reading_max, hung_max, hung_after } = self.0.bounds;
        let mut now = self.0.now.lock();
        let hung = now.hung(hung_after);
        // Hanging threads over their limit count as reading ones.
        let reading = now.threads.saturating_sub(hung.min(hung_max));
        let granted = wanted.max(1).min(reading_max.saturating_sub(reading));
        if granted == 0 && hung >= reading_max + hung_max {
            // Relaxed: a number for people, which orders nothing.
            self.0.refused.fetch_add(1, Ordering::Relaxed);
            return Err(all_hang(hung));
        }
        now.threads += granted;
        Ok(granted)
    }

    /// Completes when somebody who has a turn or a thread now, or gets one later, has ended.
    pub(crate) fn ended(&self) -> Notified<'_> {
        self.0.ended.notified()
    }

    /// How many files hang.
    pub(crate) fn hung(&self) -> usize {
        self.0.now.lock().hung(self.0.bounds.hung_after)
    }

    /// How often somebody was refused because too many hang.
    pub(crate) fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// What has been read for longer than `time`.
    pub(crate) fn slower_than(&self, time: Duration) -> Vec<Reference> {
        let now = self.0.now.lock();
        let slow = now.under_way.iter().filter(|(_, since)| since.elapsed() > time);
        slow.map(|(reference, _)| reference.clone()).collect()
    }
}

impl Now {
    fn hung(&self, hung_after: Duration) -> usize {
        self.under_way.values().filter(|since| since.elapsed() >= hung_after).count()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.readers.0.now.lock().under_way.remove(&self.reference);
        self.readers.0.ended.notify_waiters();
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.0.0.now.lock().threads -= 1;
        self.0.0.ended.notify_waiters();
    }
}

fn all_hang(hung: usize) -> CallError {
    let text = format!(
        "no file is read any more: the disks of {hung} others do not answer ({}); when they do, or \
         the host was restarted without these files, read the manifest again (SIGHUP)",
        FILES_HUNG.name
    );
    CallError::new(Code::Storage, text)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const NEVER: Duration = Duration::from_secs(3_600);

    fn readers(hung_after: Duration) -> Readers {
        Readers::within(Bounds { reading_max: 2, hung_max: 2, hung_after })
    }

    /// Someone who reads a file.
    async fn reads(readers: &Readers, name: &str) -> Result<(Turn, Vec<Thread>), CallError> {
        readers.turn(&Reference::File(PathBuf::from(name))).await
    }

    #[tokio::test]
    async fn files_that_hang_leave_room_for_others_until_too_many_do() {
        let readers = readers(Duration::ZERO);
        let mut hanging = Vec::new();
        for name in ["a", "b", "c", "d"] {
            hanging.push(reads(&readers, name).await.expect("there is room"));
        }
        let error = reads(&readers, "e").await.expect_err("there is none");
        assert_eq!(error.code(), Code::Storage);
        assert!(error.message().contains("the disks of 4 others"), "{error}");
        assert!(error.message().contains("files_hung_max"), "{error}");
        assert_eq!((readers.hung(), readers.refused()), (4, 1));
        hanging.pop();
        reads(&readers, "e").await.expect("there is room again");
        assert_eq!((readers.hung(), readers.refused()), (3, 1));
    }

    #[tokio::test]
    async fn files_that_do_not_hang_are_waited_for() {
        let readers = readers(NEVER);
        let first = reads(&readers, "a").await.expect("there is room");
        let _second = reads(&readers, "b").await.expect("there is room");
        let mut third = std::pin::pin!(reads(&readers, "c"));
        let waker = std::task::Waker::noop();
        let mut context = std::task::Context::from_waker(waker);
        assert!(third.as_mut().poll(&mut context).is_pending());
        drop(first);
        third.await.expect("its turn");
    }

    #[tokio::test]
    async fn a_list_gets_the_threads_that_are_left() {
        let readers = readers(NEVER);
        let one = readers.threads(1).await.expect("there is room");
        assert_eq!(readers.threads(8).await.expect("there is room").len(), 1);
        drop(one);
        assert_eq!(readers.threads(8).await.expect("there is room").len(), 2);
    }
}
