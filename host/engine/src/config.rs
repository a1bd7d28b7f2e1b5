//! What an engine is made from.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use trellis_core::Code;
use trellis_limits::{ActorLimits, HostLimits};

use crate::log::{LogSink, NoLog};

/// Settings of an [`Engine`](crate::Engine); start from `EngineConfig::default()`.
#[derive(Clone)]
pub struct EngineConfig {
    /// Where compiled modules are kept between runs; `None` keeps none.
    pub cache: Option<CacheConfig>,
    /// Where modules are compiled.
    pub compiler: Compiler,
    /// Host-wide caps: no actor's limits are above these. See [`host_caps`].
    pub caps: ActorLimits,
    /// Most instances of all actors together. Each reserves about 4 GiB of address space, not of
    /// memory.
    pub instances_total_max: u32,
    /// Most modules whose code stays in memory; the least recently used makes room. Lowered when
    /// the process may not open enough files (a module with data holds one).
    pub modules_resident_max: u32,
    /// Most host calls waiting at once, all guests together.
    pub host_calls_in_flight_max: u32,
    /// How many bytes of a returned memory slot stay resident, which makes the next instance of
    /// that module cheaper.
    pub memory_keep_resident_bytes: usize,
    /// Instances not needed for this long are dropped, down to `instances.min`.
    pub idle_instance_ttl: Duration,
    /// Where guests' output goes.
    pub log: Arc<dyn LogSink>,
}

impl Default for EngineConfig {
    fn default() -> Self {
        let limits = HostLimits::default();
        Self {
            cache: None,
            compiler: Compiler::InProcess,
            caps: host_caps(),
            instances_total_max: limits.instances_total_max,
            modules_resident_max: limits.modules_resident_max,
            host_calls_in_flight_max: limits.host_calls_in_flight_max,
            memory_keep_resident_bytes: 2 << 20,
            idle_instance_ttl: Duration::from_secs(30),
            log: Arc::new(NoLog),
        }
    }
}

/// What an actor's manifest may ask for unless the host owner says otherwise.
#[must_use]
pub fn host_caps() -> ActorLimits {
    ActorLimits::caps()
}

/// Where compiled modules are kept.
#[derive(Clone, Debug)]
pub struct CacheConfig {
    /// The folder; created with mode 0700 when missing. It holds its own key, so a copy of the
    /// files without the key is worth nothing.
    pub dir: PathBuf,
    /// Most bytes the folder may hold; the files not used for longest make room.
    pub bytes_max: u64,
}

/// Bytes of compiled code a cache keeps by default: some thousand modules.
const CACHE_BYTES_MAX: u64 = 1 << 30;

impl CacheConfig {
    /// A cache of the default size in this folder.
    #[must_use]
    pub const fn at(dir: PathBuf) -> Self {
        Self { dir, bytes_max: CACHE_BYTES_MAX }
    }
}

/// Where modules are compiled.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// In this process, on a low-priority thread: no bound on memory, for tests and benchmarks.
    InProcess,
    /// In a child process that bounds itself and is killed when it takes too long. The child runs
    /// [`compile_child_main`](crate::compile_child_main).
    Child {
        /// The program, usually the running one.
        program: PathBuf,
        /// Its arguments, usually a hidden subcommand.
        args: Vec<OsString>,
    },
}

/// Why an engine cannot start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The settings contradict themselves.
    #[error("{0}")]
    Config(String),
    /// The address space for the instances could not be reserved.
    #[error(
        "cannot reserve address space for {instances} instances (`instances_total_max`, about \
         4 GiB each): lower `instances_total` under `host`, or raise `ulimit -v`"
    )]
    AddressSpace {
        /// How many instances were asked for.
        instances: u32,
        /// What wasmtime says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The slow lane's or the ticker's threads could not be started.
    #[error("cannot start the engine's threads: raise `ulimit -u`")]
    Threads(#[source] std::io::Error),
    /// wasmtime refuses to start.
    #[error("the WebAssembly runtime cannot start on this machine")]
    Runtime(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl EngineError {
    /// The stable code of the error.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Config(_) | Self::AddressSpace { .. } | Self::Threads(_) => Code::Config,
            Self::Runtime(_) => Code::Internal,
        }
    }
}
