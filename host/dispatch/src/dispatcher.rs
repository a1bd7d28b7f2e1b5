//! The road itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use trellis_core::{CallError, Code, Entity, Trace, Tracer};
use trellis_entitlements::{AuthzRequest, Gate, Granted};
use trellis_meters::{Coarse, Timing};

use crate::failures::FailureLog;
use crate::invocation::Invocation;
use crate::metrics::{Metrics, TargetLoad};
use crate::observe::Observed;
use crate::route::{Route, RouteHandle};
use crate::snapshot::Snapshot;
use crate::sync::Published;
use crate::target::Target;
use crate::trace::CallSpan;
use crate::under_way::{Alarm, Ended, UnderWay};

/// What a caller sends along with its request.
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
    snapshot: Published<Snapshot>,
    metrics: Metrics,
    bounds: Bounds,
    tracer: Option<Arc<dyn Tracer>>,
    observed: Observed,
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
        let (snapshot, observed) = (Published::default(), Observed::default());
        Self { gate, snapshot, metrics, bounds, tracer: None, observed }
    }

    /// The same dispatcher, which tells this tracer of its calls.
    #[must_use]
    pub fn with_tracer(self, tracer: Option<Arc<dyn Tracer>>) -> Self {
        Self { tracer, ..self }
    }

    /// Who is told of calls, if anybody is.
    #[must_use]
    #[inline]
    pub fn tracer(&self) -> Option<&dyn Tracer> {
        self.tracer.as_deref()
    }

    /// A copy of what is published, to be edited.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::clone(&self.snapshot.load())
    }

    /// Replaces who may do what and who can be reached, both at once; calls admitted before go on
    /// as they are. For the control plane, one caller at a time.
    pub fn publish(&self, next: Snapshot) {
        self.snapshot.store(Arc::new(next));
    }

    /// A route to a target, to be put into a snapshot. `name` labels its metrics and its log lines;
    /// routes of the same name count together.
    #[must_use]
    pub fn route(&self, name: &str, target: Arc<dyn Target>) -> (Arc<Route>, RouteHandle) {
        let failures = Arc::new(FailureLog::of_target(name));
        Route::new(target, self.metrics.of_target(name), failures)
    }

    /// What the targets have to do.
    #[must_use]
    pub fn loads(&self) -> Vec<TargetLoad> {
        self.metrics.loads()
    }

    /// Who looks at calls, if anybody does.
    #[must_use]
    pub const fn observed(&self) -> &Observed {
        &self.observed
    }

    /// Carries one call from its request to its answer.
    ///
    /// # Errors
    /// Any [`CallError`]: a denial, a missing target, the deadline, or what the target answered.
    pub async fn dispatch(
        &self,
        request: AuthzRequest<'_>,
        mut message: Message,
    ) -> Result<Bytes, CallError> {
        let mut span = CallSpan::begin(self.tracer(), &request, &mut message.trace);
        if message.trace.is_none() {
            message.trace = fresh_trace();
        }
        let route;
        let (call, terms, watched) = {
            let now = self.snapshot.load();
            let admitted = self.gate.admit(&now.entitlements, &request, &message.trace);
            let permit = span.checked(admitted)?;
            let granted;
            (route, granted) = span.checked(now.routes.resolve(permit))?;
            span.admitted(route.metrics.name(), &granted);
            let parties = granted.parties;
            let (invocation, terms) = self.stamp(&route, granted, message);
            let watched = self.observed.begin((parties, route.metrics.name()), &invocation);
            let call = || route.target.call(parties, invocation);
            (UnderWay::begin(terms.deadline, &route.cut, call), terms, watched)
        };
        let outcome = self.judge(call.await, &route, &terms);
        route.record(&outcome, &terms);
        if let Err(error) = &outcome {
            self.observed.failed(route.metrics.name(), error, terms.trace);
        }
        if let Some(watched) = watched {
            watched.end(&outcome);
        }
        span.end(&outcome);
        outcome
    }

    /// Writes on a call what only the host may say: deadline, depth, trace.
    #[inline]
    fn stamp(&self, route: &Route, granted: Granted<'_>, message: Message) -> (Invocation, Terms) {
        let now = Coarse::now();
        let to_provider = matches!(granted.parties.target, Entity::Provider { .. });
        let by_system = matches!(granted.parties.origin, Entity::System);
        let (started, deadline) = self.deadline(to_provider, message.deadline, now);
        let trace = message.trace;
        let timing = route.metrics.begin(now);
        let terms = Terms { to_provider, by_system, started, deadline, timing, trace };
        let invocation = Invocation {
            operation: granted.operation.to_cow(),
            payload: message.payload,
            deadline,
            remaining: deadline.saturating_duration_since(started),
            depth: message.depth,
            trace,
            binding: granted.binding,
        };
        (invocation, terms)
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
            Ended::Early(Alarm::Late) => {
                route.target.was_late();
                Err(terms.late(route.metrics.name()))
            }
            Ended::Early(Alarm::Cut) => Err(terms.cut(route.metrics.name())),
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
    by_system: bool,
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

    /// Nobody knows what a target that is late did: not even for a provider is this a failure after
    /// which a call may be repeated.
    #[cold]
    fn late(&self, target: &str) -> CallError {
        let limit = self.deadline.saturating_duration_since(self.started).as_millis();
        let message = format!("{target} did not answer within {limit} ms");
        CallError::new(Code::Timeout, message)
    }

    /// Not [`Code::Stopping`], which promises that nothing was done yet.
    #[cold]
    fn cut(&self, target: &str) -> CallError {
        let message = format!("{target} was stopped, and this call with it");
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
            self.counted.failed(error.code(), (terms.by_system, terms.to_provider));
        }
    }
}

#[inline]
fn fresh_trace() -> Trace {
    Trace::new([fastrand::u64(1..), fastrand::u64(..)], fastrand::u64(1..))
}
