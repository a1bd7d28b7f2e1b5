//! A provider as a target of the road, and the road as a provider's way to actors.

use std::sync::Arc;

use bytes::Bytes;
use trellis_core::{CallError, Code, Parties};
use trellis_dispatch::{BoxFuture, Delivery, Dispatcher, Message, Target};
use trellis_entitlements::{Ask, LinkId, TargetId};
use trellis_meters::Coarse;
use trellis_providers_sdk::{BindingId, Call, Invoke, Invoker, Provider};

/// Calls a provider.
pub(crate) struct ProviderTarget(pub(crate) Arc<dyn Provider>);

impl Target for ProviderTarget {
    fn call<'a>(
        &'a self,
        _: Parties<'_>,
        delivery: Delivery,
    ) -> BoxFuture<'a, Result<Bytes, CallError>> {
        let Delivery { invocation, remaining, link } = delivery;
        let Some(link) = link else {
            // The gate gives a provider's target to links alone.
            let error = CallError::new(Code::Internal, "a provider is called over a binding");
            return Box::pin(async { Err(error) });
        };
        self.0.call(Call {
            binding: BindingId(link.0),
            operation: invocation.operation,
            payload: invocation.payload,
            remaining,
            trace: invocation.trace,
        })
    }
}

/// Takes a provider's calls to the dispatcher, stamped with which provider it is.
pub(crate) struct ProviderCalls {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) provider: TargetId,
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
            let ask = Ask::FromProvider {
                provider: self.provider,
                link: LinkId(binding.0),
                operation: &operation,
            };
            let trace = trace.unwrap_or_default();
            self.dispatcher.dispatch(ask, Message { payload, deadline, depth: 0, trace }).await
        })
    }
}
