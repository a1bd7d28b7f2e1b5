//! Instances that are made before a call needs them, and those that go again.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::sync::OwnedSemaphorePermit;
use trellis_core::{CallError, Code};

use super::brief::brief;
use super::state::{ActorState, end_all};
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
            if let Err(error) = actor.refill().await {
                let name = &*actor.context.name;
                tracing::warn!(actor = name, %error, "a standby instance could not be made");
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
/// place in the host unless it is given one.
pub(super) async fn create(
    actor: &Arc<ActorState>,
    slot: InstanceSlot<Instance>,
    permit: Option<OwnedSemaphorePermit>,
    deadline: Instant,
) -> Ended {
    let linked = match deadline::until(pin!(actor.linked()), deadline).await {
        Some(Ok(linked)) => linked,
        Some(Err(error)) => return Ended::Failed(error),
        None => {
            let message = "the module was not in memory before the deadline";
            return Ended::Failed(CallError::new(Code::Timeout, message));
        }
    };
    let permit = match permit {
        Some(permit) => permit,
        None => match actor.runtime.residency.permit(deadline).await {
            Ok(permit) => permit,
            Err(error) => return Ended::Failed(error),
        },
    };
    let tenure = Tenure::new(&actor.runtime.metrics, permit, slot);
    let context = Arc::clone(&actor.context);
    match Instance::create(&linked, context, tenure, deadline).await {
        Ok(instance) => brief(actor, instance, deadline).await,
        Err(ended) => ended,
    }
}
