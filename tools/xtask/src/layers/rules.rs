//! The tables: who may import whom, and who owns which outside library.
//!
//! A pattern is a folder, or a folder followed by `/*`: itself and everything below it.

/// What the crates of one folder may import.
pub(super) struct Layer {
    /// Which crates; the first row that fits a crate is its row.
    pub(super) who: &'static str,
    /// Height: dev-dependencies may reach this height and below.
    pub(super) height: u8,
    /// Folders it may import, besides [`OWN_CONTRACT`].
    pub(super) may: &'static [&'static str],
}

/// In `may`: the contract a provider is named after (`providers/keyvalue-redis` ->
/// `capabilities/keyvalue`), and no other.
pub(super) const OWN_CONTRACT: &str = "its own contract";

/// The layers of ARCHITECTURE.md, lowest first.
pub(super) const LAYERS: &[Layer] = &[
    layer("capabilities/core", 0, &[]),
    layer("capabilities/macros", 0, &[]),
    layer("capabilities/all", 0, &["capabilities/*"]),
    layer("capabilities/*", 0, &["capabilities/core", "capabilities/macros"]),
    layer("host/limits", 0, &["capabilities/core"]),
    layer("host/artifacts", 1, &["capabilities/core", "host/limits"]),
    layer("host/claims", 1, &["capabilities/core"]),
    layer("host/manifest", 1, &["capabilities/core", "host/limits"]),
    layer("host/telemetry", 1, &["capabilities/core", "host/limits"]),
    layer("host/archive", 2, &["capabilities/core", "host/claims", "host/limits"]),
    layer("host/keystore", 2, &["capabilities/core", "host/claims"]),
    layer("host/meters", 0, &[]),
    layer("host/engine", 1, &["capabilities/core", "host/limits", "host/meters"]),
    layer("host/control", 1, &["capabilities/core"]),
    layer("host/entitlements", 2, &["capabilities/core", "host/claims", "host/meters"]),
    layer("host/dispatch", 3, &["capabilities/core", "host/entitlements", "host/meters"]),
    layer("providers/sdk", 3, &["capabilities/core", "capabilities/macros", "host/meters"]),
    layer("providers/conformance", 4, &["capabilities/*", "providers/sdk"]),
    layer("providers/*", 4, &["capabilities/core", "providers/sdk", OWN_CONTRACT]),
    layer(
        "host/targets",
        4,
        &[
            "capabilities/core",
            "host/artifacts",
            "host/dispatch",
            "host/engine",
            "host/entitlements",
            "host/limits",
            "host/meters",
            "providers/sdk",
        ],
    ),
    layer(
        "host/supervisor",
        5,
        &[
            "capabilities/core",
            "host/archive",
            "host/artifacts",
            "host/claims",
            "host/control",
            "host/dispatch",
            "host/engine",
            "host/entitlements",
            "host/limits",
            "host/manifest",
            "host/targets",
            "providers/sdk",
        ],
    ),
    layer("host/app", 6, &["capabilities/*", "host/*", "providers/*"]),
    layer("actors/sdk/rust", 1, &["actors/sdk/*", "capabilities/*"]),
    layer("actors/sdk/*", 1, &["capabilities/*"]),
    layer("actors/*", 2, &["actors/sdk/*", "capabilities/*"]),
    layer(
        "tools/cli",
        7,
        &[
            "capabilities/*",
            "host/app",
            "host/archive",
            "host/artifacts",
            "host/claims",
            "host/control",
            "host/engine",
            "host/keystore",
            "host/limits",
            "host/manifest",
        ],
    ),
    layer(
        "tools/xtask",
        7,
        &["capabilities/*", "host/claims", "host/control", "host/limits", "host/manifest"],
    ),
    layer("tools/*", 8, &["capabilities/*", "host/*", "providers/*", "tools/*"]),
];

/// What a test may import although it stands higher.
pub(super) const FOR_TESTS: &[&str] = &["providers/conformance", "tools/testkit"];

/// Outside libraries only some crates may name, and why.
pub(super) struct Owner {
    /// Library names as on crates.io.
    pub(super) libraries: &'static [&'static str],
    /// The crates that may name them.
    pub(super) who: &'static [&'static str],
    /// The reason, as it ends the sentence "only X may, because ...".
    pub(super) because: &'static str,
}

/// One owner per outside library that would spread if it were let.
pub(super) const OWNERS: &[Owner] = &[
    owner(
        &["wasmtime", "wasmtime-wasi", "wiggle", "wapc"],
        &["host/engine", "tools/bench/*"],
        "the sandbox is one crate, which can be audited and replaced",
    ),
    owner(
        &["wasmparser"],
        &["host/claims", "host/engine"],
        "only they read modules: claims finds its section, engine the shape",
    ),
    owner(
        &["tar"],
        &["host/archive", "tools/fuzz"],
        "archives are unpacked in one place, within bounds",
    ),
    owner(
        &["flate2"],
        &["host/archive", "host/telemetry", "tools/fuzz"],
        "archives are unpacked in one place, within bounds; telemetry only packs what it sends",
    ),
    owner(
        &["nkeys", "ed25519-dalek", "jsonwebtoken"],
        &["host/claims"],
        "keys and signatures are checked in one place",
    ),
    owner(
        &["hyper", "hyper-util"],
        &["host/app", "providers/http-server", "tools/bench/*", "tools/e2e", "tools/testkit"],
        "HTTP is spoken by its provider and by the admin endpoint",
    ),
    owner(
        &["reqwest"],
        &["host/artifacts", "host/telemetry", "tools/bench/*"],
        "what the host itself asks of others goes to registries and to receivers of telemetry",
    ),
    owner(
        &["opentelemetry", "opentelemetry-proto", "opentelemetry_sdk", "prost"],
        &["host/telemetry", "tools/e2e"],
        "telemetry is written in one place, and read back by its tests",
    ),
    owner(&["redis"], &["providers/keyvalue-redis"], "each server has one provider"),
    owner(&["redb"], &["providers/keyvalue-embedded"], "each store has one provider"),
    owner(
        &["rmp-serde"],
        &["capabilities/core", "tools/bench/*"],
        "trellis_core::wire is the codec: its bounds and its tolerance hold for everyone",
    ),
    owner(
        &["saphyr-parser", "strsim", "schemars"],
        &["host/manifest"],
        "manifests are read in one place, with spans",
    ),
    owner(
        &["miette"],
        &["host/app", "host/manifest", "tools/cli"],
        "reports are made in one place",
    ),
    owner(
        &["wit-parser", "syn", "quote"],
        &["capabilities/macros", "actors/sdk/*", "tools/xtask"],
        "WIT is read once, at compile time",
    ),
    owner(&["notify"], &["host/app"], "files are watched at the rim"),
    owner(
        &["mimalloc"],
        &["host/app", "tools/bench/*", "tools/cli"],
        "a binary chooses its allocator",
    ),
    owner(
        &["anyhow"],
        &["host/app", "tools/*", "tools/bench/*"],
        "a library's errors have a type; context without one belongs to binaries",
    ),
    owner(&["clap"], &["host/app", "tools/*", "tools/bench/*"], "arguments are read by binaries"),
    owner(
        &["tokio", "tokio-util"],
        &[
            "host/app",
            "host/artifacts",
            "host/dispatch",
            "host/engine",
            "host/supervisor",
            "host/targets",
            "host/telemetry",
            "providers/*",
            "tools/*",
            "tools/bench/*",
        ],
        "the shared language, claims, entitlements and manifests are pure: bytes in, values out",
    ),
];

const fn layer(who: &'static str, height: u8, may: &'static [&'static str]) -> Layer {
    Layer { who, height, may }
}

const fn owner(
    libraries: &'static [&'static str],
    who: &'static [&'static str],
    because: &'static str,
) -> Owner {
    Owner { libraries, who, because }
}
