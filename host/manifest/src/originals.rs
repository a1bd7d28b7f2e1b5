//! Providers as the manifests of waSCC 0.14 and wasmCloud 0.18 name them.
//!
//! Those manifests name native libraries and provider archives. Their code cannot run here, but
//! their contracts are ours, so each well-known one means a built-in provider. Another archive may
//! be one of ours.

use std::path::Path;

/// Names the originals' providers go by, without `lib`, `wascc_`, `_provider`, version and file
/// type, and the name of the built-in provider that takes their place.
pub const PROVIDERS: &[(&str, &str)] = &[
    ("httpsrv", "http-server"),
    ("httpserver", "http-server"),
    ("http_server", "http-server"),
    ("redis", "keyvalue-redis"),
    ("kvredis", "keyvalue-redis"),
    ("keyvalue_redis", "keyvalue-redis"),
    ("keyvalue", "keyvalue-embedded"),
    ("keyvalue_memory", "keyvalue-embedded"),
    ("inmemory_keyvalue", "keyvalue-embedded"),
    ("logging", "logging"),
    ("extras", "extras"),
];

/// The name of the built-in provider that stands for `reference`: a library's path
/// (`./libredis_provider.so`) or a registry reference (`wasmcloud.azurecr.io/httpserver:0.11.0`).
#[must_use]
pub fn builtin_for(reference: &str) -> Option<&'static str> {
    let file = reference.rsplit(['/', '\\']).next().unwrap_or(reference);
    let file = file.split(['@', ':']).next().unwrap_or(file);
    let name = file.split('.').next().unwrap_or(file).to_lowercase().replace('-', "_");
    let name = name.strip_prefix("lib").unwrap_or(&name);
    let name = ["wascc_", "wasmcloud_"]
        .iter()
        .fold(name, |name, maker| name.strip_prefix(maker).unwrap_or(name));
    let name = name.strip_suffix("_provider").unwrap_or(name);
    PROVIDERS.iter().find(|(known, _)| *known == name).map(|(_, builtin)| *builtin)
}

/// True for a path that names a module: a portable provider.
#[must_use]
pub(crate) fn is_module(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("wasm"))
}

/// The path of a provider archive without what makes it one; `None` for any other.
#[must_use]
pub fn archive_stem(path: &str) -> Option<&str> {
    [".par.gz", ".par"].iter().find_map(|end| path.strip_suffix(end))
}

/// Values the original hosts' provider has without a word: there, all actors shared the keys of a
/// key-value store.
#[must_use]
pub fn implied_values(builtin: &str) -> &'static [(&'static str, &'static str)] {
    match builtin {
        "keyvalue-embedded" | "keyvalue-redis" => &[("SHARED", "true")],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_originals_by_every_kind_of_reference() {
        for (reference, builtin) in [
            ("./examples/.assets/libwascc_httpsrv.so", Some("http-server")),
            ("./libredis_provider.so", Some("keyvalue-redis")),
            ("/opt/lib/libwascc_redis.dylib", Some("keyvalue-redis")),
            ("wascc/httpsrv", Some("http-server")),
            ("wascc.azurecr.io/redis:0.10.0", Some("keyvalue-redis")),
            ("wasmcloud.azurecr.io/httpserver:0.11.0", Some("http-server")),
            ("localhost:5000/kvredis@sha256:0123", Some("keyvalue-redis")),
            ("./httpserver.par.gz", Some("http-server")),
            ("wasmcloud-logging.par", Some("logging")),
            ("libwascc_extras.so", Some("extras")),
            ("wasmcloud.azurecr.io/telnet:0.1.0", None),
            ("libwascc_redisgraph.so", None),
            ("", None),
        ] {
            assert_eq!(builtin_for(reference), builtin, "{reference}");
        }
    }
}
