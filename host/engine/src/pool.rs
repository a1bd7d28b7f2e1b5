//! The instances of one actor: idle ones by thread, a bound on all of them, a queue for the rest.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

use crossbeam_utils::atomic::AtomicCell;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, OwnedSemaphorePermit, oneshot};
use trellis_core::{CallError, Code};

use crate::actor::Inner;
use crate::instance::Instance;
use trellis_meters::{Padded, own, shard_count};

/// The pool of one actor.
pub(crate) struct Pool {
    shards: Box<[Padded<Shard>]>,
    /// Instances alive or being made.
    live: AtomicU32,
    live_max: u32,
    /// Length of the queue; changed only under its lock.
    waiting: AtomicU32,
    waiting_max: u32,
    queue: Mutex<VecDeque<oneshot::Sender<Grant>>>,
    /// No instance is kept any more: the actor is gone, or its module left memory.
    closed: AtomicBool,
    /// Told when an instance or a waiting call goes away.
    pub(crate) changed: Notify,
}

/// The idle instances one thread left behind.
#[derive(Default)]
struct Shard {
    /// The warmest. Nearly every call takes it and puts it back, which needs no lock.
    warmest: AtomicCell<Option<Instance>>,
    /// An instance was taken since the last sweep.
    taken: AtomicBool,
    others: Mutex<Others>,
}

/// The rest, the warmest last.
#[derive(Default)]
struct Others {
    idle: Vec<Instance>,
    /// The fewest there were since the last sweep: that many nobody needed.
    unneeded: usize,
}

/// What a call needs to run.
pub(crate) enum Grant {
    /// An idle instance.
    Idle(Instance),
    /// The right to make one.
    Seat(Seat),
}

/// Numbers of a pool at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct PoolCounts {
    pub(crate) live: u32,
    pub(crate) idle: u32,
    pub(crate) waiting: u32,
}

impl Pool {
    pub(crate) fn new(live_max: u32, waiting_max: u32) -> Self {
        Self {
            shards: (0..shard_count()).map(|_| Padded::default()).collect(),
            live: AtomicU32::new(0),
            live_max,
            waiting: AtomicU32::new(0),
            waiting_max,
            queue: Mutex::default(),
            closed: AtomicBool::new(false),
            changed: Notify::new(),
        }
    }

    /// An idle instance: this thread's, or else another's.
    #[inline]
    pub(crate) fn take_idle(&self) -> Option<Instance> {
        if self.live.load(Ordering::Acquire) == 0 {
            return None;
        }
        let own = own(&self.shards).take();
        own.or_else(|| self.shards.iter().find_map(|shard| shard.0.take()))
    }

    /// Takes an instance back. Gives it to the longest waiting call if there is one; otherwise
    /// keeps it, unless the pool is closed: then it is returned.
    #[inline]
    pub(crate) fn put_back(&self, instance: Instance) -> Option<Instance> {
        if self.closed.load(Ordering::Acquire) {
            return self.hand_over(Grant::Idle(instance)).and_then(Grant::into_idle);
        }
        let mut instance = instance;
        if self.waiting.load(Ordering::Acquire) > 0 {
            match self.hand_over(Grant::Idle(instance)).and_then(Grant::into_idle) {
                Some(back) => instance = back,
                None => return None,
            }
        }
        let shard = own(&self.shards);
        shard.put(instance);
        // A call that queued up meanwhile either sees the instance (it looks once more after it
        // stands in the queue) or is seen here: both sides exchange the same cell.
        if self.waiting.load(Ordering::Acquire) > 0 || self.closed.load(Ordering::Acquire) {
            let again = shard.take()?;
            return self.requeue(again);
        }
        None
    }

    #[cold]
    fn requeue(&self, instance: Instance) -> Option<Instance> {
        let instance = self.hand_over(Grant::Idle(instance)).and_then(Grant::into_idle)?;
        if self.closed.load(Ordering::Acquire) {
            return Some(instance);
        }
        own(&self.shards).put(instance);
        None
    }

    /// A seat if the actor may have one more instance.
    pub(crate) fn try_seat(&self, actor: &Arc<Inner>) -> Option<Seat> {
        let up = |live: u32| (live < self.live_max).then_some(live + 1);
        self.live.fetch_update(Ordering::AcqRel, Ordering::Acquire, up).ok()?;
        Some(Seat { actor: Arc::clone(actor), permit: None, born: false, reason: "cancelled" })
    }

    /// Waits in the queue for an instance or a seat.
    ///
    /// # Errors
    /// `E_BUSY` at once when the queue is full, and at the deadline.
    pub(crate) async fn wait(
        &self,
        actor: &Arc<Inner>,
        deadline: Instant,
    ) -> Result<Grant, CallError> {
        let receiver = {
            let mut queue = self.queue.lock();
            if queue.len() >= self.waiting_max as usize {
                actor.shared.metrics.limit_hit("queue_max");
                return Err(busy(format!("{} calls wait (queue_max)", self.waiting_max)));
            }
            let (sender, receiver) = oneshot::channel();
            queue.push_back(sender);
            self.set_waiting(&queue);
            receiver
        };
        let mut place = Place { pool: self, receiver };
        if let Some(instance) = self.take_idle() {
            if let Some(Grant::Idle(instance)) = self.hand_over(Grant::Idle(instance)) {
                drop(self.put_back(instance));
            }
        } else if let Some(seat) = self.try_seat(actor) {
            drop(self.hand_over(Grant::Seat(seat)));
        }
        match tokio::time::timeout_at(deadline.into(), &mut place.receiver).await {
            Ok(Ok(grant)) => Ok(grant),
            _ => {
                actor.shared.metrics.limit_hit("instances_max");
                let max = self.live_max;
                Err(busy(format!(
                    "all {max} instances were busy until the deadline (instances_max)"
                )))
            }
        }
    }

    /// Gives a grant to the longest waiting call; back when nobody waits.
    fn hand_over(&self, mut grant: Grant) -> Option<Grant> {
        loop {
            let sender = {
                let mut queue = self.queue.lock();
                let sender = queue.pop_front();
                self.set_waiting(&queue);
                sender
            };
            let Some(sender) = sender else { return Some(grant) };
            match sender.send(grant) {
                Ok(()) => return None,
                Err(back) => grant = back,
            }
        }
    }

    fn set_waiting(&self, queue: &VecDeque<oneshot::Sender<Grant>>) {
        self.waiting.store(u32::try_from(queue.len()).unwrap_or(u32::MAX), Ordering::Release);
    }

    /// Takes every idle instance.
    pub(crate) fn take_all_idle(&self) -> Vec<Instance> {
        self.shards.iter().flat_map(|shard| shard.0.take_all()).collect()
    }

    /// Takes the instances nobody needed since the last sweep, leaving `min` idle.
    pub(crate) fn sweep(&self, min: usize) -> Vec<Instance> {
        let mut spare = self.counts().idle as usize;
        let mut swept = Vec::new();
        for Padded(shard) in &self.shards {
            let unneeded = shard.sweep(spare.saturating_sub(min));
            spare -= unneeded.len();
            swept.extend(unneeded);
        }
        swept
    }

    /// From now on no instance is kept (true), or they are again (false).
    pub(crate) fn set_closed(&self, closed: bool) {
        self.closed.store(closed, Ordering::Release);
    }

    /// Nothing runs and nothing waits.
    pub(crate) fn is_quiet(&self) -> bool {
        self.live.load(Ordering::Acquire) == 0 && self.waiting.load(Ordering::Acquire) == 0
    }

    pub(crate) fn counts(&self) -> PoolCounts {
        let mut counts = PoolCounts {
            live: self.live.load(Ordering::Acquire),
            waiting: self.waiting.load(Ordering::Acquire),
            ..PoolCounts::default()
        };
        for shard in &self.shards {
            counts.idle += u32::try_from(shard.0.gather().idle.len()).unwrap_or(u32::MAX);
        }
        counts
    }
}

impl Shard {
    #[inline]
    fn take(&self) -> Option<Instance> {
        let instance = self.warmest.take().or_else(|| {
            let mut others = self.others.lock();
            let instance = others.idle.pop();
            others.unneeded = others.unneeded.min(others.idle.len());
            instance
        });
        self.taken.store(true, Ordering::Relaxed);
        instance
    }

    #[inline]
    fn put(&self, instance: Instance) {
        if let Some(colder) = self.warmest.swap(Some(instance)) {
            self.others.lock().idle.push(colder);
        }
    }

    fn take_all(&self) -> impl Iterator<Item = Instance> {
        std::mem::take(&mut self.gather().idle).into_iter()
    }

    /// Takes what nobody needed since the last sweep, `max` at most, the coldest first.
    fn sweep(&self, max: usize) -> Vec<Instance> {
        let mut others = self.gather();
        self.taken.store(false, Ordering::Relaxed);
        let count = others.unneeded.min(max).min(others.idle.len());
        let swept = others.idle.drain(..count).collect();
        others.unneeded = others.idle.len();
        swept
    }

    /// All of them, to be looked at: a cell shows nothing but what is taken out of it, so the
    /// warmest joins the others. Whoever needs it meanwhile looks for it there.
    fn gather(&self) -> MutexGuard<'_, Others> {
        let mut others = self.others.lock();
        if let Some(warmest) = self.warmest.take() {
            others.unneeded += usize::from(!self.taken.load(Ordering::Relaxed));
            others.idle.push(warmest);
        }
        others
    }
}

impl Grant {
    fn into_idle(self) -> Option<Instance> {
        match self {
            Self::Idle(instance) => Some(instance),
            Self::Seat(_) => None,
        }
    }
}

/// A place in the queue; leaving it early gives back what was granted meanwhile.
struct Place<'a> {
    pool: &'a Pool,
    receiver: oneshot::Receiver<Grant>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.receiver.close();
        match self.receiver.try_recv() {
            Ok(Grant::Idle(instance)) => {
                if let Some(instance) = self.pool.put_back(instance) {
                    instance.retire("closed");
                }
            }
            Ok(Grant::Seat(seat)) => drop(seat),
            Err(_) => {
                let mut queue = self.pool.queue.lock();
                queue.retain(|sender| !sender.is_closed());
                self.pool.set_waiting(&queue);
            }
        }
        self.pool.changed.notify_waiters();
    }
}

/// The right to be one of an actor's instances. Dropping it lets a waiting call make another.
pub(crate) struct Seat {
    actor: Arc<Inner>,
    /// The right to be one of the host's instances.
    permit: Option<OwnedSemaphorePermit>,
    born: bool,
    reason: &'static str,
}

impl Seat {
    /// Whose instance it is.
    pub(crate) fn actor(&self) -> &Arc<Inner> {
        &self.actor
    }

    /// The instance exists.
    pub(crate) fn born(&mut self) {
        self.born = true;
        self.actor.shared.metrics.instance_created();
    }

    /// Why the instance will end.
    pub(crate) fn ends(&mut self, reason: &'static str) {
        self.reason = reason;
    }

    pub(crate) fn hold(&mut self, permit: OwnedSemaphorePermit) {
        self.permit = Some(permit);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.born {
            self.actor.shared.metrics.instance_gone(self.reason);
        }
        let pool = &self.actor.pool;
        self.permit = None;
        pool.live.fetch_sub(1, Ordering::AcqRel);
        if pool.waiting.load(Ordering::Acquire) > 0
            && let Some(seat) = pool.try_seat(&self.actor)
        {
            // When nobody waits any more the seat comes back, and is dropped in turn.
            drop(pool.hand_over(Grant::Seat(seat)));
        }
        pool.changed.notify_waiters();
    }
}

fn busy(message: String) -> CallError {
    CallError::new(Code::Busy, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_warmest_is_exchanged_without_a_lock() {
        assert!(AtomicCell::<Option<Instance>>::is_lock_free());
    }
}
