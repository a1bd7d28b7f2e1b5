//! An actor as its callers see it, and the road of one call through it.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use trellis_core::limits::ActorLimits;
use trellis_core::{CallError, Code, ErrorKind, Trace};

use crate::abi::wapc::memory;
use crate::deadline;
use crate::engine::Shared;
use crate::instance::{ActorShared, Ended, Instance};
use crate::metrics::Metrics;
use crate::module::{Compiled, Isolation, Outline, Wasm};
use crate::pool::{Grant, Pool, Seat};
use crate::ticker::Running;

/// One call of an actor.
#[derive(Clone, Debug)]
pub struct Request {
    /// The operation's name.
    pub operation: Arc<str>,
    /// The request message, encoded.
    pub payload: Bytes,
    /// When the caller stops waiting; `call_time_ms_max` may cut earlier.
    pub deadline: Instant,
    /// How many calls stand above this one.
    pub depth: u32,
    /// Which request it belongs to.
    pub trace: Trace,
}

/// A loaded actor. Cheap to clone; the last clone to go ends its idle instances.
#[derive(Clone)]
pub struct Actor {
    handle: Arc<Handle>,
}

/// An actor's instances at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Stats {
    /// Instances alive, idle ones included.
    pub instances: u32,
    /// Instances waiting for a call.
    pub idle: u32,
    /// Calls waiting for an instance.
    pub waiting: u32,
    /// True while its compiled module is in memory.
    pub resident: bool,
}

impl Actor {
    pub(crate) fn new(inner: Arc<Inner>) -> Self {
        Self { handle: Arc::new(Handle(inner)) }
    }

    /// Runs one operation. Dropping the future ends the call and its instance.
    ///
    /// # Errors
    /// `E_STOPPING` after [`drain`](Self::drain); `E_DEPTH`, `E_TOO_LARGE`, `E_BAD_NAME` before
    /// anything runs; `E_BUSY` when no instance becomes free; `E_TIMEOUT` at the deadline;
    /// `E_GUEST` with the guest's own words; `E_TRAP`, `E_STACK`, `E_MEMORY`, `E_GUEST_POINTER`
    /// when the guest broke (its instance is gone, the next call gets another).
    pub async fn call(&self, request: Request) -> Result<Bytes, CallError> {
        let inner = &self.handle.0;
        let running = inner.engine.ticker.running();
        let began = Began::new(&running);
        let result = inner.serve(request, began.coarse).await;
        began.ended(&running, &inner.engine.metrics);
        inner.shared.log.call_ended();
        if let Err(error) = &result {
            inner.count_fault(error);
        }
        result
    }

    /// Refuses new calls and waits for those that run or wait; true when none is left before
    /// `deadline`.
    pub async fn drain(&self, deadline: Instant) -> bool {
        let inner = &self.handle.0;
        inner.stop();
        loop {
            let changed = inner.pool.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if inner.pool.is_quiet() {
                return true;
            }
            if tokio::time::timeout_at(deadline.into(), changed).await.is_err() {
                return inner.pool.is_quiet();
            }
        }
    }

    /// The name it was loaded with.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.handle.0.shared.name
    }

    /// Its limits, after the host's caps.
    #[must_use]
    pub fn limits(&self) -> &ActorLimits {
        &self.handle.0.shared.limits
    }

    /// Its instances now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let counts = self.handle.0.pool.counts();
        Stats {
            instances: counts.live,
            idle: counts.idle,
            waiting: counts.waiting,
            resident: self.handle.0.compiled.lock().is_some(),
        }
    }
}

/// One call in this many is timed exactly and counts for all of them.
const TIMED_EVERY: u64 = 16;
/// What the coarse clock can tell apart for sure; a longer call counts by itself.
const LONG: Duration = Duration::from_millis(5);

/// When a call began. Reading a precise clock twice costs a tenth of a short call, so most short
/// calls are not timed.
struct Began {
    coarse: Instant,
    precise: Option<Instant>,
}

impl Began {
    #[inline]
    fn new(running: &Running<'_>) -> Self {
        let timed = running.number() % TIMED_EVERY == 0;
        Self { coarse: running.coarse_now(), precise: timed.then(Instant::now) }
    }

    #[inline]
    fn ended(&self, running: &Running<'_>, metrics: &Metrics) {
        let coarse = running.coarse_now().saturating_duration_since(self.coarse);
        if coarse >= LONG {
            metrics.call_took(coarse, 1);
        } else if let Some(precise) = self.precise {
            metrics.call_took(precise.elapsed(), TIMED_EVERY);
        }
    }
}

/// What all clones of an [`Actor`] share. Idle instances know their actor, so without this the two
/// would keep each other alive.
struct Handle(Arc<Inner>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.stop();
        self.0.leave_memory();
    }
}

/// How often a call that used up its slice makes its actor "slow", and from when on calls of the
/// actor begin on the slow lane; quick calls lead back one by one.
const HEAT_STEP: u32 = 8;
const HEAT_MAX: u32 = 64;
/// A call on the slow lane that is quicker than this counts as quick.
const QUICK: Duration = Duration::from_millis(1);

/// An actor, whether or not it is in memory.
pub(crate) struct Inner {
    pub(crate) shared: Arc<ActorShared>,
    pub(crate) pool: Pool,
    pub(crate) engine: Arc<Shared>,
    isolation: Isolation,
    wasm: Wasm,
    digest: [u8; 32],
    outline: Outline,
    compiled: Mutex<Option<Arc<Compiled>>>,
    loading: tokio::sync::Mutex<()>,
    stopping: AtomicBool,
    /// Called since the clock hand came by (see `residents`).
    used: AtomicBool,
    heat: AtomicU32,
}

/// What [`Inner::new`] needs of the module.
pub(crate) struct Parts {
    pub(crate) wasm: Wasm,
    pub(crate) digest: [u8; 32],
    pub(crate) isolation: Isolation,
    pub(crate) outline: Outline,
}

impl Inner {
    pub(crate) fn new(engine: Arc<Shared>, shared: Arc<ActorShared>, parts: Parts) -> Self {
        let limits = &shared.limits;
        let pool = Pool::new(limits.instances_max.max(1), limits.queue_max);
        Self {
            shared,
            pool,
            engine,
            isolation: parts.isolation,
            wasm: parts.wasm,
            digest: parts.digest,
            outline: parts.outline,
            compiled: Mutex::new(None),
            loading: tokio::sync::Mutex::new(()),
            stopping: AtomicBool::new(false),
            used: AtomicBool::new(true),
            heat: AtomicU32::new(0),
        }
    }

    async fn serve(self: &Arc<Self>, request: Request, now: Instant) -> Result<Bytes, CallError> {
        self.admit(&request, now)?;
        let deadline = request.deadline.min(now + self.shared.limits.call_time_max);
        let idle = match self.pool.take_idle() {
            Some(instance) => Grant::Idle(instance),
            None => self.grant(deadline).await?,
        };
        let (instance, answer) = match idle {
            Grant::Idle(mut instance) => {
                instance.begin(request, deadline);
                self.drive(Box::pin(instance.run()), deadline).await?
            }
            Grant::Seat(seat) => {
                self.drive(Box::pin(create_and_run(seat, request, deadline)), deadline).await?
            }
        };
        if let Some(instance) = instance {
            self.give_back(instance);
        }
        answer
    }

    #[cold]
    fn count_fault(&self, error: &CallError) {
        if matches!(error.kind(), ErrorKind::Guest | ErrorKind::Deadline) {
            self.engine.metrics.guest_fault(error.code());
        }
    }

    /// Refuses what must not reach the guest.
    #[inline]
    fn admit(&self, request: &Request, now: Instant) -> Result<(), CallError> {
        if self.stopping.load(Ordering::Relaxed) {
            return Err(self.is_stopping());
        }
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
        let limits = &self.shared.limits;
        if request.depth > limits.call_depth_max {
            self.engine.metrics.limit_hit("call_depth_max");
            let max = limits.call_depth_max;
            let message = format!("{max} calls stand above this one (call_depth_max)");
            return Err(CallError::new(Code::Depth, message));
        }
        memory::name("operation", request.operation.as_bytes(), limits.name_bytes_max)?;
        self.shared.check_payload("request", request.payload.len())?;
        if now >= request.deadline {
            return Err(CallError::new(Code::Timeout, "the deadline passed before the call began"));
        }
        Ok(())
    }

    #[cold]
    fn is_stopping(&self) -> CallError {
        CallError::new(Code::Stopping, format!("the actor {} is being stopped", self.shared.name))
    }

    /// No idle instance: may there be another, or must the call wait?
    async fn grant(self: &Arc<Self>, deadline: Instant) -> Result<Grant, CallError> {
        if let Some(seat) = self.pool.try_seat(self) {
            if self.stopping.load(Ordering::Acquire) {
                return Err(self.is_stopping());
            }
            return Ok(Grant::Seat(seat));
        }
        let since = Instant::now();
        let granted = self.pool.wait(self, deadline).await;
        self.engine.metrics.queue_waited(since.elapsed());
        granted
    }

    /// Runs a call here for a slice, and the rest of it on the slow lane.
    async fn drive<F>(
        &self,
        mut run: Pin<Box<F>>,
        deadline: Instant,
    ) -> Result<F::Output, CallError>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let slow = self.heat.load(Ordering::Relaxed) >= HEAT_STEP;
        if !slow {
            let ended = std::future::poll_fn(|cx| match run.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending if deadline::take_slice_over() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            });
            if let Some(output) = ended.await {
                return Ok(output);
            }
        }
        self.engine.metrics.slow_lane();
        let since = Instant::now();
        let output = self.engine.lane.finish(run, deadline).await;
        let heat = self.heat.load(Ordering::Relaxed);
        let heat = if slow && since.elapsed() < QUICK {
            heat.saturating_sub(1)
        } else {
            (heat + HEAT_STEP).min(HEAT_MAX)
        };
        self.heat.store(heat, Ordering::Relaxed);
        output
    }

    #[inline]
    fn give_back(&self, instance: Instance) {
        if self.isolation == Isolation::Fresh {
            instance.retire("fresh");
        } else if self.engine.residents.is_short() {
            instance.retire("evicted");
        } else if let Some(instance) = self.pool.put_back(instance) {
            instance.retire("closed");
        }
    }

    /// The linked module, from memory, the cache or the compiler. Goes on when its caller leaves.
    async fn compiled(self: &Arc<Self>) -> Result<Arc<Compiled>, CallError> {
        if let Some(compiled) = self.compiled.lock().clone() {
            return Ok(compiled);
        }
        let actor = Arc::clone(self);
        let task = self.engine.lane.handle().spawn(async move { actor.load().await });
        task.await.unwrap_or_else(|_| {
            Err(CallError::new(Code::Internal, "loading the module ended with a host failure"))
        })
    }

    async fn load(self: &Arc<Self>) -> Result<Arc<Compiled>, CallError> {
        let _one_at_a_time = self.loading.lock().await;
        if let Some(compiled) = self.compiled.lock().clone() {
            return Ok(compiled);
        }
        let module = self.engine.obtain(&self.wasm, &self.digest, &self.shared.limits).await?;
        let compiled = Arc::new(Compiled::link(&module, &self.outline, &self.engine.linkers)?);
        *self.compiled.lock() = Some(Arc::clone(&compiled));
        if !self.stopping.load(Ordering::Acquire) {
            self.pool.set_closed(false);
        }
        self.engine.residents.entered(self);
        Ok(compiled)
    }

    /// Compiles the module and makes the instances that are to stand ready.
    pub(crate) async fn warm_up(self: &Arc<Self>) -> Result<(), CallError> {
        self.compiled().await?;
        for _ in 0..self.shared.limits.instances_min {
            let Some(seat) = self.pool.try_seat(self) else { break };
            let deadline = Instant::now() + self.shared.limits.init_time_max;
            let instance = self.drive(Box::pin(create(seat, deadline)), deadline).await??;
            self.give_back(instance);
        }
        Ok(())
    }

    /// Gives up the module and the idle instances; the next call brings them back.
    pub(crate) fn leave_memory(&self) {
        self.pool.set_closed(true);
        *self.compiled.lock() = None;
        for instance in self.pool.take_all_idle() {
            instance.retire("evicted");
        }
    }

    fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.pool.set_closed(true);
        for instance in self.pool.take_all_idle() {
            instance.retire("closed");
        }
    }

    /// Whether it was called since this was last asked.
    pub(crate) fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }
}

/// A call that needs an instance of its own. It owns all it needs, as [`Instance::run`] does, so
/// that it can move to the slow lane.
async fn create_and_run(seat: Seat, request: Request, deadline: Instant) -> Ended {
    match create(seat, deadline).await {
        Ok(mut instance) => {
            instance.begin(request, deadline);
            instance.run().await
        }
        Err(error) => (None, Err(error)),
    }
}

async fn create(mut seat: Seat, deadline: Instant) -> Result<Instance, CallError> {
    let actor = Arc::clone(seat.actor());
    let compiled = match deadline::until(pin!(actor.compiled()), deadline).await {
        Some(compiled) => compiled?,
        None => {
            let message = "the module was not in memory before the deadline";
            return Err(CallError::new(Code::Timeout, message));
        }
    };
    seat.hold(actor.engine.residents.permit(deadline).await?);
    Instance::create(&compiled, seat, deadline).await
}
