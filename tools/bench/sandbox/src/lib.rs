//! Our side, and the ceilings: wasmtime with nothing between it and the work.
//!
//! This package has three binaries: `bare` measures the ceilings of the sandbox, `bare-http` is the
//! ceiling of HTTP, and `ours` measures our road. They share one build of wasmtime, so its features
//! are the same.
//!
//! **Deliberately absent:** our HTTP rows, which the runner measures from outside on the `host`
//! binary; and shortcuts that users do not have: our side goes through a manifest.

pub mod bare;
mod large;
pub mod ours;
