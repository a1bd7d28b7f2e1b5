//! Which actors are in memory: a limit on compiled modules, and one on the instances of all actors
//! together.
//!
//! Both make room by the clock algorithm: residents form a ring, and a hand goes around it. It
//! skips each resident that was used since its last visit, and evicts the first one that was not.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use trellis_core::{CallError, Code};
use trellis_limits::named;

use crate::metrics::Metrics;
use crate::pool::Pool;
use crate::sync::{AtomicU32, Mutex, Ordering};

/// Why an instance ends whose place another actor needs.
pub(crate) const EVICTED: &str = "evicted";
/// Why one ends whose actor stops, or leaves memory.
pub(crate) const CLOSED: &str = "closed";

/// Something with code and instances in memory.
pub(crate) trait Resident: Send + Sync {
    /// Whether it was used since this was last asked.
    fn take_used(&self) -> bool;

    /// Takes its idle instances, if there are any. They end when they are dropped.
    fn take_idle(&self) -> Option<Box<dyn Send>>;

    /// Gives up its code and its idle instances; its next use brings them back.
    fn leave_memory(&self);

    /// Ends the instances nobody needed since the last sweep, and makes those that are missing.
    fn sweep(self: Arc<Self>);
}

/// The residents of a host.
pub(crate) struct Residency {
    ring: Mutex<VecDeque<Weak<dyn Resident>>>,
    modules_max: usize,
    instances: Arc<Semaphore>,
    instances_max: u32,
    /// Calls that wait for anybody to give up an instance.
    waiting: AtomicU32,
    metrics: Arc<Metrics>,
}

impl Residency {
    pub(crate) fn new(modules_max: u32, instances_max: u32, metrics: Arc<Metrics>) -> Self {
        Self {
            ring: Mutex::new(VecDeque::new()),
            modules_max: modules_max.max(1) as usize,
            instances: Arc::new(Semaphore::new(instances_max as usize)),
            instances_max,
            waiting: AtomicU32::new(0),
            metrics,
        }
    }

    /// Somebody's module came into memory; others leave when there are too many.
    pub(crate) fn entered(&self, resident: Weak<dyn Resident>) {
        self.ring.lock().push_back(resident);
        while let Some(victim) = self.module_victim() {
            victim.leave_memory();
        }
        self.metrics.modules_resident(self.ring.lock().len());
    }

    fn module_victim(&self) -> Option<Arc<dyn Resident>> {
        let mut ring = self.ring.lock();
        for _ in 0..ring.len() * 2 {
            if ring.len() <= self.modules_max {
                return None;
            }
            let Some(resident) = ring.pop_front().and_then(|weak| weak.upgrade()) else { continue };
            if !resident.take_used() {
                return Some(resident);
            }
            ring.push_back(Arc::downgrade(&resident));
        }
        // Everybody was used since the hand passed, twice: the oldest goes.
        (ring.len() > self.modules_max).then(|| ring.pop_front()?.upgrade())?
    }

    /// A place for one more instance, if there is one without taking it from anybody.
    pub(crate) fn spare_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.instances).try_acquire_owned().ok()
    }

    /// A place for one more instance, taken from an idle one when all are used.
    ///
    /// # Errors
    /// `E_BUSY` when none becomes free before `deadline`.
    pub(crate) async fn permit(
        &self,
        deadline: Instant,
    ) -> Result<OwnedSemaphorePermit, CallError> {
        loop {
            if let Some(permit) = self.spare_permit() {
                return Ok(permit);
            }
            if !self.evict_idle() {
                break;
            }
        }
        self.metrics.limit_hit("instances_total_max");
        let _waiting = Waiting::new(&self.waiting);
        // Once more: an instance may have become idle before this call counted as waiting. A thread
        // that puts one back later sees that this call waits.
        self.evict_idle();
        let permit = Arc::clone(&self.instances).acquire_owned();
        match tokio::time::timeout_at(deadline.into(), permit).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(CallError::new(
                Code::Busy,
                format!(
                    "all {} instances of the host are busy ({})",
                    self.instances_max,
                    named("instances_total_max")
                ),
            )),
        }
    }

    /// Puts an instance back into its pool. What this gives is to end, and why: the pool is closed,
    /// or a call of another actor waits for a place.
    #[inline]
    pub(crate) fn give_back<T>(&self, pool: &Pool<T>, instance: T) -> Option<(T, &'static str)> {
        match pool.put_back(instance) {
            Some(instance) => Some((instance, CLOSED)),
            None => Some((self.wanted(pool)?, EVICTED)),
        }
    }

    /// An idle instance of a pool, if it should end at once because a call waits for a place. To
    /// be asked after an instance was put back, or after a resident entered with its pool.
    #[inline]
    pub(crate) fn wanted<T>(&self, pool: &Pool<T>) -> Option<T> {
        // Acquire, with the release in `Waiting::new`. Whoever waits looks for idle instances
        // after that, and takes them by exchanging the cell they lie in (see `pool`); so either it
        // found the instance that was put back before this, or this sees it.
        if self.waiting.load(Ordering::Acquire) > 0 { pool.take_idle() } else { None }
    }

    fn evict_idle(&self) -> bool {
        let evicted = {
            let mut ring = self.ring.lock();
            let mut steps = 0..ring.len() * 2;
            steps.find_map(|_| {
                let resident = ring.pop_front()?.upgrade()?;
                ring.push_back(Arc::downgrade(&resident));
                if resident.take_used() { None } else { resident.take_idle() }
            })
        };
        // Ending instances takes a while: not under the lock.
        evicted.is_some()
    }

    /// Drops the instances nobody needed since the last sweep.
    pub(crate) fn sweep(&self) {
        let residents: Vec<_> = {
            let mut ring = self.ring.lock();
            ring.retain(|resident| resident.strong_count() > 0);
            ring.iter().filter_map(Weak::upgrade).collect()
        };
        self.metrics.modules_resident(residents.len());
        for resident in residents {
            resident.sweep();
        }
    }
}

/// Counts a waiting call while it lives.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicU32) -> Self {
        // AcqRel: the release is for the acquire in `wanted`, so that a thread that gives an
        // instance back sees this call.
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // Relaxed: a thread that still sees the old number gives up one instance too many, no more.
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
