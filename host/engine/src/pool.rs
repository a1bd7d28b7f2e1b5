//! A bounded pool: idle instances by thread, a limit on how many there are, and a queue for callers
//! that find none.
//!
//! It knows nothing about what it holds. Two rules keep a caller from waiting while what it waits
//! for is free. A thread that puts something back looks at the queue *afterwards*, and a caller
//! that joins the queue looks for something free *afterwards*. Both do so with a step that reads
//! and writes the same place (an instance's cell, or [`Pool::live`]). Of two such steps on one
//! place, the later one sees everything that came before the earlier one. So one of the two sees
//! the other.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use tokio::sync::futures::Notified;
use tokio::sync::{Notify, oneshot};

use crate::sync::{
    AtomicBool, AtomicU32, Cell, Mutex, MutexGuard, Ordering, Padded, own, shard_count,
};

/// A pool of `T`s.
pub(crate) struct Pool<T> {
    shards: Box<[Padded<Shard<T>>]>,
    /// Instances alive or being made.
    live: AtomicU32,
    live_max: u32,
    /// Length of the queue; changed only under its lock.
    waiting: AtomicU32,
    waiting_max: u32,
    queue: Mutex<Queue<T>>,
    /// Nothing is kept any more.
    closed: AtomicBool,
    /// Told when an instance or a waiter goes away.
    changed: Notify,
}

/// The waiting callers by ticket; the lowest ticket came first. A caller that leaves early removes
/// its own entry without touching the others.
struct Queue<T> {
    waiting: BTreeMap<u64, oneshot::Sender<Lease<T>>>,
    next_ticket: u64,
}

/// The idle instances one thread left behind.
struct Shard<T> {
    /// The warmest. Nearly every call takes it and puts it back, which needs no lock.
    warmest: Cell<T>,
    /// An instance was taken since the last sweep.
    taken: AtomicBool,
    others: Mutex<Others<T>>,
}

/// The rest, the warmest last.
struct Others<T> {
    idle: Vec<T>,
    /// The fewest there were since the last sweep: that many nobody needed.
    unneeded: usize,
}

/// What a caller needs to go on.
pub(crate) enum Lease<T> {
    /// An idle instance.
    Idle(T),
    /// The right to make one.
    Slot(InstanceSlot<T>),
}

/// Numbers of a pool at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct PoolCounts {
    pub(crate) live: u32,
    pub(crate) idle: u32,
    pub(crate) waiting: u32,
}

impl<T> Pool<T> {
    pub(crate) fn new(live_max: u32, waiting_max: u32) -> Arc<Self> {
        Arc::new(Self {
            shards: (0..shard_count()).map(|_| Padded(Shard::new())).collect(),
            live: AtomicU32::new(0),
            live_max,
            waiting: AtomicU32::new(0),
            waiting_max,
            queue: Mutex::new(Queue { waiting: BTreeMap::new(), next_ticket: 0 }),
            closed: AtomicBool::new(false),
            changed: Notify::new(),
        })
    }

    /// An idle instance: this thread's, or else another's.
    #[inline]
    pub(crate) fn take_idle(&self) -> Option<T> {
        // Relaxed: without live instances there is nothing to find. A caller that must not miss an
        // instance that was just put back has read `live` in a stronger way (see `try_slot`).
        if self.live.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let own = own(&self.shards).take();
        own.or_else(|| self.shards.iter().find_map(|shard| shard.0.take()))
    }

    /// Takes an instance back. Gives it to the longest waiter if there is one; otherwise keeps it,
    /// unless the pool is closed: then it is returned.
    #[inline]
    pub(crate) fn put_back(&self, mut instance: T) -> Option<T> {
        loop {
            // Acquire, here and below, pairs with the release in `set_waiting` and `set_closed`.
            // Correctness does not depend on it: a waiter or a closing that must not be missed is
            // seen below, because of the exchange before it.
            if self.waiting.load(Ordering::Acquire) > 0 {
                match self.hand_over(Lease::Idle(instance)) {
                    Some(Lease::Idle(back)) => instance = back,
                    _ => return None,
                }
            }
            let shard = own(&self.shards);
            shard.put(instance);
            // A caller that joined the queue, or one that closed the pool, either looked into this
            // shard afterwards and found the instance, or is seen here: both exchange the same
            // cell.
            let waiting = self.waiting.load(Ordering::Acquire) > 0;
            let closed = self.closed.load(Ordering::Acquire);
            if !waiting && !closed {
                return None;
            }
            // This may be another instance by now. If there is none, another thread took it, and
            // will get to this point itself.
            instance = shard.take()?;
            if closed && !waiting {
                return Some(instance);
            }
        }
    }

    /// A slot if the pool may have one more instance.
    pub(crate) fn try_slot(self: &Arc<Self>) -> Option<InstanceSlot<T>> {
        // A write (`AcqRel`), though it adds nothing: a waiter that only read here could read a
        // number from before a slot was given back, whose owner in turn did not see the waiter.
        let mut live = self.live.fetch_add(0, Ordering::AcqRel);
        loop {
            if live >= self.live_max {
                return None;
            }
            let (now, next) = (Ordering::AcqRel, Ordering::Acquire);
            match self.live.compare_exchange_weak(live, live + 1, now, next) {
                Ok(_) => return Some(InstanceSlot { pool: Arc::downgrade(self) }),
                Err(other) => live = other,
            }
        }
    }

    /// Joins the queue; `None` when it is full.
    pub(crate) fn enqueue(self: &Arc<Self>) -> Option<Waiter<'_, T>> {
        let (ticket, lease) = {
            let mut queue = self.queue.lock();
            if queue.waiting.len() >= self.waiting_max as usize {
                return None;
            }
            let (sender, receiver) = oneshot::channel();
            let ticket = queue.next_ticket;
            queue.next_ticket += 1;
            queue.waiting.insert(ticket, sender);
            self.set_waiting(&queue);
            (ticket, receiver)
        };
        let waiter = Waiter { pool: self, ticket, lease };
        self.look_again();
        Some(waiter)
    }

    /// Looks for what came free before the queue was joined, for whoever waits longest.
    fn look_again(self: &Arc<Self>) {
        match self.try_slot() {
            Some(slot) => drop(self.hand_over(Lease::Slot(slot))),
            None => {
                if let Some(instance) = self.take_idle() {
                    drop(self.put_back(instance));
                }
            }
        }
    }

    /// Gives a lease to the longest waiter; back when nobody waits.
    fn hand_over(&self, mut lease: Lease<T>) -> Option<Lease<T>> {
        loop {
            let first = {
                let mut queue = self.queue.lock();
                let first = queue.waiting.pop_first();
                self.set_waiting(&queue);
                first
            };
            let Some((_, sender)) = first else { return Some(lease) };
            match sender.send(lease) {
                Ok(()) => return None,
                Err(back) => lease = back,
            }
        }
    }

    fn set_waiting(&self, queue: &Queue<T>) {
        let waiting = u32::try_from(queue.waiting.len()).unwrap_or(u32::MAX);
        // Release, though the number guards nothing: the queue itself is read under its lock.
        self.waiting.store(waiting, Ordering::Release);
    }

    /// A slot is given back.
    fn release(self: &Arc<Self>) {
        // A waiter that found no slot wrote to `live` after it joined the queue (`try_slot`): if
        // that came first, it is seen here.
        self.live.fetch_sub(1, Ordering::AcqRel);
        if self.waiting.load(Ordering::Acquire) > 0
            && let Some(slot) = self.try_slot()
        {
            // When nobody waits any more the slot comes back, and is given back in turn.
            drop(self.hand_over(Lease::Slot(slot)));
        }
        self.changed.notify_waiters();
    }

    /// Takes every idle instance.
    pub(crate) fn take_all_idle(&self) -> Vec<T> {
        self.shards.iter().flat_map(|shard| shard.0.take_all()).collect()
    }

    /// Takes the instances nobody needed since the last sweep, leaving `min` idle.
    pub(crate) fn sweep(&self, min: usize) -> Vec<T> {
        let mut spare = self.counts().idle as usize;
        let mut swept = Vec::new();
        for Padded(shard) in &self.shards {
            let unneeded = shard.sweep(spare.saturating_sub(min));
            spare -= unneeded.len();
            swept.extend(unneeded);
        }
        swept
    }

    /// Closes the pool, so that it keeps nothing from now on (true), or opens it again (false).
    /// After closing it, the caller takes all idle instances.
    pub(crate) fn set_closed(&self, closed: bool) {
        // Release, for the acquire in `put_back`. A thread that puts something back after the idle
        // instances were taken sees that the pool is closed: both exchange the same cell.
        self.closed.store(closed, Ordering::Release);
    }

    /// Nothing runs and nothing waits.
    pub(crate) fn is_quiet(&self) -> bool {
        // A write: whoever takes a slot after this sees what its caller did before, such as
        // refusing new calls.
        self.live.fetch_add(0, Ordering::AcqRel) == 0 && self.waiting.load(Ordering::Acquire) == 0
    }

    /// Ends when an instance or a waiter has gone away.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Instances alive or being made.
    pub(crate) fn live(&self) -> u32 {
        // Relaxed: a number to compare with a wish.
        self.live.load(Ordering::Relaxed)
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

impl<T> Shard<T> {
    fn new() -> Self {
        Self {
            warmest: Cell::new(None),
            taken: AtomicBool::new(false),
            others: Mutex::new(Others { idle: Vec::new(), unneeded: 0 }),
        }
    }

    #[inline]
    fn take(&self) -> Option<T> {
        let instance = self.warmest.take().or_else(|| {
            let mut others = self.others.lock();
            let instance = others.idle.pop();
            others.unneeded = others.unneeded.min(others.idle.len());
            instance
        });
        // Relaxed: a hint for the next sweep, which forgives a wrong one.
        self.taken.store(true, Ordering::Relaxed);
        instance
    }

    #[inline]
    fn put(&self, instance: T) {
        if let Some(colder) = self.warmest.swap(Some(instance)) {
            self.others.lock().idle.push(colder);
        }
    }

    fn take_all(&self) -> impl Iterator<Item = T> + use<T> {
        std::mem::take(&mut self.gather().idle).into_iter()
    }

    /// Takes what nobody needed since the last sweep, `max` at most, the coldest first.
    fn sweep(&self, max: usize) -> Vec<T> {
        let mut others = self.gather();
        self.taken.store(false, Ordering::Relaxed);
        let count = others.unneeded.min(max).min(others.idle.len());
        let swept = others.idle.drain(..count).collect();
        others.unneeded = others.idle.len();
        swept
    }

    /// All of them, to be looked at: a cell shows nothing but what is taken out of it, so the
    /// warmest joins the others. Whoever needs it meanwhile looks for it there.
    fn gather(&self) -> MutexGuard<'_, Others<T>> {
        let mut others = self.others.lock();
        if let Some(warmest) = self.warmest.take() {
            others.unneeded += usize::from(!self.taken.load(Ordering::Relaxed));
            others.idle.push(warmest);
        }
        others
    }
}

/// A place in the queue; leaving it early gives back what was leased meanwhile.
pub(crate) struct Waiter<'a, T> {
    pool: &'a Arc<Pool<T>>,
    ticket: u64,
    lease: oneshot::Receiver<Lease<T>>,
}

impl<T> Future for Waiter<'_, T> {
    /// `None` never happens while the pool lives.
    type Output = Option<Lease<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.lease).poll(cx).map(Result::ok)
    }
}

impl<T> Drop for Waiter<'_, T> {
    fn drop(&mut self) {
        self.lease.close();
        match self.lease.try_recv() {
            Ok(Lease::Idle(instance)) => drop(self.pool.put_back(instance)),
            Ok(Lease::Slot(slot)) => drop(slot),
            Err(_) => {
                let mut queue = self.pool.queue.lock();
                queue.waiting.remove(&self.ticket);
                self.pool.set_waiting(&queue);
            }
        }
        self.pool.changed.notify_waiters();
    }
}

/// The right to be one of a pool's instances. Dropping it lets a waiter make another.
pub(crate) struct InstanceSlot<T> {
    pool: Weak<Pool<T>>,
}

impl<T> Drop for InstanceSlot<T> {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.release();
        }
    }
}
