//! Checks of modules that nobody runs yet.

use trellis_core::{CallError, Code};

use crate::abi::Recognizer;
use crate::bounds::ModuleBounds;
use crate::checks;
use crate::config::host_caps;
use crate::settings;
use crate::shape::ModuleShape;

/// Checks modules as [`Engine::load`](crate::Engine::load) does, as far as that goes without
/// compiling them.
pub struct Checker {
    recognizer: Recognizer,
    caps: ModuleBounds,
}

impl Checker {
    /// A checker; one serves any number of modules.
    ///
    /// # Errors
    /// `E_INTERNAL` when the WebAssembly runtime refuses to start.
    pub fn new() -> Result<Self, CallError> {
        let recognizer = Recognizer::new(&settings::compile_engine()?)
            .map_err(|error| CallError::new(Code::Internal, format!("{error:#}")))?;
        Ok(Self { recognizer, caps: ModuleBounds::of(&host_caps()) })
    }

    /// Checks one module.
    ///
    /// # Errors
    /// As [`Engine::load`](crate::Engine::load), but for what only a compiler or a start function
    /// finds.
    pub fn check(&self, bytes: &[u8], bounds: &ModuleBounds) -> Result<(), CallError> {
        let shape = checks::surface(bytes, &bounds.capped_by(&self.caps))?;
        self.recognizer.recognize(&shape)?;
        checks::validate(bytes).map_err(CallError::from)
    }
}

/// Reads a module's surface.
///
/// # Errors
/// `E_MODULE_INVALID` when it is not a core module, with the byte offset; `E_MODULE_LIMIT` when it
/// is beyond even [`host_caps`].
pub fn inspect(bytes: &[u8]) -> Result<ModuleShape, CallError> {
    checks::surface(bytes, &ModuleBounds::of(&host_caps())).map_err(CallError::from)
}
