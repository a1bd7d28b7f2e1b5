//! Who is in memory: a bound on compiled modules and on the instances of all actors together.
//!
//! Both make room by the clock rule: actors stand in a ring; the hand passes over whoever was
//! called since it came by last, and takes from the first who was not.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use trellis_core::{CallError, Code};

use crate::actor::Inner;
use crate::metrics::Metrics;

/// The actors whose modules are in memory.
pub(crate) struct Residents {
    ring: Mutex<VecDeque<Weak<Inner>>>,
    modules_max: usize,
    instances: Arc<Semaphore>,
    instances_max: u32,
    /// Calls that wait for any actor to give up an instance.
    waiting: AtomicU32,
    metrics: Arc<Metrics>,
}

impl Residents {
    pub(crate) fn new(modules_max: u32, instances_max: u32, metrics: Arc<Metrics>) -> Self {
        Self {
            ring: Mutex::default(),
            modules_max: modules_max.max(1) as usize,
            instances: Arc::new(Semaphore::new(instances_max as usize)),
            instances_max,
            waiting: AtomicU32::new(0),
            metrics,
        }
    }

    /// An actor's module came into memory; others leave when there are too many.
    pub(crate) fn entered(&self, actor: &Arc<Inner>) {
        self.ring.lock().push_back(Arc::downgrade(actor));
        while let Some(victim) = self.module_victim() {
            victim.leave_memory();
        }
        self.metrics.modules_resident(self.ring.lock().len());
    }

    fn module_victim(&self) -> Option<Arc<Inner>> {
        let mut ring = self.ring.lock();
        for _ in 0..ring.len() * 2 {
            if ring.len() <= self.modules_max {
                return None;
            }
            let Some(actor) = ring.pop_front().and_then(|weak| weak.upgrade()) else { continue };
            if !actor.take_used() {
                return Some(actor);
            }
            ring.push_back(Arc::downgrade(&actor));
        }
        // Everybody was called since the hand passed, twice: the oldest goes.
        (ring.len() > self.modules_max).then(|| ring.pop_front()?.upgrade())?
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
            if let Ok(permit) = Arc::clone(&self.instances).try_acquire_owned() {
                return Ok(permit);
            }
            if !self.evict_idle() {
                break;
            }
        }
        self.metrics.limit_hit("instances_total_max");
        let _waiting = Waiting::new(&self.waiting);
        // Once more: an instance may have become idle before this call counted as waiting.
        self.evict_idle();
        let permit = Arc::clone(&self.instances).acquire_owned();
        match tokio::time::timeout_at(deadline.into(), permit).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(CallError::new(
                Code::Busy,
                format!(
                    "all {} instances of the host are busy (instances_total_max)",
                    self.instances_max
                ),
            )),
        }
    }

    /// True when a returned instance should go at once, because a call waits for its place.
    #[inline]
    pub(crate) fn is_short(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    fn evict_idle(&self) -> bool {
        let mut evicted = Vec::new();
        {
            let mut ring = self.ring.lock();
            for _ in 0..ring.len() * 2 {
                let Some(actor) = ring.pop_front().and_then(|weak| weak.upgrade()) else {
                    continue;
                };
                if !actor.take_used() {
                    evicted = actor.pool.take_all_idle();
                }
                ring.push_back(Arc::downgrade(&actor));
                if !evicted.is_empty() {
                    break;
                }
            }
        }
        let found = !evicted.is_empty();
        for instance in evicted {
            instance.retire("evicted");
        }
        found
    }

    /// Drops the instances nobody needed since the last sweep.
    pub(crate) fn sweep(&self) {
        let actors: Vec<_> = {
            let mut ring = self.ring.lock();
            ring.retain(|actor| actor.strong_count() > 0);
            ring.iter().filter_map(Weak::upgrade).collect()
        };
        self.metrics.modules_resident(actors.len());
        for actor in actors {
            for instance in actor.pool.sweep(actor.shared.limits.instances_min as usize) {
                instance.retire("idle");
            }
        }
    }
}

/// Counts a waiting call while it lives.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
