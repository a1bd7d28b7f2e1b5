//! The way from a provider to an actor.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use trellis_core::{BindingId, CallError, Code, Trace, Tracer};
use trellis_meters::Restart;

use crate::future::BoxFuture;
use crate::payload;

/// One call from a provider to the actor behind a binding.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Invoke {
    /// Which binding, and so which actor.
    pub binding: BindingId,
    /// The operation's name, one the contract sends to actors.
    pub operation: Cow<'static, str>,
    /// The encoded request.
    #[serde(with = "payload")]
    pub payload: Bytes,
    /// How long the provider waits; `None` leaves it to the actor's `call_time_max`, which bounds
    /// the call in any case.
    pub patience: Option<Duration>,
    /// The caller's trace, when the provider has one; else a new one starts.
    pub trace: Option<Trace>,
}

/// What a provider asks for with rights of its own: those of the claims it is signed with, and of
/// the bindings that a manifest gives it, as an actor has them.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// The binding's name.
    pub binding: &'a str,
    /// A contract id, or what another actor is called by.
    pub namespace: &'a str,
    /// The operation's name.
    pub operation: &'a str,
    /// The encoded request.
    pub payload: Bytes,
    /// How long the provider waits.
    pub patience: Duration,
    /// How many calls stand above this one.
    pub depth: u32,
    /// The request this call belongs to.
    pub trace: Trace,
}

/// What the host puts behind a [`Context`].
pub trait Invoker: Send + Sync {
    /// Admits and carries out one call.
    fn invoke(&self, invoke: Invoke) -> BoxFuture<'_, Result<Bytes, CallError>>;

    /// Admits and carries out one call that the provider makes with rights of its own. The default
    /// is for those that have none.
    fn ask<'a>(&'a self, ask: Ask<'a>) -> BoxFuture<'a, Result<Bytes, CallError>> {
        let text = format!("the provider has no rights of its own, so not to {}", ask.namespace);
        Box::pin(async { Err(CallError::new(Code::Denied, text)) })
    }

    /// The provider may be in another state than it last said; see
    /// [`Context::health_changed`].
    fn health_changed(&self) {}

    /// The provider failed as a whole; see [`Context::failed`].
    fn failed(&self, next: Restart, why: &CallError) {
        let _ = (next, why);
    }

    /// The provider runs again; see [`Context::recovered`].
    fn recovered(&self) {}

    /// Who is told of spans, if traces are recorded; see [`Context::tracer`].
    fn tracer(&self) -> Option<&dyn Tracer> {
        None
    }

    /// What the provider is called just now; see [`Context::name`].
    fn name(&self) -> Arc<str> {
        Arc::default()
    }

    /// What the provider is in its host: the same for instances that take one another's place when
    /// values change, and for nobody else in the process. Empty when it takes nobody's place.
    fn lineage(&self) -> &str {
        ""
    }

    /// The host of the provider: the same for all providers of one host, and for nobody else in
    /// the process. Empty when it has no others.
    fn host(&self) -> &str {
        ""
    }
}

/// What a provider is given to reach actors with. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    invoker: Arc<dyn Invoker>,
}

impl Context {
    /// Wraps the host's side.
    #[must_use]
    pub fn new(invoker: Arc<dyn Invoker>) -> Self {
        Self { invoker }
    }

    /// Calls the actor behind a binding.
    ///
    /// # Errors
    /// Any [`CallError`]: denied, not found, busy, deadline, or the actor's own failure.
    pub async fn invoke(&self, invoke: Invoke) -> Result<Bytes, CallError> {
        self.invoker.invoke(invoke).await
    }

    /// Asks for something with rights of its own; see [`Ask`].
    ///
    /// # Errors
    /// Any [`CallError`]: [`Code::Denied`] without such rights, or what the call answered.
    pub async fn ask(&self, ask: Ask<'_>) -> Result<Bytes, CallError> {
        self.invoker.ask(ask).await
    }

    /// Has the host ask at once how the provider is, instead of when it is time: something changed
    /// that it should know of. Cheap; the host asks once for what is said meanwhile.
    pub fn health_changed(&self) {
        self.invoker.health_changed();
    }

    /// Tells the host that what the provider is made of failed and is started again, and when: for
    /// one that ends apart from the host, such as a process. Until it has
    /// [`recovered`](Self::recovered) the host believes nothing else of how it is.
    pub fn failed(&self, next: Restart, why: &CallError) {
        self.invoker.failed(next, why);
    }

    /// Tells the host that what [`failed`](Self::failed) runs again.
    pub fn recovered(&self) {
        self.invoker.recovered();
    }

    /// Who is told of the spans of requests that come in over the provider; `None` while no traces
    /// are recorded, and always for one that is a program, which has a tracer of its own if any.
    #[must_use]
    pub fn tracer(&self) -> Option<&dyn Tracer> {
        self.invoker.tracer()
    }

    /// What the manifest calls the provider, by which metrics tell it from others; a change may
    /// give it another name. Empty for one that is a program.
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        self.invoker.name()
    }

    /// What the provider is in its host; see [`Invoker::lineage`]. Instances of one lineage may
    /// share what only one process can hold, such as a listening socket.
    #[must_use]
    pub fn lineage(&self) -> &str {
        self.invoker.lineage()
    }

    /// Which host the provider is in; see [`Invoker::host`]. A binding may move between the
    /// providers of one host, together with what it holds.
    #[must_use]
    pub fn host(&self) -> &str {
        self.invoker.host()
    }
}
