//! Compiled code as bytes, and the only `unsafe` of the engine: loading it.
//!
//! wasmtime believes what it loads. So an [`Artifact`] can only be made in three ways: by compiling
//! here, from what our own child wrote, or from bytes whose MAC was checked.

#![allow(unsafe_code)]

use std::hash::{Hash, Hasher};

use trellis_core::CallError;
use wasmtime::Module;

use crate::shape::invalid;

/// Loaded code, as an ABI links it: a variant for each kind of binary. Outside `abi`, only what
/// makes and loads an [`Artifact`] tells kinds apart.
pub(crate) enum Compiled {
    /// Of a core module.
    Module(Module),
}

/// Compiled code this process may run.
pub(super) struct Artifact {
    bytes: Vec<u8>,
    /// Where the code begins: what comes from elsewhere has a header, and moving megabytes takes
    /// long.
    start: usize,
}

impl Artifact {
    /// Compiles in this process.
    ///
    /// # Errors
    /// `E_MODULE_INVALID` when the compiler refuses the module.
    pub(super) fn compile(engine: &wasmtime::Engine, wasm: &[u8]) -> Result<Self, CallError> {
        let bytes = engine.precompile_module(wasm);
        let bytes = bytes.map_err(|error| invalid(format!("{error:#}"), 0))?;
        Ok(Self { bytes, start: 0 })
    }

    /// Wraps the part of `bytes` behind `header`: what the child wrote, which is this very program.
    pub(super) const fn of_child(bytes: Vec<u8>, header: usize) -> Self {
        Self { bytes, start: header }
    }

    /// Wraps the part of `bytes` behind `header`, whose MAC the caller has just checked over these
    /// very bytes in memory.
    pub(super) const fn authenticated(bytes: Vec<u8>, header: usize) -> Self {
        Self { bytes, start: header }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Loads the code.
    ///
    /// # Errors
    /// Code of another wasmtime, of other settings or for another processor.
    pub(super) fn load(&self, engine: &wasmtime::Engine) -> wasmtime::Result<Compiled> {
        // SAFETY: `deserialize` needs bytes that this version of wasmtime wrote and nobody changed
        // since. By construction (see the type) they come from `precompile_module` with the
        // settings of this engine: directly, through the pipe of a child process that is this
        // program, or from a cache file whose keyed MAC covers all of them. wasmtime itself checks
        // version, settings and processor, and answers with an error when they differ.
        unsafe { Module::deserialize(engine, self.bytes()) }.map(Compiled::Module)
    }
}

/// What compiled code must match to load here, as a hash.
pub(super) fn fingerprint(engine: &wasmtime::Engine) -> blake3::Hash {
    struct Feed(blake3::Hasher);
    impl Hasher for Feed {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut feed = Feed(blake3::Hasher::new());
    engine.precompile_compatibility_hash().hash(&mut feed);
    env!("CARGO_PKG_VERSION").hash(&mut feed);
    feed.0.finalize()
}
