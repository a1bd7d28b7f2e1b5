//! An actor as its callers see it.

mod brief;
mod pace;
mod serve;
mod starts;
mod state;
mod stock;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use trellis_core::CallError;
use trellis_limits::ActorLimits;

use crate::call::Call;
use crate::residency::Resident;
use serve::Begun;
pub(crate) use state::{ActorState, Parts};

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
    pub(crate) fn new(state: Arc<ActorState>) -> Self {
        Self { handle: Arc::new(Handle(state)) }
    }

    /// Runs one operation, until its deadline or `call_time_ms_max`. Dropping the
    /// future ends the call and its instance.
    ///
    /// The call is handed to its instance before there is a future, which therefore stays small:
    /// one is allocated for every call.
    ///
    /// # Errors
    /// `E_STOPPING` after [`drain`](Self::drain); `E_DEPTH`, `E_TOO_LARGE`, `E_BAD_NAME` before
    /// anything runs; `E_BUSY` when no instance becomes free; `E_CRASH_LOOP` while none is started
    /// because they break again and again; `E_TIMEOUT` at the deadline;
    /// `E_GUEST` with the guest's own words, or another code when what it called was out and it
    /// passed that on; `E_TRAP`, `E_STACK`, `E_MEMORY`, `E_GUEST_POINTER`
    /// when the guest broke (its instance is gone, the next call gets another).
    #[inline]
    pub fn call(
        &self,
        call: Call,
    ) -> impl Future<Output = Result<Bytes, CallError>> + Send + use<'_> {
        let state = &self.handle.0;
        let running = state.runtime.ticker.running();
        let timing = state.runtime.metrics.call_begins(running.now());
        let begun = state.begin(call, running.instant());
        async move {
            let result = match begun {
                Begun::Warm { run, deadline } => {
                    state.finish(state.drive(run, deadline.at).await, deadline.bound)
                }
                Begun::Cold(rest) => rest.await,
                Begun::Refused(error) => Err(error),
            };
            state.runtime.metrics.call_ended(timing, running.now());
            state.context.log.call_ended();
            if let Err(error) = &result {
                state.count_fault(error);
            }
            result
        }
    }

    /// Has one instance told what it has to know, if there is anything new: an idle one, or else
    /// one that is made. The others are told before their next call.
    ///
    /// # Errors
    /// As [`call`](Self::call), when there is no instance or it broke. What a guest answers goes to
    /// the [`Briefing`](crate::Briefing) alone.
    pub async fn brief(&self, deadline: Instant) -> Result<(), CallError> {
        self.handle.0.brief_one(deadline).await
    }

    /// Refuses new calls and waits for those that run or wait; true when none is left before
    /// `deadline`.
    pub async fn drain(&self, deadline: Instant) -> bool {
        let state = &self.handle.0;
        state.stop();
        loop {
            let changed = state.pool.changed();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if state.pool.is_quiet() {
                return true;
            }
            if tokio::time::timeout_at(deadline.into(), changed).await.is_err() {
                return state.pool.is_quiet();
            }
        }
    }

    /// The name it was loaded with.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.handle.0.context.name
    }

    /// Its limits, after the host's caps.
    #[must_use]
    pub fn limits(&self) -> &ActorLimits {
        &self.handle.0.context.limits
    }

    /// Its instances now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let counts = self.handle.0.pool.counts();
        Stats {
            instances: counts.live,
            idle: counts.idle,
            waiting: counts.waiting,
            resident: self.handle.0.is_resident(),
        }
    }
}

/// What all clones of an [`Actor`] share. Idle instances know their actor, so without this the two
/// would keep each other alive.
struct Handle(Arc<ActorState>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.abandon();
        self.0.leave_memory();
    }
}
