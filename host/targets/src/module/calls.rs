//! What a module that is a provider asks of the host.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use serde::Serialize;
use trellis_core::{CallError, Code, wire};
use trellis_engine::{BoxFuture, HostCall, HostCalls};
use trellis_providers_sdk::{Ask, Binding, Context, Values};

use super::bound::Bound;
use super::topic::{binding_of, is_told};

/// The namespace in which a module asks about the call that it serves.
const OF_THE_CALL: &str = "trellis:provider";
/// Who calls? Answered for an actor's call, and while the module is told of a binding.
const CALLER: &str = "Caller";

/// The answer to [`CALLER`].
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Caller<'a> {
    /// The actor's key.
    module: &'a str,
    /// What people call it.
    name: &'a str,
    /// The name of the binding that it used.
    binding: &'a str,
    /// The values of that.
    values: &'a Values,
}

/// Answers what all instances of one provider ask.
pub(super) struct ModuleCalls {
    pub(super) bound: Arc<Bound>,
    pub(super) context: Context,
}

impl ModuleCalls {
    fn of_the_call(&self, call: &HostCall<'_>) -> Result<Bytes, CallError> {
        if call.operation != CALLER {
            let text = format!("{OF_THE_CALL} has the operation {CALLER} only");
            return Err(CallError::new(Code::NotFound, text));
        }
        let binding = self.bound.get(binding_of(call.caller))?;
        let Binding { actor, actor_name, name, values, .. } = &*binding;
        let caller =
            Caller { module: actor.as_str(), name: actor_name, binding: name.as_str(), values };
        wire::encode(&caller).map(Bytes::from)
    }
}

impl HostCalls for ModuleCalls {
    fn host_call<'a>(&'a self, call: HostCall<'a>) -> BoxFuture<'a, Result<Bytes, CallError>> {
        if call.namespace == OF_THE_CALL {
            let answer = self.of_the_call(&call);
            return Box::pin(async { answer });
        }
        if is_told(call.caller) {
            let refusal = too_early(call.namespace);
            return Box::pin(async { Err(refusal) });
        }
        let HostCall { binding, namespace, operation, payload, deadline, depth, trace, .. } = call;
        let patience = deadline.saturating_duration_since(Instant::now());
        // One deeper than the call that it serves, so that a circle of providers ends.
        let depth = depth + 1;
        let ask = Ask { binding, namespace, operation, payload, patience, depth, trace };
        Box::pin(self.context.ask(ask))
    }
}

/// While it is told of a binding it is not in force yet: a new provider has its rights, and those
/// that it asks have theirs, once all that changes with it has been told. The same holds later, so
/// that what works after a reload works at a start.
fn too_early(namespace: &str) -> CallError {
    let text = format!(
        "a provider may not ask for {namespace} while it is told of a binding (BindActor, \
         RemoveActor); ask for it when a call comes, in which `{CALLER}` of {OF_THE_CALL} gives \
         the values of its binding"
    );
    CallError::new(Code::Denied, text)
}

/// What a module may ask while it is only asked what it is: nothing.
pub(super) struct Silence;

impl HostCalls for Silence {
    fn host_call<'a>(&'a self, _: HostCall<'a>) -> BoxFuture<'a, Result<Bytes, CallError>> {
        let text = "nothing is answered to a provider that is asked what it serves";
        Box::pin(async move { Err(CallError::new(Code::Denied, text)) })
    }
}
