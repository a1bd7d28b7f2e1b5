//! Work for the writer, answered once it is safely in the file.

use tokio::sync::oneshot;
use trellis_core::CallError;

use super::failure::Failure;
use super::tables::Tables;
use super::work::Work;

/// One change, carried out together with others and answered after their common commit.
pub(super) trait Job: Send {
    /// Carries the change out within a transaction. A refusal is kept for the answer; only a broken
    /// file is an error here.
    fn run(&mut self, tables: &mut Tables<'_>) -> Result<(), Box<redb::Error>>;

    /// True when it was not carried out, or not all of it, and is to be run again in the next
    /// transaction.
    fn is_put_off(&self) -> bool {
        false
    }

    /// Answers: with the outcome when the transaction was committed, with its error when not.
    fn answer(self: Box<Self>, committed: Result<(), CallError>);

    /// True when it needs no more space than there is. It can be run again after a transaction that
    /// failed.
    fn frees(&self) -> bool {
        false
    }

    /// True when the commit must reach the disk before the answer.
    fn flushes(&self) -> bool {
        false
    }

    /// True when it is to be looked after it whether the file still is where it should be.
    fn looks(&self) -> bool {
        false
    }

    /// True when nothing comes after this job.
    fn closes(&self) -> bool {
        false
    }
}

/// A change with an outcome for its caller.
pub(super) struct Change<T, F> {
    pub(super) operation: F,
    pub(super) work: Work,
    /// Whether it is answered when it is on the disk, or before.
    pub(super) flushes: bool,
    /// Whether it takes from what is kept, and adds nothing.
    pub(super) frees: bool,
    /// What came of it; nothing as long as it was put off, or when nobody waits for it.
    pub(super) outcome: Option<Result<T, CallError>>,
    pub(super) put_off: bool,
    pub(super) reply: oneshot::Sender<Result<T, CallError>>,
}

impl<T, F> Job for Change<T, F>
where
    F: FnMut(&mut Tables<'_>, &mut Work) -> Result<T, Failure> + Send,
    T: Send,
{
    fn run(&mut self, tables: &mut Tables<'_>) -> Result<(), Box<redb::Error>> {
        self.put_off = false;
        // A caller that was cut while it waited has been told so: nothing is done for it.
        if self.work.is_cut() {
            return Ok(());
        }
        match (self.operation)(tables, &mut self.work) {
            Ok(outcome) => self.outcome = Some(Ok(outcome)),
            Err(Failure::Refused(refused)) => self.outcome = Some(Err(refused)),
            Err(Failure::Later) => self.put_off = true,
            Err(Failure::Broken(broken)) => return Err(broken),
        }
        Ok(())
    }

    fn is_put_off(&self) -> bool {
        self.put_off
    }

    fn frees(&self) -> bool {
        self.frees
    }

    fn answer(self: Box<Self>, committed: Result<(), CallError>) {
        let Self { outcome, reply, .. } = *self;
        let answer = match (committed, outcome) {
            (Err(failed), _) => Err(failed),
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => return,
        };
        // A caller that gave up at its deadline is not there to be told.
        let _ = reply.send(answer);
    }

    fn flushes(&self) -> bool {
        self.flushes
    }
}

/// Removes expired keys, at most so many, and takes what was written so far to the disk.
pub(super) struct Sweep {
    most: usize,
    /// The transaction could not take on all of it.
    was_cut: bool,
}

impl Sweep {
    pub(super) const fn new(most: usize) -> Self {
        Self { most, was_cut: false }
    }
}

impl Job for Sweep {
    fn frees(&self) -> bool {
        true
    }

    fn run(&mut self, tables: &mut Tables<'_>) -> Result<(), Box<redb::Error>> {
        self.was_cut = match tables.sweep(self.most) {
            Err(Failure::Broken(broken)) => return Err(broken),
            cut => cut.unwrap_or(false),
        };
        Ok(())
    }

    fn is_put_off(&self) -> bool {
        self.was_cut
    }

    fn answer(self: Box<Self>, _: Result<(), CallError>) {}

    fn flushes(&self) -> bool {
        true
    }

    fn looks(&self) -> bool {
        true
    }
}

/// Takes everything to the disk, closes the file and ends the writer.
pub(super) struct Close(pub(super) oneshot::Sender<()>);

impl Job for Close {
    fn frees(&self) -> bool {
        true
    }

    fn run(&mut self, _: &mut Tables<'_>) -> Result<(), Box<redb::Error>> {
        Ok(())
    }

    fn answer(self: Box<Self>, _: Result<(), CallError>) {
        let _ = self.0.send(());
    }

    fn flushes(&self) -> bool {
        true
    }

    fn looks(&self) -> bool {
        true
    }

    fn closes(&self) -> bool {
        true
    }
}
