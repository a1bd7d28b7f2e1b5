//! The edge of the actor: what the host gives it, or what stands for that in a unit test.

#[cfg(all(target_family = "wasm", feature = "heap"))]
mod heap;
#[cfg(not(target_family = "wasm"))]
pub(crate) mod stand_in;
#[cfg(target_family = "wasm")]
mod wapc_imports;

#[cfg(target_family = "wasm")]
pub(crate) use wapc_imports::{console_log, fail, host_call, request, respond};

#[cfg(not(target_family = "wasm"))]
pub(crate) use stand_in::{console_log, host_call};
