//! A module as the engine is given it, and its bytes while it is not in use.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use trellis_core::{CallError, Code};
use trellis_limits::ActorLimits;

use crate::briefing::Briefing;

/// What [`Engine::load`](crate::Engine::load) makes an actor from.
#[derive(Clone)]
pub struct ModuleSpec {
    /// The actor's name in logs and metrics, usually its key.
    pub name: Arc<str>,
    /// The module.
    pub bytes: Bytes,
    /// SHA-256 of `bytes`, computed by whoever verified the signature.
    pub digest: [u8; 32],
    /// How instances are used.
    pub isolation: Isolation,
    /// Bounds; capped by the engine's own.
    pub limits: ActorLimits,
    /// Where the bytes can be read again. With it, an idle actor holds neither bytes nor code;
    /// without it, the bytes stay in memory.
    pub source: Option<Arc<dyn ModuleSource>>,
    /// What its instances have to know before they are called; nothing for most.
    pub briefing: Option<Arc<dyn Briefing>>,
}

impl ModuleSpec {
    /// A module with default limits and isolation, whose bytes stay in memory.
    pub fn new(name: impl Into<Arc<str>>, bytes: impl Into<Bytes>, digest: [u8; 32]) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.into(),
            digest,
            isolation: Isolation::default(),
            limits: ActorLimits::default(),
            source: None,
            briefing: None,
        }
    }
}

/// Where a module's bytes can be read again, when its compiled code is no longer in the cache.
pub trait ModuleSource: Send + Sync {
    /// Reads the whole module. Other bytes than at first are refused with `E_HASH`.
    ///
    /// # Errors
    /// Whatever keeps it from reading.
    fn read(&self) -> io::Result<Bytes>;
}

/// How an actor's instances are used.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Isolation {
    /// An instance serves many calls and keeps its memory between them.
    #[default]
    Reuse,
    /// Every call gets a new instance.
    Fresh,
}

/// The bytes of a module that is not in use.
pub(crate) enum Wasm {
    Kept(Bytes),
    /// The source, and what the bytes must hash to.
    Source(Arc<dyn ModuleSource>, blake3::Hash),
}

impl Wasm {
    pub(crate) fn new(bytes: Bytes, source: Option<Arc<dyn ModuleSource>>) -> Self {
        match source {
            Some(source) => Self::Source(source, blake3::hash(&bytes)),
            None => Self::Kept(bytes),
        }
    }

    /// The bytes; blocks on the source.
    pub(crate) fn read(&self) -> Result<Bytes, CallError> {
        match self {
            Self::Kept(bytes) => Ok(bytes.clone()),
            Self::Source(source, hash) => {
                let bytes = source.read().map_err(|error| {
                    tracing::warn!(%error, "a module cannot be read again");
                    CallError::new(Code::Storage, "the module cannot be read again; see the log")
                })?;
                if blake3::hash(&bytes) == *hash {
                    return Ok(bytes);
                }
                Err(CallError::new(Code::Hash, "the module's file changed since it was loaded"))
            }
        }
    }
}
