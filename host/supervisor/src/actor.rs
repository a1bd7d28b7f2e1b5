//! An engine actor as a target of the road, and the road as an actor's way out.

use std::sync::Arc;

use bytes::Bytes;
use trellis_core::{CallError, Parties};
use trellis_dispatch::{BoxFuture, Delivery, Dispatcher, Message, Target};
use trellis_engine::{Actor, HostCall, HostCalls};
use trellis_entitlements::{ActorId, Ask};

/// Calls an engine actor.
pub(crate) struct ActorTarget(pub(crate) Actor);

impl Target for ActorTarget {
    fn call<'a>(
        &'a self,
        _: Parties<'_>,
        delivery: Delivery,
    ) -> BoxFuture<'a, Result<Bytes, CallError>> {
        Box::pin(self.0.call(delivery.invocation))
    }
}

/// Takes an actor's calls to the dispatcher, stamped with who the actor is.
pub(crate) struct GuestCalls {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) actor: ActorId,
}

impl HostCalls for GuestCalls {
    fn host_call<'a>(&'a self, call: HostCall<'a>) -> BoxFuture<'a, Result<Bytes, CallError>> {
        let ask = Ask::FromActor {
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
        Box::pin(self.dispatcher.dispatch(ask, message))
    }
}
