//! What a host refuses to start, with which message and which exit code.

use trellis_e2e::hostile::harmless;
use trellis_e2e::{Change, Flaw, Step, actor, app, get};
use trellis_testkit::guests::{built, wasm};

use crate::scenarios;

const CHECK: &[&str] = &["--check"];

scenarios! {
    /// The manifest does not exist.
    a_missing_manifest = [
        Step::Ends(CHECK, 3, &["E_NOT_FOUND", "app/manifest.yaml"]),
        Step::Ends(&[], 3, &["E_NOT_FOUND", "app/manifest.yaml", "there is no folder"]),
        Step::Do(Change::File("app/manifest.yml", b"actors: []\n".to_vec())),
        Step::Ends(CHECK, 3, &["E_NOT_FOUND", "did you mean ", "app/manifest.yml?"]),
        Step::Do(Change::File("app/manifest.yaml/app.yaml", b"actors: []\n".to_vec())),
        Step::Ends(CHECK, 1, &["E_STORAGE", "manifest.yaml is a folder; in it are ", "app.yaml"]),
    ];

    /// A flag is unknown, or its value is wrong.
    a_wrong_command_line = [
        Step::Ends(&["--no-such-flag"], 2, &["--no-such-flag"]),
        Step::Ends(&["--log", "a=b=c"], 2, &["log filter"]),
        Step::Ends(&["other.yaml"], 2, &["write `--manifest other.yaml`"]),
        Step::Ends(&["other.yaml", "-o", "json"], 2, &["E_USAGE", "write `--manifest other.yaml`"]),
    ];

    /// All problems of a manifest are reported at once, each with its place.
    a_wrong_manifest = [
        actor("echo", built("echo")),
        Step::manifest(WRONG),
        Step::Ends(CHECK, 6, &[
            "manifest.yaml:2:", "imagee",
            "manifest.yaml:4:", "builtinn",
        ]),
        Step::manifest(WRONG_LINKS),
        Step::Ends(CHECK, 6, &[
            "manifest.yaml:5:", "ecko", "echo",
            "manifest.yaml:6:", "PORTT",
            "manifest.yaml:7:", "wascc:keyvalue",
        ]),
        Step::Ends(&[], 6, &["PORTT"]),
        Step::manifest(REFUSED),
        Step::Ends(CHECK, 6, &[
            "manifest.yaml:1:", "E_NOT_FOUND",
            "manifest.yaml:4:", "add `{builtin: keyvalue-embedded}`",
            "manifest.yaml:5:", "did you mean `wascc:http_server`?",
            "manifest.yaml:6:", "PORTT", "4 problems in",
        ]),
        Step::manifest(WRONG_KEY),
        Step::Ends(CHECK, 6, &["manifest.yaml:1:", "E_KEY", "manifest.yaml:3:", "http-servr"]),
        Step::manifest("actors: [\n"),
        Step::Ends(CHECK, 6, &["E_MANIFEST", "manifest.yaml"]),
    ];

    /// A module is not at the path in the manifest.
    a_missing_module = [
        app(&[("echo", "")]),
        Step::Ends(CHECK, 6, &["E_NOT_FOUND", "echo.wasm", "sign"]),
        Step::Do(Change::File("app/echo_s.wasm", Vec::new())),
        Step::Ends(CHECK, 6, &["E_NOT_FOUND", "did you", "app/echo_s.wasm?"]),
        Step::Do(Change::File("app/echo.wasm/built.wasm", Vec::new())),
        Step::Ends(CHECK, 6, &["E_STORAGE", "echo.wasm is a folder", "app/echo.wasm/built.wasm"]),
    ];

    /// An image is named in a way that is none, or its registry does not answer.
    an_image_that_cannot_be_fetched = [
        Step::manifest("actors: ['localhost:5000/Echo']\n"),
        Step::Ends(CHECK, 6, &["E_IMAGE", "manifest.yaml:1:", "`Echo`", "neither a tag nor"]),
        Step::manifest("actors: ['localhost:1/echo:1']\n"),
        Step::Ends(CHECK, 6, &["E_REGISTRY", "localhost:1 cannot be reached", "insecure: true"]),
        Step::manifest("actors: []\nregistries: {'http://localhost:1': {insecure: true}}\n"),
        Step::Ends(CHECK, 6, &["manifest.yaml:2:", "`http://localhost:1` is no registry"]),
    ];

    /// The actor of a binding does not claim the capability.
    an_unclaimed_capability = [
        actor("kvcounter", built("kvcounter")),
        Step::manifest(UNCLAIMED),
        Step::Ends(CHECK, 4, &["E_DENIED", "wascc:keyvalue", "sign it again"]),
    ];

    /// The module is not signed.
    an_unsigned_module = [
        actor("echo", built("echo")).with(Flaw::Unsigned),
        app(&[("echo", "")]),
        Step::Ends(CHECK, 4, &["E_UNSIGNED", "echo.wasm", "sign"]),
        Step::Ends(&[], 4, &["E_UNSIGNED"]),
        Step::Ends(&["--check", "--allow-unsigned"], 0, &["ok", "unsigned modules are admitted"]),
    ];

    /// A byte of the module was changed after signing.
    a_tampered_module = [
        actor("echo", built("echo")).with(Flaw::Tampered),
        app(&[("echo", "")]),
        Step::Ends(CHECK, 4, &["E_HASH", "echo.wasm"]),
        Step::Ends(&[], 4, &["E_HASH"]),
    ];

    /// The module's issuer is not trusted.
    an_untrusted_module = [
        actor("echo", built("echo")).with(Flaw::Stranger),
        app(&[("echo", "")]),
        Step::Ends(CHECK, 4, &["E_ISSUER", "echo.wasm", "trust"]),
        Step::Ends(&[], 4, &["E_ISSUER"]),
    ];

    /// Claims that have expired or are not valid yet. Half a minute is allowed, because clocks
    /// differ.
    a_module_out_of_its_time = [
        actor("echo", built("echo")).expires_in_s(-60),
        app(&[("echo", "")]),
        Step::Ends(CHECK, 4, &["E_EXPIRED"]),
        Step::Ends(&[], 4, &["E_EXPIRED"]),
        actor("echo", built("echo")).begins_in_s(600),
        Step::Ends(CHECK, 4, &["E_NOT_YET"]),
        actor("echo", built("echo")).begins_in_s(10),
        Step::Ends(CHECK, 0, &["ok"]),
    ];

    /// The manifest revokes the module or its issuer.
    a_revoked_module = [
        actor("echo", built("echo")),
        Step::manifest(REVOKED_ISSUER),
        Step::Ends(CHECK, 4, &["E_REVOKED"]),
        Step::manifest(REVOKED_ACTOR),
        Step::Ends(CHECK, 4, &["E_REVOKED"]),
        Step::Ends(&[], 4, &["E_REVOKED"]),
    ];

    /// The module is larger than the manifest allows, so it is not even read.
    an_oversized_module = [
        actor("echo", built("echo")),
        app(&[("echo", "limits: {module_bytes: 1KiB}")]),
        Step::Ends(CHECK, 6, &["E_MODULE_LIMIT", "module_bytes_max"]),
        Step::Ends(&[], 6, &["E_MODULE_LIMIT"]),
    ];

    /// The file is not a module, not a valid module, or imports something that no host has.
    a_malformed_module = [
        Step::Do(Change::File("app/echo.wasm", b"#!/bin/sh\n".to_vec())),
        app(&[("echo", "")]),
        Step::Ends(CHECK, 6, &["E_MODULE_INVALID", "echo.wasm"]),
        actor("echo", wasm(INVALID)),
        Step::Ends(CHECK, 6, &["E_MODULE_INVALID", "echo.wasm"]),
        Step::Ends(&[], 6, &["E_MODULE_INVALID", "echo"]),
        actor("echo", wasm(UNKNOWN_IMPORT)),
        Step::Ends(CHECK, 6, &["E_MODULE_ABI", "fork"]),
        Step::Ends(&[], 6, &["E_MODULE_ABI", "fork"]),
    ];

    /// The machine has less address space than all instances together may need.
    too_little_address_space = [
        actor("echo", harmless()),
        app(&[("echo", "")]),
        Step::EndsAfter("ulimit -v 8000000", 6, &["E_CONFIG", "`instances_total` under `host`"]),
    ];

    /// Another process uses the port.
    a_port_in_use = [
        actor("echo", harmless()),
        Step::manifest(PORT_IN_USE),
        Step::Ends(CHECK, 0, &["ok"]),
        Step::Ends(&[], 1, &["E_ADDRESS", "echo", "PORT"]),
        app(&[("echo", "")]),
        Step::Start,
        get("echo", "/").is(200, "ok"),
    ];
}

/// Its function declares a result and returns none.
const INVALID: &str = "(module (memory (export \"memory\") 1)
  (func (export \"__guest_call\") (param i32 i32) (result i32)))";

const UNKNOWN_IMPORT: &str = "(module (import \"env\" \"fork\" (func))
  (memory (export \"memory\") 1)
  (func (export \"__guest_call\") (param i32 i32) (result i32) (i32.const 1)))";

const WRONG: &str = "actors:
  - imagee: echo.wasm
providers:
  - builtinn: http-server
";

const WRONG_LINKS: &str = "actors:
  - {image: echo.wasm, name: echo}
providers: [{builtin: http-server}]
bindings:
  - {actor: ecko, capability: 'wascc:http_server'}
  - {actor: echo, capability: 'wascc:http_server', values: {PORTT: 0}}
  - {actor: echo, capability: 'wascc:keyvalue'}
";

const REFUSED: &str = "actors: [{image: missing.wasm, name: echo}]
providers: [{builtin: http-server}]
bindings:
  - {actor: echo, capability: 'wascc:keyvalue'}
  - {actor: echo, capability: 'http_servr'}
  - {actor: echo, capability: 'wascc:http_server', values: {PORTT: 0}}
";

const WRONG_KEY: &str = "trust: {issuers: [AANOTAKEY]}
actors: [{image: echo.wasm, name: echo}]
providers: [{builtin: http-servr}]
";

const UNCLAIMED: &str = "actors: [{image: kvcounter.wasm, name: kvcounter}]
providers: [{builtin: keyvalue-embedded}]
bindings: [{actor: kvcounter, capability: 'wascc:keyvalue'}]
";

const REVOKED_ISSUER: &str = "trust: {issuers: ['${ISSUER}'], revoked: ['${ISSUER}']}
actors: [{image: echo.wasm, name: echo}]
";

const REVOKED_ACTOR: &str = "trust: {issuers: ['${ISSUER}'], revoked: ['${KEY_OF_ECHO}']}
actors: [{image: echo.wasm, name: echo}]
";

const PORT_IN_USE: &str = "actors: [{image: echo.wasm, name: echo}]
providers: [{builtin: http-server}]
bindings:
  - actor: echo
    capability: wascc:http_server
    values: {PORT: '${TAKEN_PORT}', ADDRESS: 127.0.0.1}
";
