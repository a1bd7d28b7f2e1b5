//! One live instance of an actor: a guest, and its places in the pools. One call at a time.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use trellis_core::CallError;

use crate::abi::{Linked, LiveGuest};
use crate::briefing::Briefed;
use crate::call::Call;
use crate::context::ActorContext;
use crate::deadline::{self, Bound};
use crate::fault::Fault;
use crate::metrics::Metrics;
use crate::pool::InstanceSlot;
use crate::residency::CLOSED;

/// Why an instance goes that nobody ended: its caller went away in the middle of a call.
const CANCELLED: &str = "cancelled";
const START_FAILED: &str = "start_failed";

/// A live guest. Boxed, because it moves with every call: out of the pool, into the call, back.
pub(crate) struct Instance(Box<Live>);

struct Live {
    guest: LiveGuest,
    briefed: Briefed,
    /// Dropped after the guest, so that a freed place is really free.
    tenure: Tenure,
}

/// The places an instance holds, from before its birth until after its end.
pub(crate) struct Tenure {
    metrics: Arc<Metrics>,
    /// Why the instance ends, if it ends now.
    reason: &'static str,
    /// The right to be one of the host's instances.
    _permit: OwnedSemaphorePermit,
    /// The right to be one of the actor's.
    _slot: InstanceSlot<Instance>,
}

/// How a call ended. Small on purpose: the answer stays in the instance until its caller takes it
/// out, because every move of it costs a few nanoseconds.
pub(crate) enum Ended {
    /// The guest returned; [`Instance::answer`] has its answer.
    Returned(Instance),
    /// The guest still ran at its deadline, and its instance is gone. The deadline was that of the
    /// call, unless another bound is named.
    Cut(Option<Bound>),
    /// The guest failed, and its instance is gone; or there never was an instance.
    Failed(CallError),
}

impl Tenure {
    /// An instance is being made.
    pub(crate) fn new(
        metrics: &Arc<Metrics>,
        permit: OwnedSemaphorePermit,
        slot: InstanceSlot<Instance>,
    ) -> Self {
        metrics.instance_created();
        let metrics = Arc::clone(metrics);
        Self { metrics, reason: START_FAILED, _permit: permit, _slot: slot }
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        self.metrics.instance_gone(self.reason);
    }
}

impl Instance {
    /// Makes an instance and runs its start functions, within `init_time_max` and `deadline`.
    ///
    /// # Errors
    /// How it ended instead.
    pub(crate) async fn create(
        linked: &Linked,
        actor: Arc<ActorContext>,
        mut tenure: Tenure,
        deadline: Instant,
    ) -> Result<Self, Ended> {
        let in_time = Instant::now() + actor.limits.init_time_max;
        let bound = (in_time <= deadline).then_some(Bound::InitTime);
        let deadline = deadline.min(in_time);
        let started = pin!(linked.start(actor, deadline));
        match deadline::until(started, deadline).await {
            Some(Ok(guest)) => {
                tenure.reason = CLOSED;
                Ok(Self(Box::new(Live { guest, briefed: Briefed::default(), tenure })))
            }
            Some(Err(Fault::Broken(error))) => Err(Ended::Failed(error)),
            Some(Err(Fault::Cut)) | None => Err(Ended::Cut(bound)),
        }
    }

    /// Prepares the next call, to be cut at `deadline`; [`run`](Self::run) runs it.
    #[inline]
    pub(crate) fn begin(&mut self, call: Call, deadline: Instant) {
        self.0.guest.begin(call, deadline);
        self.0.tenure.reason = CANCELLED;
    }

    /// Runs the prepared call. A guest that broke or was cut is in an unknown state, so its
    /// instance ends here.
    pub(crate) async fn run(mut self) -> Ended {
        let fault = {
            let deadline = self.0.guest.deadline();
            let running = pin!(self.0.guest.run());
            deadline::until(running, deadline).await
        };
        match fault {
            Some(Ok(())) => Ended::Returned(self),
            Some(Err(Fault::Broken(error))) => {
                self.retire(error.code().as_str());
                Ended::Failed(error)
            }
            Some(Err(Fault::Cut)) | None => {
                self.retire(trellis_core::Code::Timeout.as_str());
                Ended::Cut(None)
            }
        }
    }

    /// Takes out what the guest left as its answer, and makes it forget the call.
    ///
    /// # Errors
    /// The guest's own.
    #[inline]
    pub(crate) fn answer(&mut self) -> Result<Bytes, CallError> {
        self.0.tenure.reason = CLOSED;
        self.0.guest.answer()
    }

    /// What it was told.
    #[inline]
    pub(crate) fn briefed(&self) -> &Briefed {
        &self.0.briefed
    }

    pub(crate) fn briefed_mut(&mut self) -> &mut Briefed {
        &mut self.0.briefed
    }

    /// Ends the instance, saying why.
    pub(crate) fn retire(mut self, reason: &'static str) {
        self.0.tenure.reason = reason;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn future_bytes<A, F: Future>(_: impl FnOnce(A) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn the_future_of_a_call_stays_small() {
        let bytes = future_bytes(Instance::run);
        assert!(bytes <= 512, "{bytes} bytes are allocated for every call");
    }

    #[test]
    fn the_warmest_is_exchanged_without_a_lock() {
        assert!(crate::sync::Cell::<Instance>::is_lock_free());
    }
}
