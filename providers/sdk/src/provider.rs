//! The trait every provider implements.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use prometheus_client::registry::Registry;
use trellis_core::{CallError, Trace};

use crate::{Binding, BindingId, BoxFuture, Context, Descriptor, Values};

/// What a provider answers.
pub type Reply = Result<Bytes, CallError>;

/// One admitted call from an actor.
#[derive(Clone, Debug)]
pub struct Call {
    /// The binding the actor used; its configuration was given to [`Provider::bind`].
    pub binding: BindingId,
    /// The operation's name.
    pub operation: Cow<'static, str>,
    /// The encoded request.
    pub payload: Bytes,
    /// When the caller stops waiting. The host cuts the call then; a provider should give up too.
    pub deadline: Instant,
    /// The request this call belongs to.
    pub trace: Trace,
}

/// How a provider is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Health {
    /// It works.
    Healthy,
    /// It runs, but what it depends on does not; the sentence says what.
    Degraded(String),
}

/// An address at which a provider takes work for an actor from outside the host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listening {
    /// The binding served there.
    pub binding: BindingId,
    /// The bound address, with the port the system chose when the manifest asked for port 0.
    pub address: SocketAddr,
    /// What to open to reach the actor, such as `http://127.0.0.1:8081/api`.
    pub url: String,
}

/// An implementation of one or more contracts.
///
/// All methods may be called at once and from any thread. None may block a thread.
pub trait Provider: Send + Sync + 'static {
    /// What it is and serves. Called at any time; must not change.
    fn descriptor(&self) -> Descriptor;

    /// An actor is bound. Called before its first call, again with the same id when its values
    /// change; binding the same twice is no error.
    ///
    /// # Errors
    /// [`trellis_core::Code::Config`] for a value it cannot use, [`trellis_core::Code::Address`]
    /// for a port it cannot have. A server that is down is *not* an error here: it may come up
    /// later.
    fn bind(&self, binding: Binding) -> BoxFuture<'_, Result<(), CallError>>;

    /// The actor is no longer bound; no call of it is under way. Unknown ids are ignored.
    fn unbind(&self, id: BindingId) -> BoxFuture<'_, ()>;

    /// Carries out one call.
    fn call(&self, call: Call) -> BoxFuture<'_, Reply>;

    /// How it is, asked every few seconds by the supervisor.
    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(async { Health::Healthy })
    }

    /// Where it takes work from outside; what the host prints once everything is bound.
    fn addresses(&self) -> Vec<Listening> {
        Vec::new()
    }

    /// Adds its metrics; called once, after it was made. The names need no prefix of the host.
    fn register_metrics(&self, registry: &mut Registry) {
        let _ = registry;
    }

    /// Stop taking work from outside, finish what is under way, let go of everything by `deadline`.
    fn shutdown(&self, deadline: Instant) -> BoxFuture<'_, ()> {
        let _ = deadline;
        Box::pin(async {})
    }
}

/// A provider being made; the error is an [`trellis_core::Code::Config`] for values it cannot use.
pub type Created = BoxFuture<'static, Result<Arc<dyn Provider>, CallError>>;

/// How a built-in provider is described and made; the composition root lists these.
#[derive(Clone, Copy)]
pub struct Builtin {
    /// Its self-description, known without making one.
    pub descriptor: fn() -> Descriptor,
    /// Makes one, with the manifest's values for the provider.
    pub create: fn(Context, Values) -> Created,
}

impl fmt::Debug for Builtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builtin").field("name", &(self.descriptor)().name).finish_non_exhaustive()
    }
}
