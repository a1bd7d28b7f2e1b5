//! wasmtime's settings: one set for compiling, the same plus pools for running.

use std::num::NonZeroUsize;

use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, Strategy};

use trellis_core::{CallError, Code};
use trellis_limits::{ActorLimits, fixed};

use crate::config::{EngineConfig, EngineError};

/// Most stack a guest may use (threats.md row C2).
const GUEST_STACK_BYTES: usize = 512 << 10;
/// The whole stack of a call: the guest's part and room for the host calls polled on it.
const STACK_BYTES: usize = 2 << 20;
/// Address space of one memory: all a 32-bit pointer can reach, so that no access needs a check.
const MEMORY_RESERVATION_BYTES: u64 = 4 << 30;
/// What wasmtime keeps for each instance, in bytes: for each function that can be called from
/// outside or through a table, each import, each global, each segment, and for the rest.
/// Source: `VMOffsets` of wasmtime-environ.
const FUNCTION_BYTES: u64 = 32;
const IMPORT_BYTES: u64 = 32;
const GLOBAL_BYTES: u64 = 16;
const SEGMENT_BYTES: u64 = 16;
const INSTANCE_BASE_BYTES: u64 = 64 << 10;

/// Innermost frames that are looked at when a guest trapped: enough to tell a recursion.
const BACKTRACE_FRAMES: usize = 16;

/// Settings that shape the compiled code. The compile child uses exactly these: what it makes must
/// load here.
pub(crate) fn compile_config() -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .epoch_interruption(true)
        .memory_reservation(MEMORY_RESERVATION_BYTES)
        .memory_may_move(false)
        .memory_init_cow(true)
        .concurrency_support(false)
        .generate_address_map(false)
        .wasm_backtrace_max_frames(NonZeroUsize::new(BACKTRACE_FRAMES))
        .native_unwind_info(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_component_model(false)
        .wasm_relaxed_simd(false)
        .max_wasm_stack(GUEST_STACK_BYTES)
        .async_stack_size(STACK_BYTES)
        .parallel_compilation(false);
    config
}

/// An engine that compiles on its caller's thread and reserves no address space.
pub(crate) fn compile_engine() -> Result<wasmtime::Engine, CallError> {
    compiling(&compile_config())
}

/// The same on all threads of the process's pool.
pub(crate) fn parallel_compile_engine() -> Result<wasmtime::Engine, CallError> {
    compiling(compile_config().parallel_compilation(true))
}

fn compiling(config: &Config) -> Result<wasmtime::Engine, CallError> {
    wasmtime::Engine::new(config).map_err(|e| CallError::new(Code::Internal, format!("{e:#}")))
}

/// The engine that runs guests, with every pool reserved up front.
pub(crate) fn runtime_engine(config: &EngineConfig) -> Result<wasmtime::Engine, EngineError> {
    let instances = config.instances_total_max;
    if instances == 0 {
        return Err(EngineError::Config("`instances_total_max` must be at least 1".to_owned()));
    }
    let memory_bytes = usize::try_from(config.caps.memory_bytes_max)
        .ok()
        .filter(|bytes| *bytes as u64 <= MEMORY_RESERVATION_BYTES)
        .ok_or_else(|| EngineError::Config("`actor_memory_bytes_max` is above 4 GiB".to_owned()))?;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(instances)
        .total_memories(instances)
        .total_tables(instances)
        .total_stacks(instances)
        .max_memories_per_module(1)
        .max_tables_per_module(1)
        .max_memory_size(memory_bytes)
        .table_elements(config.caps.table_elements_max as usize)
        .max_core_instance_size(instance_bytes(&config.caps))
        .linear_memory_keep_resident(config.memory_keep_resident_bytes)
        .table_keep_resident(64 << 10)
        .async_stack_keep_resident(64 << 10)
        // Only what is beyond the resident part is given back, and then at once: a batch would
        // hold on to whole memories.
        .decommit_batch_size(1)
        .pagemap_scan(Enabled::Auto);
    let mut settings = compile_config();
    settings.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    wasmtime::Engine::new(&settings).map_err(|error| {
        let text = format!("{error:#}");
        if ["mmap", "memory", "address"].iter().any(|word| text.contains(word)) {
            EngineError::AddressSpace { instances, source: error.into() }
        } else {
            EngineError::Runtime(error.into())
        }
    })
}

/// What wasmtime may keep for one instance: enough for every module that passes the checks, so that
/// none is refused only when it starts. Taken when an instance is made, and only what it needs.
fn instance_bytes(caps: &ActorLimits) -> usize {
    let imports = fixed::MODULE_IMPORTS.default;
    let functions = u64::from(caps.module_functions_max) + imports;
    let bytes = INSTANCE_BASE_BYTES
        + functions * FUNCTION_BYTES
        + imports * IMPORT_BYTES
        + fixed::MODULE_GLOBALS.default * GLOBAL_BYTES
        + 2 * fixed::MODULE_SEGMENTS.default * SEGMENT_BYTES;
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::{DefaultHasher, Hash, Hasher};

    fn fingerprint(engine: &wasmtime::Engine) -> u64 {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        hasher.finish()
    }

    #[test]
    fn what_the_child_compiles_loads_in_the_host() {
        let config = EngineConfig { instances_total_max: 2, ..EngineConfig::default() };
        let compiles = compile_engine().expect("compile engine");
        let runs = runtime_engine(&config).expect("two instances fit anywhere");
        assert_eq!(fingerprint(&compiles), fingerprint(&runs));
    }

    #[test]
    fn settings_that_cannot_work_are_named() {
        let none = EngineConfig { instances_total_max: 0, ..EngineConfig::default() };
        let error = runtime_engine(&none).map(drop).expect_err("no instances");
        assert!(error.to_string().contains("instances_total_max"));
        let mut huge = EngineConfig::default();
        huge.caps.memory_bytes_max = 5 << 30;
        let error = runtime_engine(&huge).map(drop).expect_err("too much memory");
        assert!(error.to_string().contains("actor_memory_bytes_max"));
    }
}
