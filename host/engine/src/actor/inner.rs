//! An actor's inside: its pool, its module, and the road of one call.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use parking_lot::Mutex;
use trellis_core::{CallError, Code, ErrorKind, Invocation};

use crate::abi::wapc::memory;
use crate::deadline;
use crate::engine::Shared;
use crate::instance::{ActorShared, Ended, Instance};
use crate::metrics;
use crate::module::{Compiled, Isolation, Outline, Wasm};
use crate::pool::{Grant, Pool, Seat};

/// How often a call that used up its slice makes its actor "slow", and from when on calls of the
/// actor begin on the slow lane; quick calls lead back one by one.
const HEAT_STEP: u32 = 8;
const HEAT_MAX: u32 = 64;
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

    /// The rest of a call that found no idle instance.
    pub(super) async fn serve_cold(
        self: &Arc<Self>,
        request: Invocation,
        deadline: Instant,
    ) -> Result<Bytes, CallError> {
        let ended = match self.grant(deadline).await? {
            Grant::Idle(mut instance) => {
                instance.begin(request, deadline);
                self.drive(Box::pin(instance.run()), deadline).await
            }
            Grant::Seat(seat) => {
                self.drive(Box::pin(create_and_run(seat, request, deadline)), deadline).await
            }
        };
        self.finish(ended)
    }

    /// Takes answer and instance.
    #[inline]
    pub(super) fn finish(&self, ended: Ended) -> Result<Bytes, CallError> {
        match ended {
            Ended::Returned(mut instance, code) => {
                let answer = instance.answer(code);
                self.give_back(instance);
                answer
            }
            Ended::Failed(error) => Err(error),
        }
    }

    #[cold]
    pub(super) fn count_fault(&self, error: &CallError) {
        if matches!(error.kind(), ErrorKind::Guest | ErrorKind::Deadline) {
            self.engine.metrics.guest_fault(error.code());
        }
    }

    /// Refuses what must not reach the guest; gives the call's deadline.
    #[inline]
    pub(super) fn admit(&self, request: &Invocation, now: Instant) -> Result<Instant, CallError> {
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
        Ok(request.deadline.min(now + limits.call_time_max))
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
    pub(super) async fn drive<F>(&self, mut run: Pin<Box<F>>, deadline: Instant) -> Ended
    where
        F: Future<Output = Ended> + Send + 'static,
    {
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
        self.engine.metrics.slow_lane();
        match self.engine.lane.finish(run, deadline).await {
            Ok((ended, busy)) => {
                if slow {
                    self.heat(busy);
                }
                ended
            }
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
        let task = self.engine.loader.handle().spawn(async move { actor.load().await });
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
            let _running = self.engine.ticker.running();
            let Some(seat) = self.pool.try_seat(self) else { break };
            let deadline = Instant::now() + self.shared.limits.init_time_max;
            let made = Box::pin(async move {
                match create(seat, deadline).await {
                    Ok(instance) => Ended::Returned(instance, 1),
                    Err(error) => Ended::Failed(error),
                }
            });
            match self.drive(made, deadline).await {
                Ended::Returned(instance, _) => self.give_back(instance),
                Ended::Failed(error) => return Err(error),
            }
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

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.pool.set_closed(true);
        for instance in self.pool.take_all_idle() {
            instance.retire("closed");
        }
    }

    /// Its compiled module is in memory.
    pub(super) fn is_resident(&self) -> bool {
        self.compiled.lock().is_some()
    }

    /// Whether it was called since this was last asked.
    pub(crate) fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }
}

/// A call that needs an instance of its own. It owns all it needs, as [`Instance::run`] does, so
/// that it can move to the slow lane.
async fn create_and_run(seat: Seat, request: Invocation, deadline: Instant) -> Ended {
    match create(seat, deadline).await {
        Ok(mut instance) => {
            instance.begin(request, deadline);
            instance.run().await
        }
        Err(error) => Ended::Failed(error),
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
