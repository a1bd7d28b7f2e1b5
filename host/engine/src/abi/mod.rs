//! The languages guests speak with the host, and the only place that names them.
//!
//! An ABI is a folder with the same files: `recognize` (which modules speak it, and what of them
//! cannot be served), `link` (everything a guest may import), `instance` (starting and calling one)
//! and `imports` (what the host does when a guest calls it). It is one variant of each type here.
//! WASI is such a folder too, but no ABI: a set of imports that guests of an ABI may use.

mod wapc;
mod wasi;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use trellis_core::CallError;

use crate::call::Call;
use crate::compile::Compiled;
use crate::context::ActorContext;
use crate::fault::Fault;
use crate::shape::ModuleShape;

/// What a module speaks, and all that must be known of it to link it again.
pub(crate) enum Abi {
    /// waPC, in one of its forms.
    Wapc(wapc::Form),
}

/// Recognizes ABIs. One serves any number of modules.
pub(crate) struct Recognizer {
    wasi: wasi::Catalog,
}

impl Recognizer {
    pub(crate) fn new(engine: &wasmtime::Engine) -> wasmtime::Result<Self> {
        Ok(Self { wasi: wasi::Catalog::new(engine)? })
    }

    /// The ABI of a module, whose every import and export it has checked.
    ///
    /// # Errors
    /// `E_MODULE_ABI`, naming the import or export.
    pub(crate) fn recognize(&self, shape: &ModuleShape) -> Result<Abi, CallError> {
        wapc::recognize(shape, &self.wasi).map(Abi::Wapc)
    }
}

/// Everything guests may import, built once per engine.
pub(crate) struct Linkers {
    wapc: wapc::Linkers,
}

impl Linkers {
    pub(crate) fn new(engine: &wasmtime::Engine) -> wasmtime::Result<Self> {
        Ok(Self { wapc: wapc::Linkers::new(engine)? })
    }

    /// Resolves a module's imports and exports, once for all its instances.
    ///
    /// # Errors
    /// `E_MODULE_ABI` for what cannot be served; [`Recognizer::recognize`] finds it earlier.
    pub(crate) fn link(&self, abi: &Abi, compiled: &Compiled) -> Result<Linked, CallError> {
        match (abi, compiled) {
            (Abi::Wapc(form), Compiled::Module(module)) => {
                self.wapc.link(form, module).map(Linked::Wapc)
            }
        }
    }
}

/// A compiled module, linked and ready: making an instance of it resolves nothing.
pub(crate) enum Linked {
    Wapc(wapc::Linked),
}

impl Linked {
    /// Makes a guest and runs its start functions; the caller ends it at `deadline` if it waits.
    pub(crate) async fn start(
        &self,
        actor: Arc<ActorContext>,
        deadline: Instant,
    ) -> Result<LiveGuest, Fault> {
        match self {
            Self::Wapc(linked) => {
                wapc::Instance::start(linked, actor, deadline).await.map(LiveGuest::Wapc)
            }
        }
    }
}

/// A guest that has started. It serves one call at a time.
pub(crate) enum LiveGuest {
    Wapc(wapc::Instance),
}

impl LiveGuest {
    /// Prepares the next call, to be cut at `deadline`.
    #[inline]
    pub(crate) fn begin(&mut self, call: Call, deadline: Instant) {
        match self {
            Self::Wapc(instance) => instance.begin(call, deadline),
        }
    }

    /// Runs the prepared call; [`answer`](Self::answer) has what came of it. After a fault the
    /// guest is in an unknown state and must not be called again.
    #[inline]
    pub(crate) fn run(&mut self) -> impl Future<Output = Result<(), Fault>> + Send {
        match self {
            Self::Wapc(instance) => instance.run(),
        }
    }

    /// When the prepared call is to be cut.
    #[inline]
    pub(crate) fn deadline(&self) -> Instant {
        match self {
            Self::Wapc(instance) => instance.deadline(),
        }
    }

    /// Takes out what the guest left as its answer, and makes it forget the call.
    ///
    /// # Errors
    /// The guest's own, as `E_GUEST`, or what it could not help (see `blame`).
    #[inline]
    pub(crate) fn answer(&mut self) -> Result<Bytes, CallError> {
        match self {
            Self::Wapc(instance) => instance.answer(),
        }
    }
}

/// The language a module seems to speak, whether or not this host can serve it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dialect(Option<wapc::Dialect>);

/// What a module's imports and exports say it speaks.
#[must_use]
pub fn dialect(shape: &ModuleShape) -> Dialect {
    Dialect(wapc::Dialect::of(shape))
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(dialect) => dialect.fmt(f),
            None => f.write_str("unknown"),
        }
    }
}
