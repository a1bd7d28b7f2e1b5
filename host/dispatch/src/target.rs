//! What can be called.

use bytes::Bytes;
use trellis_core::{CallError, Parties};

use crate::invocation::Invocation;

/// The future type of the object-safe traits here.
pub type BoxFuture<'a, T> = futures_util::future::BoxFuture<'a, T>;

/// An actor, a provider, or (later) another host. May be called from any thread, many at once.
pub trait Target: Send + Sync {
    /// Carries out one call between `parties`. The target keeps to the invocation's deadline as
    /// well as it can; the dispatcher drops the future soon after it.
    fn call<'a>(
        &'a self,
        parties: Parties<'_>,
        invocation: Invocation,
    ) -> BoxFuture<'a, Result<Bytes, CallError>>;

    /// A call was dropped at its deadline: the target may hang.
    fn was_late(&self) {}
}
