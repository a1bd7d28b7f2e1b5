//! An actor's inside: its pool, its module, and the road of one call.

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::OwnedSemaphorePermit;
use trellis_core::{CallError, Code, ErrorKind};

use crate::abi::{Abi, Linked};
use crate::call::Call;
use crate::context::ActorContext;
use crate::deadline::{self, Bound, Deadline};
use crate::instance::{Ended, Instance, Tenure};
use crate::metrics;
use crate::module::{Isolation, Wasm};
use crate::pool::{InstanceSlot, Lease, Pool};
use crate::residency::Resident;
use crate::runtime::Runtime;

/// How often a call that used up its slice makes its actor "slow", and from when on calls of the
/// actor begin on the slow lane; quick calls lead back one by one.
const HEAT_STEP: u32 = 8;
const HEAT_MAX: u32 = 64;

/// An actor, whether or not it is in memory.
pub(crate) struct ActorState {
    pub(crate) context: Arc<ActorContext>,
    pub(crate) pool: Arc<Pool<Instance>>,
    pub(crate) runtime: Arc<Runtime>,
    isolation: Isolation,
    wasm: Wasm,
    digest: [u8; 32],
    abi: Abi,
    /// Under this lock the pool is opened and closed, so that the two never disagree.
    linked: Mutex<Option<Arc<Linked>>>,
    loading: tokio::sync::Mutex<()>,
    stopping: AtomicBool,
    /// Called since the clock hand came by (see `residency`).
    used: AtomicBool,
    /// Instances are being made up to the minimum.
    refilling: AtomicBool,
    heat: AtomicU32,
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
            stopping: AtomicBool::new(false),
            used: AtomicBool::new(true),
            refilling: AtomicBool::new(false),
            heat: AtomicU32::new(0),
        }
    }

    /// The rest of a call that found no idle instance.
    pub(super) async fn serve_cold(
        self: &Arc<Self>,
        call: Call,
        deadline: Deadline,
    ) -> Result<Bytes, CallError> {
        let ended = match self.lease(deadline).await? {
            Lease::Idle(mut instance) => {
                instance.begin(call);
                self.drive(Box::pin(instance.run(deadline)), deadline).await
            }
            Lease::Slot(slot) => {
                let run = create_and_run(Arc::clone(self), slot, call, deadline);
                self.drive(Box::pin(run), deadline).await
            }
        };
        self.finish(ended)
    }

    /// Takes answer and instance.
    #[inline]
    pub(super) fn finish(self: &Arc<Self>, ended: Ended) -> Result<Bytes, CallError> {
        match ended {
            Ended::Returned(mut instance) => {
                let answer = instance.answer();
                self.give_back(instance);
                answer
            }
            other => Err(self.failed(other)),
        }
    }

    /// Counts and words how a call without an answer ended; its instance is gone.
    #[cold]
    fn failed(self: &Arc<Self>, ended: Ended) -> CallError {
        self.refill_if_short();
        match ended {
            Ended::Cut(bound) => {
                if let Some(limit) = bound.limit() {
                    self.runtime.metrics.limit_hit(limit);
                }
                bound.error()
            }
            Ended::Failed(error) => error,
            Ended::Returned(_) => CallError::new(Code::Internal, "the call has an answer"),
        }
    }

    #[cold]
    pub(super) fn count_fault(&self, error: &CallError) {
        if matches!(error.kind(), ErrorKind::Guest | ErrorKind::Deadline) {
            self.runtime.metrics.guest_fault(error.code());
        }
    }

    /// Refuses what must not reach the guest; gives the call's deadline.
    #[inline]
    pub(super) fn admit(&self, call: &Call, now: Instant) -> Result<Deadline, CallError> {
        // Relaxed: a call that comes while the actor is being stopped may come before that. Where
        // it matters, `lease` looks again.
        if self.stopping.load(Ordering::Relaxed) {
            return Err(self.is_stopping());
        }
        // Relaxed, a hint; and mostly only read, because a write would take the line from others.
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
        let context = &self.context;
        let limits = &context.limits;
        if call.depth > limits.call_depth_max {
            self.runtime.metrics.limit_hit("call_depth_max");
            let max = limits.call_depth_max;
            let message = format!("{max} calls stand above this one (call_depth_max)");
            return Err(CallError::new(Code::Depth, message));
        }
        context.check_name("operation", call.operation.as_bytes())?;
        context.check_payload("request", call.payload.len())?;
        if now >= call.deadline {
            return Err(CallError::new(Code::Timeout, "the deadline passed before the call began"));
        }
        let deadline = Deadline { at: call.deadline, bound: Bound::Caller };
        Ok(deadline.or_sooner(now + limits.call_time_max, Bound::CallTime))
    }

    #[cold]
    fn is_stopping(&self) -> CallError {
        CallError::new(Code::Stopping, format!("the actor {} is being stopped", self.context.name))
    }

    /// No idle instance: may there be another, or must the call wait?
    async fn lease(&self, deadline: Deadline) -> Result<Lease<Instance>, CallError> {
        let slot = self.pool.try_slot();
        if let Some(slot) = slot {
            self.refuse_if_stopping()?;
            return Ok(Lease::Slot(slot));
        }
        let limits = &self.context.limits;
        let Some(waiter) = self.pool.enqueue() else {
            self.runtime.metrics.limit_hit("queue_max");
            let message = format!("{} calls wait (queue_max)", limits.queue_max);
            return Err(CallError::new(Code::Busy, message));
        };
        self.refuse_if_stopping()?;
        let since = Instant::now();
        let leased = tokio::time::timeout_at(deadline.at.into(), waiter).await;
        self.runtime.metrics.queue_waited(since.elapsed());
        leased.ok().flatten().ok_or_else(|| {
            self.runtime.metrics.limit_hit("instances_max");
            let max = limits.instances_max;
            let message =
                format!("all {max} instances were busy until the deadline (instances_max)");
            CallError::new(Code::Busy, message)
        })
    }

    /// For a call that holds a slot or a place in the queue: a drain has seen it there, or it sees
    /// here that the actor stops.
    fn refuse_if_stopping(&self) -> Result<(), CallError> {
        // Acquire, with the release in `stop`; the order of the two is that of their writes to the
        // pool's number of live instances (`Pool::try_slot`, `Pool::is_quiet`).
        if self.stopping.load(Ordering::Acquire) { Err(self.is_stopping()) } else { Ok(()) }
    }

    /// Runs a call here for a slice, and the rest of it on the slow lane.
    pub(super) async fn drive<F>(&self, mut run: Pin<Box<F>>, deadline: Deadline) -> Ended
    where
        F: Future<Output = Ended> + Send + 'static,
    {
        // Relaxed, here and below: where a call runs is a guess anyway.
        let slow = self.heat.load(Ordering::Relaxed) >= HEAT_STEP;
        if !slow {
            let ended = std::future::poll_fn(|cx| match run.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending if deadline::take_slice_over() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            });
            if let Some(ended) = ended.await {
                return ended;
            }
            // At once: the calls behind this one are probably like it.
            self.heat(true);
        }
        self.runtime.metrics.slow_lane();
        match self.runtime.lane.finish(run, deadline.at).await {
            Ok(Some((ended, busy))) => {
                if slow {
                    self.heat(busy);
                }
                ended
            }
            Ok(None) => Ended::Cut(deadline.bound),
            Err(error) => Ended::Failed(error),
        }
    }

    /// A call used up its slice, or a call on the slow lane did not.
    fn heat(&self, busy: bool) {
        let next = |heat: u32| {
            Some(if busy { (heat + HEAT_STEP).min(HEAT_MAX) } else { heat.saturating_sub(1) })
        };
        // The closure always gives a value.
        let _ = self.heat.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    }

    #[inline]
    fn give_back(&self, instance: Instance) {
        if self.isolation == Isolation::Fresh {
            instance.retire(metrics::FRESH);
        } else if let Some(instance) = self.pool.put_back(instance) {
            instance.retire("closed");
        } else if self.runtime.residency.is_short() {
            self.make_room();
        }
    }

    /// Gives up an idle instance for a call of another actor.
    #[cold]
    fn make_room(&self) {
        if let Some(instance) = self.pool.take_idle() {
            instance.retire("evicted");
        }
    }

    /// The linked module, from memory, the cache or the compiler. Goes on when its caller leaves.
    async fn linked(self: &Arc<Self>) -> Result<Arc<Linked>, CallError> {
        if let Some(linked) = self.linked.lock().clone() {
            return Ok(linked);
        }
        let actor = Arc::clone(self);
        let task = self.runtime.loader.handle().spawn(async move { actor.load().await });
        task.await.unwrap_or_else(|_| {
            Err(CallError::new(Code::Internal, "loading the module ended with a host failure"))
        })
    }

    async fn load(self: &Arc<Self>) -> Result<Arc<Linked>, CallError> {
        let _one_at_a_time = self.loading.lock().await;
        if let Some(linked) = self.linked.lock().clone() {
            return Ok(linked);
        }
        let runtime = &self.runtime;
        let module = runtime.obtain(&self.wasm, &self.digest, &self.context.limits).await?;
        let linked = Arc::new(runtime.linkers.link(&self.abi, &module)?);
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
        if runtime.residency.is_short() {
            self.make_room();
        }
        Ok(linked)
    }

    /// Compiles the module and makes the instances that are to stand ready.
    pub(crate) async fn warm_up(self: &Arc<Self>) -> Result<(), CallError> {
        self.linked().await?;
        // Relaxed: nobody else knows the actor yet. What fails here is told to who loads it, and
        // not tried again aside.
        self.refilling.store(true, Ordering::Relaxed);
        for _ in 0..self.instances_min() {
            let Some(slot) = self.pool.try_slot() else { break };
            self.make_idle(slot, None).await?;
        }
        self.refilling.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// How many instances are to be there, called or not.
    fn instances_min(&self) -> u32 {
        match self.isolation {
            Isolation::Reuse => self.context.limits.instances_min,
            Isolation::Fresh => 0,
        }
    }

    /// Makes one instance for later, at the place in the host it is given or has to wait for.
    async fn make_idle(
        self: &Arc<Self>,
        slot: InstanceSlot<Instance>,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<(), CallError> {
        let _running = self.runtime.ticker.running();
        let at = Instant::now() + self.context.limits.init_time_max;
        let deadline = Deadline { at, bound: Bound::InitTime };
        let actor = Arc::clone(self);
        let made = Box::pin(async move { create(&actor, slot, permit, deadline).await });
        match self.drive(made, deadline).await {
            Ended::Returned(instance) => {
                self.give_back(instance);
                Ok(())
            }
            other => Err(self.failed(other)),
        }
    }

    /// Makes instances again, aside, when fewer than the minimum are left.
    fn refill_if_short(self: &Arc<Self>) {
        if self.pool.live() >= self.instances_min() || !self.is_resident() {
            return;
        }
        // Acquire, with the release below: one refill sees what the one before it made.
        if self.refilling.swap(true, Ordering::Acquire) {
            return;
        }
        let actor = Arc::clone(self);
        self.runtime.loader.handle().spawn(async move {
            if let Err(error) = actor.refill().await {
                let name = &*actor.context.name;
                tracing::warn!(actor = name, %error, "an instance to stand ready was not made");
            }
            actor.refilling.store(false, Ordering::Release);
        });
    }

    /// Makes instances up to the minimum, as long as there are places that nobody has to leave.
    async fn refill(self: &Arc<Self>) -> Result<(), CallError> {
        let min = self.instances_min();
        for _ in 0..min {
            if self.pool.live() >= min {
                break;
            }
            let Some(permit) = self.runtime.residency.spare_permit() else { break };
            let Some(slot) = self.pool.try_slot() else { break };
            if self.refuse_if_stopping().is_err() {
                break;
            }
            self.make_idle(slot, Some(permit)).await?;
        }
        Ok(())
    }

    pub(super) fn stop(&self) {
        {
            let _linked = self.linked.lock();
            // Release: see `refuse_if_stopping`.
            self.stopping.store(true, Ordering::Release);
            self.pool.set_closed(true);
        }
        end_all(self.pool.take_all_idle(), "closed");
    }

    /// Its compiled module is in memory.
    pub(super) fn is_resident(&self) -> bool {
        self.linked.lock().is_some()
    }
}

impl Resident for ActorState {
    fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }

    fn take_idle(&self) -> Option<Box<dyn Send>> {
        let idle = self.pool.take_all_idle();
        if idle.is_empty() { None } else { Some(Box::new(Evicted(idle))) }
    }

    fn leave_memory(&self) {
        {
            let mut linked = self.linked.lock();
            *linked = None;
            self.pool.set_closed(true);
        }
        end_all(self.pool.take_all_idle(), "evicted");
    }

    fn sweep(self: Arc<Self>) {
        end_all(self.pool.sweep(self.context.limits.instances_min as usize), "idle");
        self.refill_if_short();
    }
}

/// Instances that end when this is dropped.
struct Evicted(Vec<Instance>);

impl Drop for Evicted {
    fn drop(&mut self) {
        end_all(std::mem::take(&mut self.0), "evicted");
    }
}

fn end_all(instances: Vec<Instance>, reason: &'static str) {
    for instance in instances {
        instance.retire(reason);
    }
}

/// A call that needs an instance of its own. It owns all it needs, as [`Instance::run`] does, so
/// that it can move to the slow lane.
async fn create_and_run(
    actor: Arc<ActorState>,
    slot: InstanceSlot<Instance>,
    call: Call,
    deadline: Deadline,
) -> Ended {
    match create(&actor, slot, None, deadline).await {
        Ended::Returned(mut instance) => {
            drop(actor);
            instance.begin(call);
            instance.run(deadline).await
        }
        other => other,
    }
}

/// Makes an instance, after bringing the module into memory; waits for a place in the host unless
/// it is given one.
async fn create(
    actor: &Arc<ActorState>,
    slot: InstanceSlot<Instance>,
    permit: Option<OwnedSemaphorePermit>,
    deadline: Deadline,
) -> Ended {
    let linked = match deadline::until(pin!(actor.linked()), deadline.at).await {
        Some(Ok(linked)) => linked,
        Some(Err(error)) => return Ended::Failed(error),
        None => {
            let message = "the module was not in memory before the deadline";
            return Ended::Failed(CallError::new(Code::Timeout, message));
        }
    };
    let permit = match permit {
        Some(permit) => permit,
        None => match actor.runtime.residency.permit(deadline.at).await {
            Ok(permit) => permit,
            Err(error) => return Ended::Failed(error),
        },
    };
    let tenure = Tenure::new(&actor.runtime.metrics, permit, slot);
    let context = Arc::clone(&actor.context);
    match Instance::create(&linked, context, tenure, deadline).await {
        Ok(instance) => Ended::Returned(instance),
        Err(ended) => ended,
    }
}
