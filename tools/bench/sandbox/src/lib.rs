//! Our side, and the ceilings: what wasmtime does when nothing stands between it and the work.
//!
//! Three binaries use this package: `bare` measures the sandbox's ceilings, `bare-http` serves the
//! ceiling of HTTP, `ours` measures our road. One build of wasmtime serves them all, so that its
//! features are the same.
//!
//! **Deliberately absent:** our HTTP rows, which the runner measures on the released `host` binary
//! from outside, and any road that users do not take: our side goes through a manifest.

pub mod bare;
mod large;
pub mod ours;
