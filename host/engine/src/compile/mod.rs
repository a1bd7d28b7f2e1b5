//! From bytes to compiled code: cache, compiler, and the one place that trusts compiled bytes.

mod artifact;
mod cache;
mod child;
mod haste;
mod quota;

use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use trellis_core::{CallError, Code};
use trellis_limits::ActorLimits;

use artifact::Artifact;
pub(crate) use artifact::Compiled;
use cache::Cache;
pub use child::compile_child_main;
pub(crate) use haste::Haste;

use crate::checks;
use crate::config::{Compiler, EngineConfig};
use crate::metrics::Metrics;
use crate::module::Wasm;
use crate::refusal::Refusal;
use crate::settings;

/// Gives compiled modules.
pub(crate) struct Compilers {
    compiler: Compiler,
    runtime: wasmtime::Engine,
    loader: Handle,
    cache: Option<Arc<Cache>>,
    /// Identifies what compiled code must match: wasmtime, its settings, the processor.
    fingerprint: blake3::Hash,
    /// One compilation at a time, so that serving goes on beside it.
    turn: Semaphore,
    metrics: Arc<Metrics>,
}

impl Compilers {
    pub(crate) fn new(
        config: &EngineConfig,
        runtime: &wasmtime::Engine,
        (loader, metrics): (&Handle, &Arc<Metrics>),
    ) -> Self {
        let cache = config.cache.as_ref().and_then(|cache| {
            Cache::open(cache, Arc::clone(metrics))
                .inspect_err(|error| tracing::warn!(%error, "no compile cache"))
                .ok()
                .map(Arc::new)
        });
        Self {
            compiler: config.compiler.clone(),
            runtime: runtime.clone(),
            loader: loader.clone(),
            cache,
            fingerprint: artifact::fingerprint(runtime),
            turn: Semaphore::new(1),
            metrics: Arc::clone(metrics),
        }
    }

    /// The compiled module, from the cache if it has it. Called on the loader: reading the
    /// cache blocks for about as long as a thread switch takes. Dropping the future ends the
    /// compilation, or gives up its place in the line.
    pub(crate) async fn obtain(
        &self,
        (wasm, digest): (&Wasm, &[u8; 32]),
        limits: &ActorLimits,
        haste: impl Fn() -> Haste,
    ) -> Result<Compiled, CallError> {
        let name = cache::entry_name(digest, &self.fingerprint);
        if let Some(compiled) = self.cached(&name) {
            return Ok(compiled);
        }
        let _turn = match self.turn.try_acquire() {
            Ok(turn) => turn,
            Err(_) => {
                let turn = self.turn.acquire().await.map_err(|_| stopped())?;
                // Whoever had it before may have compiled the same.
                if let Some(compiled) = self.new_in_cache(&name) {
                    return Ok(compiled);
                }
                turn
            }
        };
        let bytes = wasm.read()?;
        let artifact = self.compile(bytes, limits, haste()).await;
        let artifact = artifact.map_err(|refusal| self.metrics.refused(refusal))?;
        self.metrics.module_compiled();
        let compiled = artifact.load(&self.runtime).map_err(|error| {
            tracing::error!(error = %format!("{error:#}"), "compiled code does not load");
            CallError::new(Code::Internal, "the compiled module does not load; see the log")
        })?;
        if let Some(cache) = &self.cache {
            cache.write(&name, &artifact);
        }
        Ok(compiled)
    }

    /// The same for what was not there a moment ago, which is not counted again.
    fn new_in_cache(&self, name: &str) -> Option<Compiled> {
        if self.cache.as_ref()?.has(name) { self.cached(name) } else { None }
    }

    fn cached(&self, name: &str) -> Option<Compiled> {
        let cache = self.cache.as_ref()?;
        let artifact = cache.read(name)?;
        match artifact.load(&self.runtime) {
            Ok(compiled) => {
                self.metrics.cache("hit");
                Some(compiled)
            }
            Err(error) => {
                cache.reject(name, &format!("{error:#}"));
                None
            }
        }
    }

    async fn compile(
        &self,
        bytes: Bytes,
        limits: &ActorLimits,
        haste: Haste,
    ) -> Result<Artifact, Refusal> {
        match &self.compiler {
            Compiler::InProcess => {
                let work = move || {
                    checks::validate(&bytes)?;
                    Ok(Artifact::compile(&settings::compile_engine()?, &bytes)?)
                };
                self.loader.spawn_blocking(work).await.map_err(|_| stopped())?
            }
            Compiler::Child { program, args } => {
                let checked = bytes.clone();
                let check = move || checks::validate(&checked);
                self.loader.spawn_blocking(check).await.map_err(|_| stopped())??;
                let order = child::Order { wasm: &bytes, limits, haste };
                child::compile((program, args), &order, &self.fingerprint).await
            }
        }
    }
}

fn stopped() -> CallError {
    CallError::new(Code::Stopping, "the engine is stopping")
}
