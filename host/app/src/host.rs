//! A whole host, put together.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use prometheus_client::registry::Registry;
use trellis_claims::{Clock, KeyKind, KeyPair, PublicKey};
use trellis_core::CallError;
use trellis_dispatch::{Bounds, Dispatcher};
use trellis_engine::{Engine, EngineConfig};
use trellis_entitlements::{AllowAll, Gate, LogAudit, Policy};
use trellis_supervisor::Supervisor;
use trellis_telemetry::Telemetry;

use crate::calls::SystemCalls;
use crate::failure::Failure;
use crate::feed::{Decisions, Feeds, KeptAudit};
use crate::identity::Identity;
use crate::metrics::Metrics;

/// What a host is made of.
pub struct HostConfig {
    /// What it is known by.
    pub key: PublicKey,
    /// The sandbox; its `caps` bound every actor, whatever a manifest says.
    pub engine: EngineConfig,
    /// The owner's last word over every call.
    pub policy: Box<dyn Policy>,
    /// What time it is, for claims.
    pub clock: Arc<dyn Clock>,
    /// Who is told of calls, if anybody is.
    pub telemetry: Telemetry,
}

impl HostConfig {
    /// A host with this sandbox, a key of its own, no policy and the system's clock.
    #[must_use]
    pub fn new(engine: EngineConfig) -> Self {
        Self {
            key: KeyPair::generate(KeyKind::Server).public().clone(),
            engine,
            policy: Box::new(AllowAll),
            clock: Arc::new(trellis_claims::SystemClock),
            telemetry: Telemetry::default(),
        }
    }
}

/// A running host: nothing runs on it until its supervisor is given a manifest.
pub struct Host {
    identity: Arc<Identity>,
    dispatcher: Arc<Dispatcher>,
    calls: SystemCalls,
    supervisor: Supervisor,
    metrics: Metrics,
    engine: Engine,
    engine_metrics: Arc<trellis_engine::Metrics>,
    registry: Arc<Registry>,
    telemetry: Telemetry,
    feeds: Feeds,
}

impl Host {
    /// Puts the parts together. Needs a Tokio runtime.
    ///
    /// # Errors
    /// When the sandbox cannot be set up: the error names the limit of the machine that is in the
    /// way.
    pub fn build(config: HostConfig) -> Result<Self, CallError> {
        let mut registry = Registry::with_prefix("trellis");
        let metrics = Metrics::default();
        metrics.register(&mut registry);
        let bounds = Bounds {
            call_time_max: config.engine.caps.call_time_max,
            reply_bytes_max: config.engine.caps.payload_bytes_max as usize,
        };
        let engine = Engine::new(config.engine)
            .map_err(|error| CallError::new(error.code(), error.to_string()))?;
        let engine_metrics = Arc::clone(engine.metrics());
        engine_metrics.register(&mut registry);
        let gate_metrics = trellis_entitlements::Metrics::default();
        gate_metrics.register(&mut registry);
        let decisions = Arc::<Decisions>::default();
        let audit = KeptAudit { log: LogAudit::default(), kept: Arc::clone(&decisions) };
        let gate = Gate::new(config.policy, Box::new(audit), gate_metrics);
        let call_metrics = trellis_dispatch::Metrics::default();
        call_metrics.register(&mut registry);
        let telemetry = config.telemetry;
        telemetry.register(&mut registry);
        let dispatcher = Dispatcher::new(gate, call_metrics, bounds);
        let dispatcher = Arc::new(dispatcher.with_tracer(telemetry.tracer()));
        let life_metrics = trellis_supervisor::Metrics::default();
        life_metrics.register(&mut registry);
        let feeds = Feeds::of(&config.key, decisions);
        dispatcher.observed().set(Arc::clone(&feeds.calls) as Arc<_>);
        let identity = Arc::new(Identity::new(config.key, &*config.clock));
        let calls = SystemCalls::new(Arc::clone(&dispatcher));
        let supervisor =
            Supervisor::start(engine.clone(), Arc::clone(&dispatcher), config.clock, life_metrics);
        supervisor.is_seen_by(Arc::new(feeds.events.clone()));
        let registry = Arc::new(registry);
        Ok(Self {
            identity,
            dispatcher,
            calls,
            supervisor,
            metrics,
            engine,
            engine_metrics,
            registry,
            telemetry,
            feeds,
        })
    }

    /// The owner of what runs.
    #[must_use]
    pub const fn supervisor(&self) -> &Supervisor {
        &self.supervisor
    }

    /// The sandbox.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The road of every call.
    #[must_use]
    pub const fn dispatcher(&self) -> &Arc<Dispatcher> {
        &self.dispatcher
    }

    pub(crate) const fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    pub(crate) const fn feeds(&self) -> &Feeds {
        &self.feeds
    }

    pub(crate) const fn calls(&self) -> &SystemCalls {
        &self.calls
    }

    pub(crate) const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Counts a manifest that was not applied, and the limits that its modules break.
    pub(crate) fn count_refused(&self, failure: &Failure) {
        self.metrics.refused(failure);
        self.engine_metrics.limits_named_in(&failure.to_string());
    }

    pub(crate) const fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    pub(crate) const fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// Calls an actor by key, name or alias, as the host itself.
    ///
    /// # Errors
    /// [`trellis_core::Code::NotFound`] when no such actor runs; else what the call answered.
    pub async fn call(
        &self,
        actor: &str,
        operation: impl Into<Cow<'static, str>> + Send,
        payload: impl Into<Bytes> + Send,
    ) -> Result<Bytes, CallError> {
        self.calls.call(actor, operation, payload, None).await
    }

    /// Stops intake, lets what is under way finish until `deadline`, lets go of everything.
    pub async fn stop(self, deadline: Instant) {
        self.supervisor.stop(deadline).await;
    }
}
