//! What one guest has of WASI.

use std::sync::Arc;

use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{I32Exit, WasiCtxBuilder};

use super::imports::Output;
use crate::context::ActorContext;
use crate::log::LogSource;

/// Most random bytes the library draws at once, for which it sets memory aside.
pub(super) const RANDOM_PIECE_BYTES: u32 = 64 << 10;

/// The state of an ABI whose guests may import WASI.
pub(crate) trait HasWasi {
    /// The guest's WASI. Only called for guests that were linked with it.
    fn wasi(&mut self) -> &mut WasiP1Ctx;
}

/// A new guest's WASI.
pub(crate) fn context(actor: &Arc<ActorContext>) -> Box<WasiP1Ctx> {
    let stream = |source| Output::new(Arc::clone(actor), source);
    let context = WasiCtxBuilder::new()
        .stdout(stream(LogSource::Stdout))
        .stderr(stream(LogSource::Stderr))
        .max_random_size(RANDOM_PIECE_BYTES.into())
        .allow_tcp(false)
        .allow_udp(false)
        .build_p1();
    Box::new(context)
}

/// The status of a guest that called `proc_exit`.
pub(crate) fn exit_status(error: &wasmtime::Error) -> Option<i32> {
    error.downcast_ref::<I32Exit>().map(|exit| exit.0)
}
