//! The edge of the actor: the waPC imports and exports, or what stands for them in a unit test.

#[cfg(all(target_family = "wasm", feature = "heap"))]
mod heap;
#[cfg(target_family = "wasm")]
mod wapc;

#[cfg(target_family = "wasm")]
pub(crate) use wapc::{console_log, host_call};

#[cfg(not(target_family = "wasm"))]
pub(crate) use crate::testing::{console_log, host_call};
