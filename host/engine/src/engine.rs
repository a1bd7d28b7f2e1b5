//! The engine: one per process.

use std::sync::{Arc, Weak};

use trellis_core::limits::ActorLimits;
use trellis_core::{CallError, Code};
use wasmtime::Module;

use crate::abi::wapc::imports::InFlight;
use crate::abi::{Linkers, wapc, wasi};
use crate::actor::{Actor, Inner, Parts};
use crate::checks;
use crate::compile::{Compilers, Haste};
use crate::config::{EngineConfig, EngineError, host_caps};
use crate::host_calls::HostCalls;
use crate::instance::ActorShared;
use crate::lane::Lane;
use crate::log::ActorLog;
use crate::metrics::Metrics;
use crate::module::{ModuleSpec, Outline, Wasm};
use crate::residents::Residents;
use crate::settings;
use crate::ticker::Ticker;

/// Runs actors. Cheap to clone; one per process, because each reserves address space for all its
/// instances.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

/// What actors need of their engine.
pub(crate) struct Shared {
    pub(crate) ticker: Ticker,
    pub(crate) lane: Lane,
    pub(crate) loader: Lane,
    pub(crate) linkers: Linkers,
    pub(crate) residents: Residents,
    pub(crate) metrics: Arc<Metrics>,
    catalog: wasi::Catalog,
    compilers: Compilers,
    in_flight: Arc<InFlight>,
    config: EngineConfig,
}

impl Engine {
    /// Reserves the pools and starts the threads.
    ///
    /// # Errors
    /// Settings that contradict themselves, or more than the machine allows.
    pub fn new(config: EngineConfig) -> Result<Self, EngineError> {
        let refused = |e: wasmtime::Error| EngineError::Runtime(e.into());
        let runtime = settings::runtime_engine(&config)?;
        let metrics = Arc::new(Metrics::new());
        let modules_max = modules_the_files_allow(config.modules_resident_max);
        let instances_max = config.instances_total_max;
        let loader = Lane::for_modules().map_err(EngineError::Threads)?;
        let compilers = Compilers::new(&config, &runtime, (loader.handle(), &metrics));
        let shared = Arc::new(Shared {
            ticker: Ticker::start(runtime.clone()).map_err(EngineError::Threads)?,
            lane: Lane::for_guests().map_err(EngineError::Threads)?,
            loader,
            linkers: Linkers::new(&runtime).map_err(refused)?,
            residents: Residents::new(modules_max, instances_max, Arc::clone(&metrics)),
            catalog: wasi::Catalog::new(&runtime).map_err(refused)?,
            compilers,
            in_flight: Arc::new(InFlight::new(config.host_calls_in_flight_max)),
            metrics,
            config,
        });
        shared.loader.handle().spawn(sweep(Arc::downgrade(&shared)));
        Ok(Self { shared })
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
            self.shared.metrics.module_rejected(error.code());
        }
        loaded
    }

    async fn try_load(
        &self,
        spec: ModuleSpec,
        host: Arc<dyn HostCalls>,
    ) -> Result<Actor, CallError> {
        let engine = &self.shared;
        let limits = spec.limits.capped_by(&engine.config.caps);
        let shape = checks::surface(&spec.bytes, &limits)?;
        engine.catalog.check(&shape)?;
        wapc::recognise(&shape)?;
        let metrics = Arc::clone(&engine.metrics);
        let sink = Arc::clone(&engine.config.log);
        let shared = Arc::new(ActorShared {
            log: ActorLog::new(Arc::clone(&spec.name), sink, Arc::clone(&metrics), &limits),
            name: spec.name,
            limits,
            host,
            in_flight: Arc::clone(&engine.in_flight),
            metrics,
        });
        let parts = Parts {
            outline: Outline::from(&shape),
            wasm: Wasm::new(spec.bytes, spec.source),
            digest: spec.digest,
            isolation: spec.isolation,
        };
        let inner = Arc::new(Inner::new(Arc::clone(engine), shared, parts));
        let actor = Actor::new(Arc::clone(&inner));
        inner.warm_up().await?;
        Ok(actor)
    }

    /// Calls that ended since the start, of all actors.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.shared.metrics.calls()
    }

    /// The engine's counters.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.shared.metrics
    }
}

impl Shared {
    /// The module's compiled code, from the cache or the compiler.
    pub(crate) async fn obtain(
        &self,
        wasm: &Wasm,
        digest: &[u8; 32],
        limits: &ActorLimits,
    ) -> Result<Module, CallError> {
        let haste = if self.ticker.is_asleep() { Haste::AllCores } else { Haste::OneThread };
        self.compilers.obtain((wasm, digest), limits, haste).await
    }
}

/// Checks modules as [`Engine::load`] does, as far as that goes without compiling them.
pub struct Checker {
    catalog: wasi::Catalog,
    caps: ActorLimits,
}

impl Checker {
    /// A checker; one serves any number of modules.
    ///
    /// # Errors
    /// `E_INTERNAL` when the WebAssembly runtime refuses to start.
    pub fn new() -> Result<Self, CallError> {
        let catalog = wasi::Catalog::new(&settings::compile_engine()?)
            .map_err(|error| CallError::new(Code::Internal, format!("{error:#}")))?;
        Ok(Self { catalog, caps: host_caps() })
    }

    /// Checks one module.
    ///
    /// # Errors
    /// As [`Engine::load`], but for what only a compiler or a start function finds.
    pub fn check(&self, bytes: &[u8], limits: &ActorLimits) -> Result<(), CallError> {
        let shape = checks::surface(bytes, &limits.capped_by(&self.caps))?;
        self.catalog.check(&shape)?;
        wapc::recognise(&shape)?;
        checks::validate(bytes)
    }
}

/// Drops idle instances for as long as the engine lives.
async fn sweep(engine: Weak<Shared>) {
    while let Some(interval) = engine.upgrade().map(|engine| engine.config.idle_instance_ttl) {
        tokio::time::sleep(interval).await;
        if let Some(engine) = engine.upgrade() {
            engine.residents.sweep();
        }
    }
}

/// A module with data holds one open file for its initial memory; most files are left to others.
fn modules_the_files_allow(wanted: u32) -> u32 {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let room = files.map_or(u32::MAX, |files| u32::try_from(files / 2).unwrap_or(u32::MAX));
    if room < wanted {
        tracing::info!(modules = room, "`ulimit -n` lowers modules_resident_max");
    }
    wanted.min(room).max(1)
}
