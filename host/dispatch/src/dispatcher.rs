//! The road itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use trellis_core::{CallError, Code, Entity, Invocation, Trace};
use trellis_entitlements::{Ask, Gate, Granted, Table, TargetId};
use trellis_meters::{Coarse, Timing};

use crate::failures::FailureLog;
use crate::metrics::Metrics;
use crate::router::{Route, Routes, Snapshot};
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
    /// What the call belongs to; no trace starts a new one.
    pub trace: Trace,
}

/// Admits, resolves, calls and records. One per host.
pub struct Dispatcher {
    gate: Gate,
    snapshot: ArcSwap<Snapshot>,
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
    /// A dispatcher without routes, where nobody may do anything yet.
    #[must_use]
    pub fn new(gate: Gate, metrics: Metrics, bounds: Bounds) -> Self {
        Self { gate, snapshot: ArcSwap::default(), metrics, bounds }
    }

    /// Replaces who may do what; calls admitted before go on. For the control plane, one caller at
    /// a time, as [`edit_routes`](Self::edit_routes).
    pub fn publish(&self, table: Table) {
        let routes = Arc::clone(&self.snapshot.load().routes);
        self.snapshot.store(Arc::new(Snapshot { table: Arc::new(table), routes }));
    }

    /// Changes who can be reached: `edit` gets a copy of the current routes, which is then
    /// published; calls that resolved before keep their targets.
    pub fn edit_routes(&self, edit: impl FnOnce(&mut RouteEditor<'_>)) {
        let now = self.snapshot.load();
        let mut editor = RouteEditor { routes: Routes::clone(&now.routes), metrics: &self.metrics };
        edit(&mut editor);
        let (table, routes) = (Arc::clone(&now.table), Arc::new(editor.routes));
        self.snapshot.store(Arc::new(Snapshot { table, routes }));
    }

    /// Carries one call from its ask to its answer.
    ///
    /// # Errors
    /// Any [`CallError`]: a denial, a missing target, the deadline, or what the target answered.
    pub async fn dispatch(&self, ask: Ask<'_>, message: Message) -> Result<Bytes, CallError> {
        let route;
        let (call, terms) = {
            let now = self.snapshot.load();
            let permit = self.gate.admit(&now.table, &ask)?;
            let granted;
            (route, granted) = now.routes.resolve(permit)?;
            let parties = granted.parties;
            let (delivery, terms) = self.stamp(&route, granted, message);
            (UnderWay::begin(terms.deadline, || route.target.call(parties, delivery)), terms)
        };
        let outcome = self.judge(call.await, &route, &terms);
        route.record(&outcome, &terms);
        outcome
    }

    /// Writes on a call what only the host may say: deadline, depth, trace.
    #[inline]
    fn stamp(&self, route: &Route, granted: Granted<'_>, message: Message) -> (Delivery, Terms) {
        let now = Coarse::now();
        let to_provider = matches!(granted.parties.target, Entity::Provider { .. });
        let (started, deadline) = self.deadline(to_provider, message.deadline, now);
        let trace = if message.trace.is_none() { fresh_trace() } else { message.trace };
        let timing = route.metrics.begin(now);
        let terms = Terms { to_provider, started, deadline, timing, trace };
        let invocation = Invocation {
            operation: granted.operation,
            payload: message.payload,
            deadline,
            depth: message.depth,
            trace,
        };
        let remaining = deadline.saturating_duration_since(started);
        (Delivery { invocation, remaining, link: granted.link }, terms)
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

    /// Now, and the caller's deadline, within `call_time_max`. A provider gets nine tenths of what
    /// an actor has left, so that the actor can still answer when the provider does not.
    #[inline]
    fn deadline(
        &self,
        to_provider: bool,
        wanted: Option<Instant>,
        now: Coarse,
    ) -> (Instant, Instant) {
        let max = self.bounds.call_time_max;
        let bounded = |latest: Instant| wanted.map_or(latest, |wanted| wanted.min(latest));
        let started = now.before(bounded(now.instant() + max));
        let deadline = bounded(started + max);
        let kept = if to_provider {
            deadline.saturating_duration_since(started) / 10
        } else {
            Duration::ZERO
        };
        (started, deadline - kept)
    }
}

/// What must be known of a call when it ends.
struct Terms {
    to_provider: bool,
    started: Instant,
    deadline: Instant,
    timing: Timing,
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
        let limit = self.deadline.saturating_duration_since(self.started).as_millis();
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
        self.metrics.record(terms.timing, outcome);
        if let Err(error) = outcome {
            self.failures.write(error, terms.trace);
        }
    }
}

#[inline]
fn fresh_trace() -> Trace {
    Trace::new([fastrand::u64(1..), fastrand::u64(..)], fastrand::u64(1..))
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
