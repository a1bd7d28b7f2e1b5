//! What actors need of their engine.

use std::sync::Arc;

use trellis_core::CallError;
use trellis_limits::ActorLimits;

use crate::abi::{Linkers, Recognizer};
use crate::compile::{Compiled, Compilers, Haste};
use crate::config::{EngineConfig, EngineError};
use crate::in_flight::InFlight;
use crate::lane::Lane;
use crate::metrics::Metrics;
use crate::module::Wasm;
use crate::residency::Residency;
use crate::settings;
use crate::ticker::{Ticker, epochs_of};

/// The threads, pools and tables of one engine.
pub(crate) struct Runtime {
    pub(crate) ticker: Ticker,
    pub(crate) lane: Lane,
    pub(crate) loader: Lane,
    pub(crate) linkers: Linkers,
    pub(crate) residency: Residency,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) recognizer: Recognizer,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) config: EngineConfig,
    compilers: Compilers,
}

impl Runtime {
    /// Reserves the pools and starts the threads.
    ///
    /// # Errors
    /// Settings that contradict themselves, or more than the machine allows.
    pub(crate) fn new(config: EngineConfig) -> Result<Self, EngineError> {
        let refused = |e: wasmtime::Error| EngineError::Runtime(e.into());
        let engine = settings::runtime_engine(&config)?;
        let metrics = Arc::<Metrics>::default();
        let modules_max = modules_the_files_allow(config.modules_resident_max);
        let instances_max = config.instances_total_max;
        let loader = Lane::for_modules().map_err(EngineError::Threads)?;
        let compilers = Compilers::new(&config, &engine, (loader.handle(), &metrics));
        Ok(Self {
            ticker: Ticker::start(epochs_of(engine.clone())).map_err(EngineError::Threads)?,
            lane: Lane::for_guests().map_err(EngineError::Threads)?,
            loader,
            linkers: Linkers::new(&engine).map_err(refused)?,
            residency: Residency::new(modules_max, instances_max, Arc::clone(&metrics)),
            recognizer: Recognizer::new(&engine).map_err(refused)?,
            in_flight: Arc::new(InFlight::new(config.host_calls_in_flight_max)),
            metrics,
            config,
            compilers,
        })
    }

    /// The module's compiled code, from the cache or the compiler.
    pub(crate) async fn obtain(
        &self,
        wasm: &Wasm,
        digest: &[u8; 32],
        limits: &ActorLimits,
    ) -> Result<Compiled, CallError> {
        // Asked when the compilation begins, which may be long after it was ordered.
        let haste = || if self.ticker.is_asleep() { Haste::AllCores } else { Haste::OneThread };
        self.compilers.obtain((wasm, digest), limits, haste).await
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
