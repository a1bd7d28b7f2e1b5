//! What an actor is made of: its pool, its module, and whether it is in memory.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::watch;
use trellis_core::{CallError, Code};

use super::starts::Starts;
use crate::abi::{Abi, Linked};
use crate::context::ActorContext;
use crate::deadline::Bound;
use crate::instance::{Ended, Instance};
use crate::metrics;
use crate::module::{Isolation, Wasm};
use crate::pool::Pool;
use crate::residency::{CLOSED, EVICTED};
use crate::runtime::Runtime;

/// An actor, whether or not it is in memory.
pub(crate) struct ActorState {
    pub(crate) context: Arc<ActorContext>,
    pub(crate) pool: Arc<Pool<Instance>>,
    pub(crate) runtime: Arc<Runtime>,
    pub(super) isolation: Isolation,
    wasm: Wasm,
    digest: [u8; 32],
    abi: Abi,
    /// Under this lock the pool is opened and closed, so that the two never disagree.
    pub(super) linked: Mutex<Option<Arc<Linked>>>,
    loading: tokio::sync::Mutex<()>,
    pub(super) starts: Starts,
    /// True once nobody has the actor any more: nobody waits for its module either.
    gone: watch::Sender<bool>,
    pub(super) stopping: AtomicBool,
    /// Called since the clock hand came by (see `residency`).
    pub(super) used: AtomicBool,
    /// Instances are being made up to the minimum.
    pub(super) refilling: AtomicBool,
    pub(super) heat: AtomicU32,
}

/// What [`ActorState::new`] needs of the module.
pub(crate) struct Parts {
    pub(crate) abi: Abi,
    pub(crate) wasm: Wasm,
    pub(crate) digest: [u8; 32],
    pub(crate) isolation: Isolation,
}

impl ActorState {
    pub(crate) fn new(runtime: Arc<Runtime>, context: Arc<ActorContext>, parts: Parts) -> Self {
        let limits = &context.limits;
        let pool = Pool::new(limits.instances_max.max(1), limits.queue_max);
        let starts = Starts::new(limits.start_backoffs_max);
        Self {
            context,
            pool,
            runtime,
            isolation: parts.isolation,
            wasm: parts.wasm,
            digest: parts.digest,
            abi: parts.abi,
            linked: Mutex::new(None),
            loading: tokio::sync::Mutex::new(()),
            starts,
            gone: watch::Sender::new(false),
            stopping: AtomicBool::new(false),
            used: AtomicBool::new(true),
            refilling: AtomicBool::new(false),
            heat: AtomicU32::new(0),
        }
    }

    #[cold]
    pub(super) fn is_stopping(&self) -> CallError {
        CallError::new(Code::Stopping, format!("the actor {} is being stopped", self.context.name))
    }

    /// For a call that holds a slot or a place in the queue: a drain has seen it there, or it sees
    /// here that the actor stops.
    pub(super) fn refuse_if_stopping(&self) -> Result<(), CallError> {
        // Acquire, with the release in `stop`; the order of the two is that of their writes to the
        // pool's number of live instances (`Pool::try_slot`, `Pool::is_quiet`).
        if self.stopping.load(Ordering::Acquire) { Err(self.is_stopping()) } else { Ok(()) }
    }

    #[inline]
    pub(super) fn give_back(&self, instance: Instance) {
        if self.isolation == Isolation::Fresh {
            instance.retire(metrics::FRESH);
        } else if let Some((instance, reason)) =
            self.runtime.residency.give_back(&self.pool, instance)
        {
            instance.retire(reason);
        }
    }

    /// Counts and words how a call without an answer ended, whose deadline came from `bound`; its
    /// instance is gone.
    #[cold]
    pub(super) fn ended_without_answer(&self, ended: Ended, bound: Bound) -> CallError {
        match ended {
            Ended::Cut(other) => {
                let bound = other.unwrap_or(bound);
                if let Some(limit) = bound.limit() {
                    self.runtime.metrics.limit_hit(limit);
                }
                bound.error()
            }
            Ended::Failed(error) => error,
            Ended::Returned(_) => CallError::new(Code::Internal, "the call has an answer"),
        }
    }

    /// The linked module, from memory, the cache or the compiler. Goes on when its caller leaves,
    /// for as long as anybody has the actor.
    pub(super) async fn linked(self: &Arc<Self>) -> Result<Arc<Linked>, CallError> {
        if let Some(linked) = self.linked.lock().clone() {
            return Ok(linked);
        }
        let actor = Arc::clone(self);
        let task =
            self.runtime.loader.handle().spawn(async move { actor.load_while_wanted().await });
        task.await.unwrap_or_else(|_| {
            Err(CallError::new(Code::Internal, "loading the module ended with a host failure"))
        })
    }

    /// Loads the module, and stops when the actor goes away: an actor that is no longer wanted must
    /// not keep a compiler from others.
    async fn load_while_wanted(self: &Arc<Self>) -> Result<Arc<Linked>, CallError> {
        let mut gone = self.gone.subscribe();
        tokio::select! {
            loaded = self.load() => loaded,
            // Its sender lives as long as the actor's state, which is borrowed here.
            _ = gone.wait_for(|gone| *gone) => Err(self.is_stopping()),
        }
    }

    async fn load(self: &Arc<Self>) -> Result<Arc<Linked>, CallError> {
        let _one_at_a_time = self.loading.lock().await;
        if let Some(linked) = self.linked.lock().clone() {
            return Ok(linked);
        }
        let runtime = &self.runtime;
        let compiled = runtime.obtain(&self.wasm, &self.digest, &self.context.limits).await?;
        let linked = Arc::new(runtime.linkers.link(&self.abi, &compiled)?);
        {
            let mut place = self.linked.lock();
            *place = Some(Arc::clone(&linked));
            // Relaxed: `stop` writes it under the same lock.
            if !self.stopping.load(Ordering::Relaxed) {
                self.pool.set_closed(false);
            }
        }
        let resident: Weak<Self> = Arc::downgrade(self);
        runtime.residency.entered(resident);
        // Until now nobody could ask this actor for its idle instances.
        if let Some(instance) = runtime.residency.wanted(&self.pool) {
            instance.retire(EVICTED);
        }
        Ok(linked)
    }

    pub(super) fn stop(&self) {
        {
            let _linked = self.linked.lock();
            // Release: see `refuse_if_stopping`.
            self.stopping.store(true, Ordering::Release);
            self.pool.set_closed(true);
        }
        end_all(self.pool.take_all_idle(), CLOSED);
    }

    /// Nobody has the actor any more.
    pub(super) fn abandon(&self) {
        self.stop();
        self.gone.send_replace(true);
    }

    /// Its compiled module is in memory.
    pub(super) fn is_resident(&self) -> bool {
        self.linked.lock().is_some()
    }

    /// How many instances are to be there, called or not.
    pub(super) fn instances_min(&self) -> u32 {
        match self.isolation {
            Isolation::Reuse => self.context.limits.instances_min,
            Isolation::Fresh => 0,
        }
    }
}

/// Ends instances, saying why.
pub(super) fn end_all(instances: Vec<Instance>, reason: &'static str) {
    for instance in instances {
        instance.retire(reason);
    }
}
