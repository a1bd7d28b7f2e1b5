//! The one list of built-in providers. Adding a capability adds a line here.

use trellis_providers_sdk::Builtin;

/// Every provider this host can run, by the name its descriptor gives.
pub const BUILTINS: &[Builtin] = &[
    trellis_providers_extras::BUILTIN,
    trellis_providers_http_server::BUILTIN,
    trellis_providers_keyvalue_embedded::BUILTIN,
    trellis_providers_keyvalue_redis::BUILTIN,
    trellis_providers_logging::BUILTIN,
];
