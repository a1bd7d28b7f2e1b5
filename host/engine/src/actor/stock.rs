//! Instances that are made before a call needs them, and those that go again.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::sync::OwnedSemaphorePermit;
use trellis_core::{CallError, Code, ErrorKind};
use trellis_limits::fixed;
use trellis_meters::Restart;

use super::brief::brief;
use super::starts::Attempt;
use super::state::{ActorState, end_all};
use crate::briefing::Occasion;
use crate::deadline::{self, Bound};
use crate::instance::{Ended, Instance, Tenure};
use crate::pool::InstanceSlot;
use crate::residency::{EVICTED, Resident};

impl ActorState {
    /// Compiles the module and makes the instances that are to stand ready.
    pub(crate) async fn warm_up(self: &Arc<Self>) -> Result<(), CallError> {
        self.linked().await?;
        // Relaxed: nobody else knows the actor yet. A failure here is an error for whoever loads
        // it, and is not tried again in the background.
        self.refilling.store(true, Ordering::Relaxed);
        for _ in 0..self.instances_min() {
            let Some(slot) = self.pool.try_slot() else { break };
            self.make_idle(slot, None).await?;
        }
        self.refilling.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Makes one instance for later, at the place in the host it is given or has to wait for.
    async fn make_idle(
        self: &Arc<Self>,
        slot: InstanceSlot<Instance>,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<(), CallError> {
        let _running = self.runtime.ticker.running();
        let deadline = Instant::now() + self.context.limits.init_time_max;
        let actor = Arc::clone(self);
        let made = Box::pin(async move { create(&actor, slot, permit, deadline).await });
        match self.drive(made, deadline).await {
            Ended::Returned(instance) => {
                self.give_back(instance);
                Ok(())
            }
            other => Err(self.ended_without_answer(other, Bound::InitTime)),
        }
    }

    /// Makes instances again, aside, when fewer than the minimum are left.
    pub(super) fn refill_if_short(self: &Arc<Self>) {
        if self.pool.live() >= self.instances_min() || !self.is_resident() {
            return;
        }
        // Acquire, with the `Release` below: one refill sees what the one before it made.
        if self.refilling.swap(true, Ordering::Acquire) {
            return;
        }
        let actor = Arc::clone(self);
        self.runtime.loader.handle().spawn(async move {
            match actor.refill().await {
                // Who watches over the actor knows.
                Err(error) if error.code() == Code::CrashLoop => {}
                Err(error) => {
                    let name = &*actor.context.name;
                    tracing::warn!(actor = name, %error, "a standby instance could not be made");
                }
                Ok(()) => {}
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
        end_all(self.pool.take_all_idle(), EVICTED);
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
        end_all(std::mem::take(&mut self.0), EVICTED);
    }
}

/// Makes an instance that knows what it has to, after bringing the module into memory; waits for a
/// place in the host unless it is given one. Refuses while the actor is left alone because its
/// instances break.
pub(super) async fn create(
    actor: &Arc<ActorState>,
    slot: InstanceSlot<Instance>,
    permit: Option<OwnedSemaphorePermit>,
    deadline: Instant,
) -> Ended {
    let mut start = match Start::begin(actor) {
        Ok(start) => start,
        Err(error) => return Ended::Failed(error),
    };
    match make(&mut start, slot, permit, deadline).await {
        Ok(instance) => {
            start.worked();
            // What breaks it from here on is what it is told, not that it starts.
            brief(actor, instance, (Occasion::BeforeCall, deadline)).await
        }
        Err(ended) => {
            if let Ended::Failed(error) = &ended {
                start.failed(error);
            }
            ended
        }
    }
}

async fn make(
    start: &mut Start<'_>,
    slot: InstanceSlot<Instance>,
    permit: Option<OwnedSemaphorePermit>,
    deadline: Instant,
) -> Result<Instance, Ended> {
    let actor = start.actor;
    let linked = match deadline::until(pin!(actor.linked()), deadline).await {
        Some(linked) => linked.map_err(Ended::Failed)?,
        None => {
            let message = "the module was not in memory before the deadline";
            return Err(Ended::Failed(CallError::new(Code::Timeout, message)));
        }
    };
    let permit = match permit {
        Some(permit) => permit,
        None => actor.runtime.residency.permit(deadline).await.map_err(Ended::Failed)?,
    };
    let tenure = Tenure::new(&actor.runtime.metrics, permit, slot);
    let context = Arc::clone(&actor.context);
    start.runs_since = Some(Instant::now());
    Instance::create(&linked, context, tenure, deadline).await
}

/// One start of an instance, whose outcome is told to whoever watches over the actor.
struct Start<'a> {
    actor: &'a Arc<ActorState>,
    /// None once its outcome is known.
    attempt: Option<Attempt<'a>>,
    /// Since when the guest itself runs.
    runs_since: Option<Instant>,
}

impl<'a> Start<'a> {
    /// # Errors
    /// While the actor is left alone.
    fn begin(actor: &'a Arc<ActorState>) -> Result<Self, CallError> {
        let attempt = Some(actor.starts.begin(Instant::now())?);
        Ok(Self { actor, attempt, runs_since: None })
    }

    fn worked(mut self) {
        if self.attempt.take().is_some_and(Attempt::worked) {
            self.actor.context.host.recovered();
        }
    }

    /// Counts when it is the module's own fault: everything else may work the next time.
    fn failed(&mut self, why: &CallError) {
        if matches!(why.kind(), ErrorKind::Guest | ErrorKind::Invalid) {
            self.count(why);
        }
        self.attempt = None;
    }

    fn count(&mut self, why: &CallError) {
        let next = self.attempt.take().and_then(|it| it.failed(why, fastrand::f64()));
        let Some(next) = next else { return };
        let context = &self.actor.context;
        context.metrics.limit_hit(match next {
            Restart::AtOnce | Restart::BackOff(_) => fixed::RESTARTS.name,
            Restart::Quarantine(_) => "start_backoffs_max",
        });
        context.host.failed(next, why);
    }
}

impl Drop for Start<'_> {
    /// One that was cut, by whomever, counts when it had had time: a caller may be in more of a
    /// hurry than any start could be.
    fn drop(&mut self) {
        let time = self.actor.context.limits.init_time_max / 2;
        if self.attempt.is_some() && self.runs_since.is_some_and(|since| since.elapsed() >= time) {
            self.count(&Bound::InitTime.error());
        }
    }
}
