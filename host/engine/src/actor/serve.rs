//! The road of one call through its actor.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use trellis_core::{CallError, Code, ErrorKind};
use trellis_limits::named;

use super::brief::brief;
use super::state::ActorState;
use super::stock::create;
use crate::briefing::Occasion;
use crate::call::Call;
use crate::deadline::{Bound, Deadline};
use crate::host_calls::BoxFuture;
use crate::instance::{Ended, Instance};
use crate::pool::{InstanceSlot, Lease};

/// A call that has begun, by how it goes on.
pub(super) enum Begun<'a, F> {
    /// In an instance that was idle.
    Warm { run: Pin<Box<F>>, deadline: Deadline },
    /// There is none: it waits for one, or has one made.
    Cold(BoxFuture<'a, Result<Bytes, CallError>>),
    /// Not at all.
    Refused(CallError),
}

impl ActorState {
    /// Begins a call: in an idle instance if there is one.
    #[inline]
    pub(super) fn begin<'a>(
        self: &'a Arc<Self>,
        call: Call,
        now: Instant,
    ) -> Begun<'a, impl Future<Output = Ended> + Send + 'static + use<>> {
        let deadline = match self.admit(&call, now) {
            Ok(deadline) => deadline,
            Err(error) => return Begun::Refused(error),
        };
        match self.pool.take_idle() {
            Some(instance) if self.must_brief(&instance) => {
                Begun::Cold(Box::pin(self.serve_behind(instance, call, deadline)))
            }
            Some(mut instance) => {
                instance.begin(call, deadline.at);
                Begun::Warm { run: Box::pin(instance.run()), deadline }
            }
            None => Begun::Cold(Box::pin(self.serve_cold(call, deadline))),
        }
    }

    /// Refuses what must not reach the guest; gives the call's deadline.
    #[inline]
    fn admit(&self, call: &Call, now: Instant) -> Result<Deadline, CallError> {
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
            let limit = named("call_depth_max");
            let message = format!("the call is nested deeper than {max} calls ({limit})");
            return Err(CallError::new(Code::Depth, message));
        }
        context.check_name("operation", call.operation.as_bytes())?;
        context.check_payload("request", call.payload.len())?;
        if now >= call.deadline {
            return Err(CallError::new(Code::Timeout, "the deadline passed before the call began"));
        }
        // Before the call has an instance: what has begun is not refused any more.
        if self.begins_slow() && self.runtime.lane.foreseen_wait() > limits.queue_time_max {
            return Err(self.waits_too_long("thread"));
        }
        let deadline = Deadline { at: call.deadline, bound: Bound::Caller };
        Ok(deadline.or_sooner(now + limits.call_time_max, Bound::CallTime))
    }

    /// The rest of a call that found no idle instance.
    async fn serve_cold(
        self: &Arc<Self>,
        call: Call,
        deadline: Deadline,
    ) -> Result<Bytes, CallError> {
        let ended = match self.lease(deadline, self.context.limits.queue_time_max).await? {
            Lease::Idle(instance) => {
                let run = brief_and_run(Arc::clone(self), instance, call, deadline.at);
                self.drive(Box::pin(run), deadline.at).await
            }
            Lease::Slot(slot) => {
                let run = create_and_run(Arc::clone(self), slot, call, deadline.at);
                self.drive(Box::pin(run), deadline.at).await
            }
        };
        self.finish(ended, deadline.bound)
    }

    /// The rest of a call whose instance has to be told something first. One that breaks over that
    /// has not begun with the call: another one takes it.
    async fn serve_behind(
        self: &Arc<Self>,
        instance: Instance,
        call: Call,
        deadline: Deadline,
    ) -> Result<Bytes, CallError> {
        let actor = Arc::clone(self);
        let told =
            async move { brief(&actor, instance, (Occasion::BeforeCall, deadline.at)).await };
        let ended = match self.drive(Box::pin(told), deadline.at).await {
            Ended::Returned(mut instance) => {
                instance.begin(call, deadline.at);
                self.drive(Box::pin(instance.run()), deadline.at).await
            }
            Ended::Failed(_) => return self.serve_cold(call, deadline).await,
            cut @ Ended::Cut(_) => cut,
        };
        self.finish(ended, deadline.bound)
    }

    /// No idle instance: may there be another, or must the call wait?
    pub(super) async fn lease(
        &self,
        deadline: Deadline,
        wait_max: Duration,
    ) -> Result<Lease<Instance>, CallError> {
        let slot = self.pool.try_slot();
        if let Some(slot) = slot {
            self.refuse_if_stopping()?;
            return Ok(Lease::Slot(slot));
        }
        let limits = &self.context.limits;
        let Some(waiter) = self.pool.enqueue() else {
            self.runtime.metrics.limit_hit("queue_max");
            let (max, limit) = (limits.queue_max, named("queue_max"));
            let message = format!("{max} calls are waiting already ({limit})");
            return Err(CallError::new(Code::Busy, message));
        };
        self.refuse_if_stopping()?;
        let since = Instant::now();
        let latest = since + wait_max;
        let leased = tokio::time::timeout_at(latest.min(deadline.at).into(), waiter).await;
        self.runtime.metrics.queue_waited(since.elapsed());
        leased.ok().flatten().ok_or_else(|| {
            if latest < deadline.at {
                return self.waits_too_long("instance");
            }
            self.runtime.metrics.limit_hit("instances_max");
            let (max, limit) = (limits.instances_max, named("instances_max"));
            let message = format!("all {max} instances were busy until the deadline ({limit})");
            CallError::new(Code::Busy, message)
        })
    }

    #[cold]
    fn waits_too_long(&self, what: &str) -> CallError {
        self.runtime.metrics.limit_hit("queue_time_ms_max");
        let (max, limit) = (self.context.limits.queue_time_max, named("queue_time_ms_max"));
        let message = format!("no {what} is free within {} ms ({limit})", max.as_millis());
        CallError::new(Code::Busy, message)
    }

    /// Has one instance told all there is.
    pub(super) async fn brief_one(self: &Arc<Self>, deadline: Instant) -> Result<(), CallError> {
        let _running = self.runtime.ticker.running();
        let limits = &self.context.limits;
        let in_time = Instant::now() + limits.call_time_max;
        let deadline = Deadline { at: deadline, bound: Bound::Caller };
        let deadline = deadline.or_sooner(in_time, Bound::CallTime);
        let lease = match self.pool.take_idle() {
            Some(instance) => Lease::Idle(instance),
            // It is the host's own concern, not a call that somebody waits for.
            None => self.lease(deadline, limits.call_time_max).await?,
        };
        let actor = Arc::clone(self);
        let told = async move {
            let ready = match lease {
                Lease::Idle(instance) => Ended::Returned(instance),
                Lease::Slot(slot) => create(&actor, slot, None, deadline.at).await,
            };
            match ready {
                Ended::Returned(instance) => {
                    brief(&actor, instance, (Occasion::Aside, deadline.at)).await
                }
                other => other,
            }
        };
        match self.drive(Box::pin(told), deadline.at).await {
            Ended::Returned(instance) => {
                self.give_back(instance);
                Ok(())
            }
            other => {
                self.refill_if_short();
                Err(self.ended_without_answer(other, deadline.bound))
            }
        }
    }

    /// Takes answer and instance.
    #[inline]
    pub(super) fn finish(self: &Arc<Self>, ended: Ended, bound: Bound) -> Result<Bytes, CallError> {
        match ended {
            Ended::Returned(mut instance) => {
                let answer = instance.answer();
                self.give_back(instance);
                answer
            }
            other => {
                self.refill_if_short();
                Err(self.ended_without_answer(other, bound))
            }
        }
    }

    #[cold]
    pub(super) fn count_fault(&self, error: &CallError) {
        if matches!(error.kind(), ErrorKind::Guest | ErrorKind::Deadline) {
            self.runtime.metrics.guest_fault(error.code());
        }
    }
}

/// A call that needs an instance of its own. It owns all it needs, as [`Instance::run`] does, so
/// that it can move to the slow lane.
async fn create_and_run(
    actor: Arc<ActorState>,
    slot: InstanceSlot<Instance>,
    call: Call,
    deadline: Instant,
) -> Ended {
    let ready = create(&actor, slot, None, deadline).await;
    drop(actor);
    run(ready, call, deadline).await
}

/// A call in an instance that may have to be told something first.
async fn brief_and_run(
    actor: Arc<ActorState>,
    instance: Instance,
    call: Call,
    deadline: Instant,
) -> Ended {
    let ready = brief(&actor, instance, (Occasion::BeforeCall, deadline)).await;
    drop(actor);
    run(ready, call, deadline).await
}

/// Runs a call in an instance that is ready, if there is one.
async fn run(ready: Ended, call: Call, deadline: Instant) -> Ended {
    match ready {
        Ended::Returned(mut instance) => {
            instance.begin(call, deadline);
            instance.run().await
        }
        other => other,
    }
}
