//! Memory and table limits of one instance.

use trellis_limits::ActorLimits;

/// Answers wasmtime's questions about growth, and remembers a refusal so that the trap that often
/// follows it is explained.
pub(crate) struct Limiter {
    memory_bytes_max: usize,
    table_elements_max: usize,
    refused: Option<&'static str>,
}

impl Limiter {
    pub(crate) fn new(limits: &ActorLimits) -> Self {
        Self {
            memory_bytes_max: usize::try_from(limits.memory_bytes_max).unwrap_or(usize::MAX),
            table_elements_max: limits.table_elements_max as usize,
            refused: None,
        }
    }

    /// The limit that refused growth since the last call began.
    pub(crate) fn refused(&self) -> Option<&'static str> {
        self.refused
    }

    /// A new call begins.
    pub(crate) fn reset(&mut self) {
        self.refused = None;
    }
}

impl wasmtime::ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let fits = desired <= self.memory_bytes_max;
        if !fits {
            self.refused = Some("actor_memory_bytes_max");
        }
        Ok(fits)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let fits = desired <= self.table_elements_max;
        if !fits {
            self.refused = Some("table_elements_max");
        }
        Ok(fits)
    }
}
