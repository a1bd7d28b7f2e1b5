//! What an instance of a provider with claims runs by: once they hold no longer it ends, wherever
//! it is in its life.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;
use trellis_core::{CallError, Code, Tracer};
use trellis_providers_sdk::{Ask, BoxFuture, Invoke, Invoker, Restart};
use trellis_targets::ProviderCalls;

/// What one instance runs by; nothing takes that of one without claims back. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Warrant(Option<Issued>);

/// Nothing is ever sent: the other end is gone once the warrant is taken back.
#[derive(Clone)]
struct Issued {
    id: u64,
    holds: watch::Receiver<()>,
}

impl Warrant {
    /// One with this number. Whoever drops the other end takes it back.
    pub(crate) fn issue(id: u64) -> (Self, watch::Sender<()>) {
        let (holder, holds) = watch::channel(());
        (Self(Some(Issued { id, holds })), holder)
    }

    /// Its number; none of one that nothing takes back.
    pub(crate) fn id(&self) -> Option<u64> {
        self.0.as_ref().map(|issued| issued.id)
    }

    /// Waits until it is taken back.
    pub(crate) async fn taken_back(&self) {
        match &self.0 {
            Some(issued) => while issued.holds.clone().changed().await.is_ok() {},
            None => std::future::pending().await,
        }
    }

    /// The way to actors for whoever runs by it, open for as long as it holds.
    pub(crate) fn guard(&self, calls: ProviderCalls) -> Arc<dyn Invoker> {
        match &self.0 {
            Some(issued) => Arc::new(Guarded { calls, holds: issued.holds.clone() }),
            None => Arc::new(calls),
        }
    }
}

/// A provider's way to actors. Its successor has the same bindings and the same target, so they
/// alone do not tell that one may still ask and the other may not.
struct Guarded {
    calls: ProviderCalls,
    holds: watch::Receiver<()>,
}

impl Guarded {
    fn is_shut(&self) -> bool {
        self.holds.has_changed().is_err()
    }
}

impl Invoker for Guarded {
    fn invoke(&self, invoke: Invoke) -> BoxFuture<'_, Result<Bytes, CallError>> {
        if self.is_shut() { Box::pin(async { Err(shut()) }) } else { self.calls.invoke(invoke) }
    }

    fn ask<'a>(&'a self, ask: Ask<'a>) -> BoxFuture<'a, Result<Bytes, CallError>> {
        if self.is_shut() { Box::pin(async { Err(shut()) }) } else { self.calls.ask(ask) }
    }

    fn health_changed(&self) {
        self.calls.health_changed();
    }

    fn failed(&self, next: Restart, why: &CallError) {
        self.calls.failed(next, why);
    }

    fn recovered(&self) {
        self.calls.recovered();
    }

    fn tracer(&self) -> Option<&dyn Tracer> {
        self.calls.tracer()
    }

    fn name(&self) -> Arc<str> {
        self.calls.name()
    }

    fn lineage(&self) -> &str {
        self.calls.lineage()
    }

    fn host(&self) -> &str {
        self.calls.host()
    }
}

fn shut() -> CallError {
    CallError::new(Code::Stopping, "the provider is being stopped: nobody vouches for it any more")
}
