//! A provider as a target of the road, and the road as a provider's way to actors.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use parking_lot::Mutex;
use trellis_core::{CallError, Code, Parties, Tracer};
use trellis_dispatch::{BoxFuture, Dispatcher, Invocation, Message, Target};
use trellis_entitlements::{ActorId, AuthzRequest, TargetId};
use trellis_meters::{Coarse, Restart, TokenBucket};
use trellis_providers_sdk::{Ask, Call, Invoke, Invoker, Provider};

use crate::overseer::Overseer;

/// How often a second late calls have a provider asked how it is.
const LATE_PER_S: u32 = 1;

/// Calls a provider.
pub struct ProviderTarget {
    provider: Arc<dyn Provider>,
    overseer: Arc<dyn Overseer>,
    late: Mutex<TokenBucket>,
}

impl ProviderTarget {
    /// A target that is this provider. One that is late is to be asked how it is.
    #[must_use]
    pub fn new(provider: Arc<dyn Provider>, overseer: Arc<dyn Overseer>) -> Self {
        let late = Mutex::new(TokenBucket::new(LATE_PER_S, LATE_PER_S, Instant::now()));
        Self { provider, overseer, late }
    }
}

impl Target for ProviderTarget {
    fn call<'a>(
        &'a self,
        _: Parties<'_>,
        invocation: Invocation,
    ) -> BoxFuture<'a, Result<Bytes, CallError>> {
        let Invocation { operation, payload, remaining, trace, binding, depth, .. } = invocation;
        let Some(binding) = binding else {
            // The gate gives a provider's target to bindings alone.
            let error = CallError::new(Code::Internal, "a provider is called over a binding");
            return Box::pin(async { Err(error) });
        };
        self.provider.call(Call { binding, operation, payload, remaining, trace, depth })
    }

    fn was_late(&self) {
        let asks = self.late.lock().take(Instant::now()).is_some();
        if asks {
            self.overseer.health_changed();
        }
    }
}

/// Takes a provider's calls to the dispatcher, stamped with which provider it is, and tells its
/// overseer how it fares.
pub struct ProviderCalls {
    dispatcher: Arc<Dispatcher>,
    provider: TargetId,
    /// As whom it asks for something itself, if it has claims of its own.
    caller: Option<ActorId>,
    overseer: Arc<dyn Overseer>,
    host: String,
    lineage: String,
}

impl ProviderCalls {
    /// The way from this provider to the actors that are bound to it.
    #[must_use]
    pub fn new(
        dispatcher: Arc<Dispatcher>,
        provider: TargetId,
        overseer: Arc<dyn Overseer>,
    ) -> Self {
        // A host has one dispatcher. Nobody else in the process has it and this target, and a
        // successor has both.
        let host = format!("{:p}", Arc::as_ptr(&dispatcher));
        let lineage = format!("{host}/{}", provider.0);
        Self { dispatcher, provider, caller: None, overseer, host, lineage }
    }

    /// The same for one that has claims of its own.
    #[must_use]
    pub fn with_claims(self, caller: Option<ActorId>) -> Self {
        Self { caller, ..self }
    }
}

impl Invoker for ProviderCalls {
    fn invoke(&self, invoke: Invoke) -> BoxFuture<'_, Result<Bytes, CallError>> {
        // Before anything else: the provider's patience counts from here.
        let deadline = invoke.patience.map(|patience| {
            let now = Coarse::now();
            now.before(now.instant() + patience) + patience
        });
        Box::pin(async move {
            let Invoke { binding, operation, payload, trace, .. } = invoke;
            let request = AuthzRequest::FromProvider {
                provider: self.provider,
                binding,
                operation: &operation,
            };
            let trace = trace.unwrap_or_default();
            self.dispatcher.dispatch(request, Message { payload, deadline, depth: 0, trace }).await
        })
    }

    fn ask<'a>(&'a self, ask: Ask<'a>) -> BoxFuture<'a, Result<Bytes, CallError>> {
        let Ask { binding, namespace, operation, payload, patience, depth, trace } = ask;
        let Some(actor) = self.caller else {
            let text = format!("the provider has no claims of its own, so none to {namespace}");
            return Box::pin(async { Err(CallError::new(Code::Denied, text)) });
        };
        let request = AuthzRequest::FromActor { actor, binding, namespace, operation };
        let deadline = Some(Instant::now() + patience);
        let message = Message { payload, deadline, depth, trace };
        Box::pin(self.dispatcher.dispatch(request, message))
    }

    fn health_changed(&self) {
        self.overseer.health_changed();
    }

    fn failed(&self, next: Restart, why: &CallError) {
        self.overseer.failed(next, why);
    }

    fn recovered(&self) {
        self.overseer.recovered();
    }

    fn tracer(&self) -> Option<&dyn Tracer> {
        self.dispatcher.tracer()
    }

    fn name(&self) -> Arc<str> {
        self.overseer.name()
    }

    fn lineage(&self) -> &str {
        &self.lineage
    }

    fn host(&self) -> &str {
        &self.host
    }
}
