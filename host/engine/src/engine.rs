//! The engine: one per process.

use std::sync::{Arc, Weak};

use trellis_core::CallError;

use crate::actor::{Actor, ActorState, Parts};
use crate::bounds::ModuleBounds;
use crate::checks;
use crate::config::{EngineConfig, EngineError};
use crate::context::ActorContext;
use crate::host_calls::HostCalls;
use crate::log::ActorLog;
use crate::metrics::Metrics;
use crate::module::{ModuleSpec, Wasm};
use crate::runtime::Runtime;

/// Runs actors. Cheap to clone; one per process, because each reserves address space for all its
/// instances.
#[derive(Clone)]
pub struct Engine {
    runtime: Arc<Runtime>,
}

impl Engine {
    /// Reserves the pools and starts the threads.
    ///
    /// # Errors
    /// Settings that contradict themselves, or more than the machine allows.
    pub fn new(config: EngineConfig) -> Result<Self, EngineError> {
        let runtime = Arc::new(Runtime::new(config)?);
        runtime.loader.handle().spawn(sweep(Arc::downgrade(&runtime)));
        Ok(Self { runtime })
    }

    /// Checks and compiles a module, and makes the instances that are to stand ready.
    ///
    /// # Errors
    /// `E_MODULE_INVALID` with the offset; `E_MODULE_LIMIT`, `E_MEMORY` naming the limit;
    /// `E_MODULE_ABI` naming the import or export; what a start function does wrong, as
    /// [`Actor::call`].
    pub async fn load(
        &self,
        spec: ModuleSpec,
        host: Arc<dyn HostCalls>,
    ) -> Result<Actor, CallError> {
        let loaded = self.try_load(spec, host).await;
        if let Err(error) = &loaded {
            self.runtime.metrics.module_rejected(error.code());
        }
        loaded
    }

    async fn try_load(
        &self,
        spec: ModuleSpec,
        host: Arc<dyn HostCalls>,
    ) -> Result<Actor, CallError> {
        let runtime = &self.runtime;
        let limits = spec.limits.capped_by(&runtime.config.caps);
        let surface = checks::surface(&spec.bytes, &ModuleBounds::of(&limits));
        let shape = surface.map_err(|refusal| runtime.metrics.refused(refusal))?;
        let abi = runtime.recognizer.recognize(&shape)?;
        let metrics = Arc::clone(&runtime.metrics);
        let sink = Arc::clone(&runtime.config.log);
        let context = Arc::new(ActorContext {
            log: ActorLog::new(Arc::clone(&spec.name), sink, Arc::clone(&metrics), &limits),
            name: spec.name,
            limits,
            host,
            briefing: spec.briefing,
            in_flight: Arc::clone(&runtime.in_flight),
            metrics,
        });
        let parts = Parts {
            abi,
            wasm: Wasm::new(spec.bytes, spec.source),
            digest: spec.digest,
            isolation: spec.isolation,
        };
        let state = Arc::new(ActorState::new(Arc::clone(runtime), context, parts));
        let actor = Actor::new(Arc::clone(&state));
        state.warm_up().await?;
        Ok(actor)
    }

    /// Calls that ended since the start, of all actors.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.runtime.metrics.calls()
    }

    /// The engine's counters.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.runtime.metrics
    }
}

/// Drops idle instances for as long as the engine lives.
async fn sweep(runtime: Weak<Runtime>) {
    while let Some(interval) = runtime.upgrade().map(|runtime| runtime.config.idle_instance_ttl) {
        tokio::time::sleep(interval).await;
        if let Some(runtime) = runtime.upgrade() {
            runtime.residency.sweep();
        }
    }
}
