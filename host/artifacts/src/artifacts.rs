//! What is known of the artifacts that were read.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use trellis_core::{CallError, Code};

use crate::digest::{Digest, digest_of};
use crate::readers::Readers;
use crate::reference::Reference;
use crate::stamp::{Stamp, now};

/// Most threads that read one list: more would only wait for one another's disk and cores.
const READERS_MAX: usize = 8;

/// An artifact somebody wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// Where it is.
    pub reference: Reference,
    /// The largest it may be, in bytes.
    pub bytes_max: u64,
}

/// An artifact that was examined.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Artifact<P> {
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// What the examination gave.
    pub proof: P,
}

/// What is known of the artifacts that were read; cheap to clone, and the clones know the same.
#[derive(Debug)]
pub struct Artifacts<P>(Arc<Memory<P>>);

#[derive(Debug)]
struct Memory<P> {
    known: Mutex<HashMap<Reference, Known<P>>>,
    readers: Readers,
    reads: AtomicU64,
}

#[derive(Clone, Debug)]
struct Known<P> {
    stamp: Stamp,
    /// False for a file so young that it could have changed again without another stamp.
    settled: bool,
    artifact: Artifact<P>,
}

impl<P: Clone + Send + 'static> Artifacts<P> {
    /// Nothing is known yet.
    #[must_use]
    pub fn new() -> Self {
        let (known, readers) = (Mutex::default(), Readers::default());
        Self(Arc::new(Memory { known, readers, reads: AtomicU64::new(0) }))
    }

    /// How many artifacts were read so far; what was known by its stamp is not among them.
    #[must_use]
    pub fn reads(&self) -> u64 {
        // Relaxed: a number for people, which orders nothing.
        self.0.reads.load(Ordering::Relaxed)
    }

    /// Examines every wanted artifact, in this order; one that did not change keeps the proof it
    /// had if that `suffices`, whatever `examination` would say now, and what is no longer wanted
    /// is forgotten. Both are given the place in the list. The examination is given the bytes; it
    /// hashes them anyway, so that the digest is its to give.
    ///
    /// Reads and examines on threads that may block, several at a time, and each artifact on one
    /// thread at a time, whoever asks: one that is still being read for a list that was dropped is
    /// waited for. Dropping the future ends the work after the artifacts under way.
    ///
    /// # Errors
    /// For each artifact: [`Code::NotFound`], [`Code::Storage`] and [`Code::ModuleLimit`] as
    /// [`crate::read_bounded`]; what the examination says; [`Code::Internal`] when it panics;
    /// [`Code::Storage`] when too many files hang.
    pub async fn examine<S, E>(
        &self,
        wanted: Vec<Wanted>,
        suffices: S,
        examination: E,
    ) -> Vec<Result<Artifact<P>, CallError>>
    where
        S: Fn(usize, &P) -> bool + Send + Sync + 'static,
        E: Fn(usize, &[u8]) -> Result<Artifact<P>, CallError> + Send + Sync + 'static,
    {
        self.examine_beside((wanted, Vec::new()), suffices, examination).await
    }

    /// The same beside others that are wanted too, of which nothing is looked at and nothing
    /// forgotten.
    ///
    /// # Errors
    /// As [`examine`](Self::examine).
    pub async fn examine_beside<S, E>(
        &self,
        (wanted, mut others): (Vec<Wanted>, Vec<Wanted>),
        suffices: S,
        examination: E,
    ) -> Vec<Result<Artifact<P>, CallError>>
    where
        S: Fn(usize, &P) -> bool + Send + Sync + 'static,
        E: Fn(usize, &[u8]) -> Result<Artifact<P>, CallError> + Send + Sync + 'static,
    {
        let mut left: Vec<usize> = (0..wanted.len()).collect();
        let mut results: Vec<_> = wanted.iter().map(|_| None).collect();
        let memory = Arc::clone(&self.0);
        let work = Arc::new(Work { wanted, memory, suffices, examination });
        while !left.is_empty() {
            // Before the round: whoever ends in its course is not missed.
            let mut ended = std::pin::pin!(self.0.readers.ended());
            ended.as_mut().enable();
            let examined = match work.round(&left).await {
                Ok(examined) => examined,
                Err(error) => {
                    left.drain(..).for_each(|place| results[place] = Some(Err(error.clone())));
                    break;
                }
            };
            left.clear();
            for (place, result) in examined {
                match result {
                    Some(result) => results[place] = Some(result),
                    None => left.push(place),
                }
            }
            if !left.is_empty() {
                ended.await;
            }
        }
        others.extend(work.wanted.iter().cloned());
        self.0.forget_others(&others);
        results.into_iter().map(|result| result.unwrap_or_else(|| Err(panicked()))).collect()
    }

    /// Reads the bytes of an artifact that was examined before, on a thread that may block, when
    /// nobody else reads it.
    ///
    /// # Errors
    /// As [`Wanted::read_again`]; [`Code::Internal`] when the process runs out of threads, and
    /// [`Code::Storage`] when too many files hang.
    pub async fn fetch_again(&self, wanted: &Wanted, digest: &Digest) -> Result<Bytes, CallError> {
        let turn = self.0.readers.turn(&wanted.reference).await?;
        let (wanted, digest) = (wanted.clone(), *digest);
        let reading = tokio::task::spawn_blocking(move || {
            let _held = turn;
            wanted.read_again(&digest)
        });
        reading.await.unwrap_or_else(|_| Err(panicked()))
    }

    /// How many artifacts are being read and have not answered for some seconds.
    #[must_use]
    pub fn hung(&self) -> usize {
        self.0.readers.hung()
    }

    /// How often none was read because too many do not answer.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.readers.refused()
    }

    /// The artifacts that have been read for longer than `time`: their disk is slow, or hangs.
    #[must_use]
    pub fn slower_than(&self, time: Duration) -> Vec<Reference> {
        self.0.readers.slower_than(time)
    }
}

impl<P> Memory<P> {
    /// Forgets what is not wanted.
    fn forget_others(&self, wanted: &[Wanted]) {
        let mut known = self.known.lock();
        // All that was wanted and found is known now: without more there is nothing to forget.
        if known.len() > wanted.len()
            || !wanted.iter().all(|one| known.contains_key(&one.reference))
        {
            let wanted: HashSet<&Reference> = wanted.iter().map(|one| &one.reference).collect();
            known.retain(|reference, _| wanted.contains(reference));
        }
    }
}

impl<P> Clone for Artifacts<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P: Clone + Send + 'static> Default for Artifacts<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl Wanted {
    /// Reads the bytes of an artifact that was examined before. Blocks.
    ///
    /// # Errors
    /// As [`crate::read_bounded`], and [`Code::Hash`] when they are others by now.
    pub fn read_again(&self, digest: &Digest) -> Result<Bytes, CallError> {
        let bytes = self.reference.read(self.bytes_max)?.bytes;
        if digest_of(&bytes) == *digest {
            return Ok(bytes);
        }
        let message =
            format!("{} changed while it was being loaded; it will be read again", self.reference);
        Err(CallError::new(Code::Hash, message))
    }
}

/// The examination of one list, shared by its readers.
struct Work<P, S, E> {
    wanted: Vec<Wanted>,
    memory: Arc<Memory<P>>,
    suffices: S,
    examination: E,
}

/// What came of some places in a list; `None` where somebody else was reading the artifact.
type Examined<P> = Vec<(usize, Option<Result<Artifact<P>, CallError>>)>;

impl<P, S, E> Work<P, S, E>
where
    P: Clone + Send + 'static,
    S: Fn(usize, &P) -> bool + Send + Sync + 'static,
    E: Fn(usize, &[u8]) -> Result<Artifact<P>, CallError> + Send + Sync + 'static,
{
    /// Goes once through these places of the list.
    async fn round(self: &Arc<Self>, places: &[usize]) -> Result<Examined<P>, CallError> {
        let readers = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = readers.min(READERS_MAX).min(places.len());
        let threads = self.memory.readers.threads(threads).await?;
        // Held by this future alone: the readers stop when it is gone.
        let listener = Arc::new(());
        let places: Arc<[usize]> = places.into();
        let next = Arc::new(AtomicUsize::new(0));
        let start = |thread| {
            let (work, listener) = (Arc::clone(self), Arc::downgrade(&listener));
            let (places, next) = (Arc::clone(&places), Arc::clone(&next));
            tokio::task::spawn_blocking(move || {
                let _thread = thread;
                work.carry_out(&places, &next, &listener)
            })
        };
        let reading: Vec<_> = threads.into_iter().map(start).collect();
        let mut examined = Vec::with_capacity(places.len());
        for reader in reading {
            // A reader that panicked leaves what it took without a result.
            examined.extend(reader.await.unwrap_or_default());
        }
        Ok(examined)
    }

    /// Takes one place after another until none is left or nobody listens any more.
    fn carry_out(&self, places: &[usize], next: &AtomicUsize, listener: &Weak<()>) -> Examined<P> {
        let mut examined = Vec::new();
        while listener.strong_count() > 0 {
            // Relaxed: the number alone is shared; the list was there before the readers.
            let Some(place) = places.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
            let wanted = &self.wanted[*place];
            let turn = self.memory.readers.begin(&wanted.reference);
            examined.push((*place, turn.map(|_turn| self.one(*place, wanted))));
        }
        examined
    }

    fn one(&self, index: usize, wanted: &Wanted) -> Result<Artifact<P>, CallError> {
        let reference = &wanted.reference;
        let known = self.memory.known.lock().get(reference).cloned();
        let known = known.filter(|known| (self.suffices)(index, &known.artifact.proof));
        if let Some(known) = known.as_ref().filter(|known| known.settled)
            && reference.stamp() == Some(known.stamp)
        {
            return within(known, wanted).map(|()| known.artifact.clone());
        }
        let content = reference.read(wanted.bytes_max)?;
        self.memory.reads.fetch_add(1, Ordering::Relaxed);
        let settled = content.stamp.is_settled(now());
        // Touched, or written again as it was: what was proven of these bytes still holds.
        let is_same = |known: &Known<P>| known.artifact.digest == digest_of(&content.bytes);
        let artifact = match known.filter(is_same) {
            Some(known) => known.artifact,
            None => (self.examination)(index, &content.bytes)?,
        };
        let known = Known { stamp: content.stamp, settled, artifact: artifact.clone() };
        self.memory.known.lock().insert(reference.clone(), known);
        Ok(artifact)
    }
}

/// The bound may be lower than it was when the artifact was read.
fn within<P>(known: &Known<P>, wanted: &Wanted) -> Result<(), CallError> {
    if known.stamp.bytes() <= wanted.bytes_max {
        return Ok(());
    }
    Err(wanted.reference.too_large(wanted.bytes_max))
}

fn panicked() -> CallError {
    CallError::new(Code::Internal, "a thread that was reading the file panicked; see the log")
}
