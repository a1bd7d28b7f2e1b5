//! The road itself.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use trellis_core::{CallError, Code, Entity, Invocation, Trace};
use trellis_entitlements::{Ask, Gate, Granted, TargetId};

use crate::deadline;
use crate::failures::FailureLog;
use crate::metrics::Metrics;
use crate::router::{Route, Router, Routes};
use crate::target::{Delivery, Target};

/// What a caller sends along with its ask.
#[derive(Clone, Debug)]
pub struct Message {
    /// The encoded request.
    pub payload: Bytes,
    /// When the caller stops waiting; `None` is the dispatcher's `call_time_max`.
    pub deadline: Option<Instant>,
    /// How many calls stand above this one.
    pub depth: u32,
    /// What the call belongs to; `None` starts a new trace.
    pub trace: Option<Trace>,
}

/// Admits, resolves, calls and records. One per host.
pub struct Dispatcher {
    gate: Arc<Gate>,
    router: Router,
    metrics: Metrics,
    bounds: Bounds,
}

/// What no call may exceed.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Longest call.
    pub call_time_max: Duration,
    /// Largest reply of any target, in bytes.
    pub reply_bytes_max: usize,
}

impl Dispatcher {
    /// A dispatcher without routes.
    #[must_use]
    pub fn new(gate: Arc<Gate>, metrics: Metrics, bounds: Bounds) -> Self {
        Self { gate, router: Router::default(), metrics, bounds }
    }

    /// The gate every call passes; the control plane publishes its table there.
    #[must_use]
    pub const fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Changes the routes: `edit` gets a copy of the current ones, which is then published. For the
    /// control plane, one caller at a time.
    pub fn edit_routes(&self, edit: impl FnOnce(&mut RouteEditor<'_>)) {
        let mut editor = RouteEditor { routes: self.router.snapshot(), metrics: &self.metrics };
        edit(&mut editor);
        self.router.publish(editor.routes);
    }

    /// Carries one call from its ask to its answer.
    ///
    /// # Errors
    /// Any [`CallError`]: a denial, a missing target, the deadline, or what the target answered.
    pub async fn dispatch(&self, ask: Ask<'_>, message: Message) -> Result<Bytes, CallError> {
        let permit = self.gate.admit(&ask)?;
        let (route, granted) = self.router.resolve(permit)?;
        let started = Instant::now();
        let outcome = self.call(&route, granted, message, started).await;
        route.metrics.record(started.elapsed(), &outcome);
        outcome
    }

    async fn call(
        &self,
        route: &Route,
        granted: Granted,
        message: Message,
        started: Instant,
    ) -> Result<Bytes, CallError> {
        let deadline = self.deadline(&granted, &message, started);
        let parties = Arc::clone(&granted.parties);
        let trace = message.trace.unwrap_or_else(fresh_trace);
        let invocation = Invocation {
            parties: granted.parties,
            operation: granted.operation,
            payload: message.payload,
            deadline,
            depth: message.depth,
            trace,
        };
        // In a block of its own, so that a panic before the first poll is caught as well.
        let delivery = Delivery { invocation, link: granted.link };
        let work = async { route.target.call(delivery).await };
        let outcome = match deadline::until(deadline, AssertUnwindSafe(work).catch_unwind()).await {
            Some(Ok(Ok(reply))) if reply.len() > self.bounds.reply_bytes_max => {
                Err(oversized(&parties.target, reply.len(), self.bounds.reply_bytes_max))
            }
            Some(Ok(outcome)) => outcome,
            Some(Err(_)) => Err(panicked(&parties.target)),
            None => Err(late(&parties.target, deadline.duration_since(started))),
        };
        outcome.inspect_err(|error| route.failures.write(error, trace))
    }

    /// The caller's deadline, within `call_time_max`. A provider gets nine tenths of what an actor
    /// has left, so that the actor can still answer when the provider does not.
    fn deadline(&self, granted: &Granted, message: &Message, started: Instant) -> Instant {
        let latest = started + self.bounds.call_time_max;
        let deadline = message.deadline.map_or(latest, |deadline| deadline.min(latest));
        if matches!(granted.parties.target, Entity::Provider { .. }) {
            return started + deadline.saturating_duration_since(started).mul_f32(0.9);
        }
        deadline
    }
}

fn fresh_trace() -> Trace {
    Trace { trace_id: fastrand::u128(1..), span_id: fastrand::u64(1..) }
}

/// The routes while they are changed.
pub struct RouteEditor<'a> {
    routes: Routes,
    metrics: &'a Metrics,
}

impl RouteEditor<'_> {
    /// Puts a target at an id, replacing what stood there. `name` labels its metrics.
    pub fn put(&mut self, id: TargetId, name: &str, target: Arc<dyn Target>) {
        let metrics = self.metrics.of_target(name);
        let failures = FailureLog::of_target(name);
        self.routes.put(id, Route { target, metrics, failures });
    }

    /// Takes every target away.
    pub fn clear(&mut self) {
        self.routes = Routes::default();
    }

    /// Takes a target away, with its metrics.
    pub fn remove(&mut self, id: TargetId, name: &str) {
        self.routes.remove(id);
        self.metrics.forget(name);
    }
}

#[cold]
fn oversized(target: &Entity, bytes: usize, max: usize) -> CallError {
    let message = format!(
        "{target} answered with {bytes} bytes, more than payload_bytes_max ({max}); ask for less \
         at once"
    );
    CallError::new(blame(target, Code::TooLarge), message)
}

#[cold]
fn panicked(target: &Entity) -> CallError {
    tracing::error!(%target, "a call panicked; the caller got E_PROVIDER");
    CallError::new(Code::Provider, format!("{target} failed on this call; the host's log says why"))
}

#[cold]
fn late(target: &Entity, limit: Duration) -> CallError {
    let message = format!("{target} did not answer within {} ms", limit.as_millis());
    CallError::new(blame(target, Code::Timeout), message)
}

/// A provider that misbehaves is a provider's failure, whatever limit it broke.
fn blame(target: &Entity, otherwise: Code) -> Code {
    if matches!(target, Entity::Provider { .. }) { Code::Provider } else { otherwise }
}
