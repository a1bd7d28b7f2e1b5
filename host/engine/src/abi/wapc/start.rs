//! How a waPC guest is started, after its own `start` section.

use wasmtime_wasi::I32Exit;

use super::{INITIALIZE, names};
use crate::shape::{FunctionType, ModuleShape};

/// The start functions of a module, in order: `_initialize` for WASI reactors, else `_start`, then
/// `wapc_init`. Guests have any or none of them.
pub(crate) fn functions(shape: &ModuleShape) -> Vec<&'static str> {
    let plain = FunctionType::of_i32(0, 0);
    let has = |name: &&'static str| shape.exported_function(name) == Some(&plain);
    let first = [INITIALIZE, names::TINYGO_START].into_iter().find(has);
    first.into_iter().chain(Some(names::WAPC_INIT).filter(has)).collect()
}

/// tinygo's `_start` ends with `proc_exit(0)`, which is how a command says that all is well.
pub(crate) fn is_success(error: &wasmtime::Error) -> bool {
    error.downcast_ref::<I32Exit>().is_some_and(|exit| exit.0 == 0)
}
