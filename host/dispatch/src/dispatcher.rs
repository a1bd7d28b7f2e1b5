//! The road itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use trellis_core::{CallError, Code, Entity, Invocation, Trace};
use trellis_entitlements::{Ask, Gate, Granted, TargetId};

use crate::failures::FailureLog;
use crate::metrics::Metrics;
use crate::router::{Route, Router, Routes};
use crate::target::{Delivery, Target};
use crate::under_way::{Ended, UnderWay};

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
        let (delivery, terms) = self.stamp(granted, message);
        let call = || route.target.call(delivery);
        let ended = UnderWay::begin(terms.deadline, call).await;
        let outcome = self.judge(ended, &route, &terms);
        route.record(&outcome, &terms);
        outcome
    }

    /// Writes on a call what only the host may say: parties, deadline, depth, trace.
    #[inline]
    fn stamp(&self, granted: Granted, message: Message) -> (Delivery, Terms) {
        let started = Instant::now();
        let deadline = self.deadline(&granted, &message, started);
        let trace = message.trace.unwrap_or_else(fresh_trace);
        let to_provider = matches!(granted.parties.target, Entity::Provider { .. });
        let terms = Terms { to_provider, started, deadline, trace };
        let invocation = Invocation {
            parties: granted.parties,
            operation: granted.operation,
            payload: message.payload,
            deadline,
            depth: message.depth,
            trace,
        };
        (Delivery { invocation, link: granted.link }, terms)
    }

    /// What the caller gets for how the call ended.
    #[inline]
    fn judge(
        &self,
        ended: Ended<Result<Bytes, CallError>>,
        route: &Route,
        terms: &Terms,
    ) -> Result<Bytes, CallError> {
        let max = self.bounds.reply_bytes_max;
        match ended {
            Ended::Answered(Ok(reply)) if reply.len() > max => {
                Err(terms.oversized(route.metrics.name(), reply.len(), max))
            }
            Ended::Answered(outcome) => outcome,
            Ended::Panicked => Err(panicked(route.metrics.name())),
            Ended::Late => Err(terms.late(route.metrics.name())),
        }
    }

    /// The caller's deadline, within `call_time_max`. A provider gets nine tenths of what an actor
    /// has left, so that the actor can still answer when the provider does not.
    #[inline]
    fn deadline(&self, granted: &Granted, message: &Message, started: Instant) -> Instant {
        let latest = started + self.bounds.call_time_max;
        let deadline = message.deadline.map_or(latest, |deadline| deadline.min(latest));
        if matches!(granted.parties.target, Entity::Provider { .. }) {
            return deadline - deadline.saturating_duration_since(started) / 10;
        }
        deadline
    }
}

/// What must be known of a call when it ends.
struct Terms {
    to_provider: bool,
    started: Instant,
    deadline: Instant,
    trace: Trace,
}

impl Terms {
    #[cold]
    fn oversized(&self, target: &str, bytes: usize, max: usize) -> CallError {
        let message = format!(
            "{target} answered with {bytes} bytes, more than payload_bytes_max ({max}); ask for \
             less at once"
        );
        CallError::new(self.blame(Code::TooLarge), message)
    }

    #[cold]
    fn late(&self, target: &str) -> CallError {
        let limit = self.deadline.duration_since(self.started).as_millis();
        let message = format!("{target} did not answer within {limit} ms");
        CallError::new(self.blame(Code::Timeout), message)
    }

    /// A provider that misbehaves is a provider's failure, whatever limit it broke.
    const fn blame(&self, otherwise: Code) -> Code {
        if self.to_provider { Code::Provider } else { otherwise }
    }
}

#[cold]
fn panicked(target: &str) -> CallError {
    tracing::error!(target, "a call panicked; the caller got E_PROVIDER");
    CallError::new(Code::Provider, format!("{target} failed on this call; the host's log says why"))
}

impl Route {
    #[inline]
    fn record(&self, outcome: &Result<Bytes, CallError>, terms: &Terms) {
        self.metrics.record(terms.started.elapsed(), outcome);
        if let Err(error) = outcome {
            self.failures.write(error, terms.trace);
        }
    }
}

#[inline]
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
