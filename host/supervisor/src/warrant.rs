//! What an instance of a provider with claims runs by: once they hold no longer it ends, wherever
//! it is in its life. A name is not enough to find it by: an instance has none while it is made,
//! nor while it drains.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;
use trellis_claims::ClaimsError;
use trellis_core::{CallError, Code};
use trellis_entitlements::{ActorId, TargetId};
use trellis_providers_sdk::{Ask, BoxFuture, Invoke, Invoker, Restart};
use trellis_targets::ProviderCalls;

use crate::border::{Instance, WeakInstance};
use crate::prepare::PreparedProvider;

/// What one instance runs by; nothing takes that of one without claims back. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Warrant(Option<Issued>);

/// Nothing is ever sent: the other end is gone once the warrant is taken back.
#[derive(Clone)]
struct Issued {
    id: u64,
    holds: watch::Receiver<()>,
}

/// The warrants of all instances that there are, from before they are made until they are gone.
#[derive(Default)]
pub(crate) struct Warrants {
    last_id: u64,
    all: Vec<Record>,
}

/// What is known of one.
pub(crate) struct Record {
    id: u64,
    pub(crate) prepared: PreparedProvider,
    /// What it serves, or is to serve.
    pub(crate) target: TargetId,
    /// As whom it asks for something itself, if it does.
    pub(crate) caller: Option<ActorId>,
    /// The instance, once it was made.
    pub(crate) instance: WeakInstance,
    holds: watch::Sender<()>,
}

impl Warrants {
    /// An instance of this is about to be made.
    pub(crate) fn issue(
        &mut self,
        prepared: &PreparedProvider,
        (target, caller): (TargetId, Option<ActorId>),
    ) -> Warrant {
        self.all.retain(|known| known.holds.receiver_count() > 0);
        if !prepared.has_claims() {
            return Warrant::default();
        }
        self.last_id += 1;
        let (id, prepared) = (self.last_id, prepared.clone());
        let ((holds, held), instance) = (watch::channel(()), WeakInstance::default());
        self.all.push(Record { id, prepared, target, caller, instance, holds });
        Warrant(Some(Issued { id, holds: held }))
    }

    /// It was made; false when its warrant was taken back meanwhile.
    pub(crate) fn was_made(&mut self, instance: &Instance) -> bool {
        let Some(issued) = &instance.warrant().0 else { return true };
        let known = self.all.iter_mut().find(|known| known.id == issued.id);
        known.map(|known| known.instance = instance.downgrade()).is_some()
    }

    /// What instances there are of.
    pub(crate) fn prepared(&self) -> impl Iterator<Item = &PreparedProvider> {
        self.all.iter().map(|known| &known.prepared)
    }

    /// Takes back those of which this check fails; gives why for each.
    pub(crate) fn take_back(
        &mut self,
        check: impl Fn(&PreparedProvider) -> Result<(), ClaimsError>,
    ) -> Vec<(Record, ClaimsError)> {
        let refused = self.all.extract_if(.., |known| check(&known.prepared).is_err());
        refused.filter_map(|known| check(&known.prepared).err().map(|why| (known, why))).collect()
    }
}

impl Record {
    /// What it is spoken of by.
    pub(crate) fn name(&self) -> Arc<str> {
        let name = || Arc::clone(&self.prepared.name);
        self.instance.upgrade().map_or_else(name, |instance| instance.name())
    }
}

impl Warrant {
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
