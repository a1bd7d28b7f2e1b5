//! What can be called.

use std::time::Duration;

use bytes::Bytes;
use trellis_core::{CallError, Invocation, Parties};
use trellis_entitlements::LinkId;

use crate::BoxFuture;

/// One admitted call, handed over.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The call.
    pub invocation: Invocation,
    /// How long it is until the invocation's deadline: known here, so that a target which hands it
    /// on need not look at the clock again.
    pub remaining: Duration,
    /// The binding it goes over; `None` from actor to actor and from the host itself.
    pub link: Option<LinkId>,
}

/// An actor, a provider, or (later) another host. May be called from any thread, many at once.
pub trait Target: Send + Sync {
    /// Carries out one call between `parties`. The target keeps to the invocation's deadline as
    /// well as it can; the dispatcher drops the future soon after it.
    fn call<'a>(
        &'a self,
        parties: Parties<'_>,
        delivery: Delivery,
    ) -> BoxFuture<'a, Result<Bytes, CallError>>;
}
