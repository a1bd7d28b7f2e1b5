//! What waPC's imports and exports are called.

pub(super) use wapc::wapc_functions::{
    GUEST_CALL, GUEST_ERROR_FN, GUEST_REQUEST_FN, GUEST_RESPONSE_FN, HOST_CALL, HOST_CONSOLE_LOG,
    HOST_ERROR_FN, HOST_ERROR_LEN_FN, HOST_RESPONSE_FN, HOST_RESPONSE_LEN_FN, TINYGO_START,
    WAPC_INIT,
};

/// waPC's own module name.
pub(super) const WAPC: &str = "wapc";
/// That of wasmCloud OTP.
pub(super) const WASMBUS: &str = "wasmbus";
/// The module names the host functions are imported from.
pub(super) const NAMESPACES: [&str; 2] = [WAPC, WASMBUS];
/// The guest's memory.
pub(super) const MEMORY: &str = "memory";
/// WASI reactors' start function.
pub(super) const INITIALIZE: &str = "_initialize";
/// Where AssemblyScript's [`ABORT`] is imported from.
pub(super) const ENV: &str = "env";
/// AssemblyScript's last words.
pub(super) const ABORT: &str = "abort";
