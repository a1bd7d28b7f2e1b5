//! An actor as a target of the road, and the road as an actor's way out.

use std::sync::Arc;

use bytes::Bytes;
use trellis_core::{CallError, Parties};
use trellis_dispatch::{BoxFuture, Dispatcher, Invocation, Message, Target};
use trellis_engine::{Actor, Call, HostCall, HostCalls};
use trellis_entitlements::{ActorId, AuthzRequest};
use trellis_meters::Restart;

use crate::overseer::Overseer;

/// Calls an actor of the engine.
pub struct ActorTarget(Actor);

impl ActorTarget {
    /// A target that is this actor.
    #[must_use]
    pub const fn new(actor: Actor) -> Self {
        Self(actor)
    }
}

impl Target for ActorTarget {
    fn call<'a>(
        &'a self,
        _: Parties<'_>,
        invocation: Invocation,
    ) -> BoxFuture<'a, Result<Bytes, CallError>> {
        let Invocation { operation, payload, deadline, depth, trace, .. } = invocation;
        let call = Call { operation, payload, deadline, depth, trace, caller: 0 };
        Box::pin(self.0.call(call))
    }
}

/// Takes an actor's calls to the dispatcher, stamped with who the actor is, and tells its overseer
/// how it fares.
pub struct GuestCalls {
    dispatcher: Arc<Dispatcher>,
    actor: ActorId,
    overseer: Arc<dyn Overseer>,
}

impl GuestCalls {
    /// The way out of this version of an actor.
    #[must_use]
    pub const fn new(
        dispatcher: Arc<Dispatcher>,
        actor: ActorId,
        overseer: Arc<dyn Overseer>,
    ) -> Self {
        Self { dispatcher, actor, overseer }
    }
}

impl HostCalls for GuestCalls {
    fn host_call<'a>(&'a self, call: HostCall<'a>) -> BoxFuture<'a, Result<Bytes, CallError>> {
        let request = AuthzRequest::FromActor {
            actor: self.actor,
            binding: call.binding,
            namespace: call.namespace,
            operation: call.operation,
        };
        let message = Message {
            payload: call.payload,
            deadline: Some(call.deadline),
            depth: call.depth + 1,
            trace: call.trace,
        };
        Box::pin(self.dispatcher.dispatch(request, message))
    }

    fn failed(&self, next: Restart, why: &CallError) {
        self.overseer.failed(next, why);
    }

    fn recovered(&self) {
        self.overseer.recovered();
    }
}
