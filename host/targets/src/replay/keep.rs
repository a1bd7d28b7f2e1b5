//! An actor whose calls are kept, on its way in and on its way out.

use std::sync::Arc;

use bytes::Bytes;
use trellis_core::{CallError, Parties};
use trellis_dispatch::{BoxFuture, Invocation, Target};
use trellis_engine::{Actor, Call, HostCall, HostCalls};
use trellis_meters::Restart;

use super::kept::Kept;
use crate::actor::GuestCalls;

/// Calls an actor, and keeps the call.
pub struct KeepingTarget {
    actor: Actor,
    kept: Arc<Kept>,
}

/// Takes an actor's calls to the dispatcher, and keeps them with the call that they belong to.
pub struct KeepingCalls {
    calls: GuestCalls,
    kept: Arc<Kept>,
}

impl KeepingTarget {
    /// A target that is this actor, whose calls are kept there.
    #[must_use]
    pub const fn new(actor: Actor, kept: Arc<Kept>) -> Self {
        Self { actor, kept }
    }
}

impl KeepingCalls {
    /// The same way out, with what is asked kept there.
    #[must_use]
    pub const fn new(calls: GuestCalls, kept: Arc<Kept>) -> Self {
        Self { calls, kept }
    }
}

impl Target for KeepingTarget {
    fn call<'a>(
        &'a self,
        _: Parties<'_>,
        invocation: Invocation,
    ) -> BoxFuture<'a, Result<Bytes, CallError>> {
        let Invocation { operation, payload, deadline, depth, trace, .. } = invocation;
        let open = self.kept.begin(&operation, &payload);
        let call = Call { operation, payload, deadline, depth, trace, caller: open.number() };
        let running = self.actor.call(call);
        Box::pin(async move {
            let answer = running.await;
            open.end(&answer);
            answer
        })
    }
}

impl HostCalls for KeepingCalls {
    fn host_call<'a>(&'a self, call: HostCall<'a>) -> BoxFuture<'a, Result<Bytes, CallError>> {
        let number = call.caller;
        self.kept.asks(number, &call);
        let answering = self.calls.host_call(call);
        Box::pin(async move {
            let answer = answering.await;
            self.kept.told(number, &answer);
            answer
        })
    }

    fn failed(&self, next: Restart, why: &CallError) {
        self.calls.failed(next, why);
    }

    fn recovered(&self) {
        self.calls.recovered();
    }
}
