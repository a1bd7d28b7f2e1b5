//! What is known of the artifacts that were read.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::SystemTime;

use bytes::Bytes;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use trellis_core::{CallError, Code};

use crate::file;
use crate::reference::{Digest, Reference};
use crate::stamp::Stamp;

/// Most threads that read at once: more would only wait for one another's disk and cores.
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
        Self(Arc::new(Memory { known: Mutex::default(), reads: AtomicU64::new(0) }))
    }

    /// How many artifacts were read so far; what was known by its stamp is not among them.
    #[must_use]
    pub fn reads(&self) -> u64 {
        // Relaxed: a number for people, which orders nothing.
        self.0.reads.load(Ordering::Relaxed)
    }

    /// Examines every wanted artifact, in this order; one that did not change keeps the proof it
    /// had, whatever `examination` would say now, and what is no longer wanted is forgotten. The
    /// examination is given the place in the list and the bytes.
    ///
    /// Reads and examines on threads that may block, several at a time. Dropping the future ends
    /// the work after the artifacts under way.
    ///
    /// # Errors
    /// For each artifact: [`Code::NotFound`], [`Code::Storage`] and [`Code::ModuleLimit`] as
    /// [`crate::read_bounded`]; what the examination says; [`Code::Internal`] when it panics.
    pub async fn examine<E>(
        &self,
        wanted: Vec<Wanted>,
        examination: E,
    ) -> Vec<Result<Artifact<P>, CallError>>
    where
        E: Fn(usize, &[u8]) -> Result<P, CallError> + Send + Sync + 'static,
    {
        let readers = std::thread::available_parallelism().map_or(1, usize::from);
        let readers = readers.min(READERS_MAX).min(wanted.len());
        // Held by this future alone: the readers stop when it is gone.
        let listener = Arc::new(());
        let work = Arc::new(Work {
            wanted,
            next: AtomicUsize::new(0),
            memory: Arc::clone(&self.0),
            examination,
        });
        let reading: Vec<_> = (0..readers)
            .map(|_| {
                let (work, listener) = (Arc::clone(&work), Arc::downgrade(&listener));
                tokio::task::spawn_blocking(move || work.carry_out(&listener))
            })
            .collect();
        let mut results: Vec<_> = work.wanted.iter().map(|_| None).collect();
        for reader in reading {
            // A reader that panicked leaves what it took without a result.
            for (index, result) in reader.await.unwrap_or_default() {
                results[index] = Some(result);
            }
        }
        self.0.forget_others(&work.wanted);
        results.into_iter().map(|result| result.unwrap_or_else(|| Err(panicked()))).collect()
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
        if Digest::from(Sha256::digest(&bytes)) == *digest {
            return Ok(bytes);
        }
        let message =
            format!("{} changed while it was being loaded; it will be read again", self.reference);
        Err(CallError::new(Code::Hash, message))
    }

    /// As [`Wanted::read_again`], on a thread that may block.
    ///
    /// # Errors
    /// The same, and [`Code::Internal`] when the process runs out of threads.
    pub async fn fetch_again(&self, digest: &Digest) -> Result<Bytes, CallError> {
        let (wanted, digest) = (self.clone(), *digest);
        let reading = tokio::task::spawn_blocking(move || wanted.read_again(&digest));
        reading.await.unwrap_or_else(|_| Err(panicked()))
    }
}

/// The examination of one list, shared by its readers.
struct Work<P, E> {
    wanted: Vec<Wanted>,
    next: AtomicUsize,
    memory: Arc<Memory<P>>,
    examination: E,
}

impl<P, E> Work<P, E>
where
    P: Clone,
    E: Fn(usize, &[u8]) -> Result<P, CallError>,
{
    /// Takes one artifact after another until none is left or nobody listens any more.
    fn carry_out(&self, listener: &Weak<()>) -> Vec<(usize, Result<Artifact<P>, CallError>)> {
        let mut results = Vec::new();
        while listener.strong_count() > 0 {
            // Relaxed: the number alone is shared; the list was there before the readers.
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(wanted) = self.wanted.get(index) else { break };
            results.push((index, self.one(index, wanted)));
        }
        results
    }

    fn one(&self, index: usize, wanted: &Wanted) -> Result<Artifact<P>, CallError> {
        let reference = &wanted.reference;
        let known = self.memory.known.lock().get(reference).cloned();
        if let Some(known) = known.as_ref().filter(|known| known.settled)
            && reference.stamp() == Some(known.stamp)
        {
            return within(known, wanted).map(|()| known.artifact.clone());
        }
        let content = reference.read(wanted.bytes_max)?;
        self.memory.reads.fetch_add(1, Ordering::Relaxed);
        let settled = content.stamp.is_settled(now());
        let digest: Digest = Sha256::digest(&content.bytes).into();
        // Touched, or written again as it was: what was proven of these bytes still holds.
        let same = known.filter(|known| known.artifact.digest == digest);
        let artifact = match same {
            Some(known) => known.artifact,
            None => Artifact { digest, proof: (self.examination)(index, &content.bytes)? },
        };
        let known = Known { stamp: content.stamp, settled, artifact: artifact.clone() };
        self.memory.known.lock().insert(reference.clone(), known);
        Ok(artifact)
    }
}

/// The bound may be lower than it was when the artifact was read.
fn within<P>(known: &Known<P>, wanted: &Wanted) -> Result<(), CallError> {
    let Reference::File(path) = &wanted.reference;
    if known.stamp.bytes() <= wanted.bytes_max {
        return Ok(());
    }
    Err(file::too_large(path, wanted.bytes_max))
}

#[expect(
    clippy::disallowed_methods,
    reason = "compared with the file system's own clock; it decides about no expiry"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

fn panicked() -> CallError {
    CallError::new(Code::Internal, "a thread that was reading the file panicked; see the log")
}
