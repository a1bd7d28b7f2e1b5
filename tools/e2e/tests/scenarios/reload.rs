//! Changes under a running host: only what changed is touched, and no request waits.

use trellis_e2e::hostile::{harmless, hostile};
use trellis_e2e::{Change, Step, actor, app, get, post};
use trellis_testkit::Signal;
use trellis_testkit::guests::built;

use crate::scenarios;

/// All instances that were ever made: a restarted actor would need a new one.
const INSTANCES: &str = "trellis_instances_created_total";

/// A manifest of the logging actor, with or without its binding to the log.
fn logging(bound: bool) -> Step {
    let log = if bound { "  - {actor: logger, capability: 'wascc:logging'}\n" } else { "" };
    Step::manifest(format!(
        "actors: [{{image: logger.wasm, name: logger}}]
providers: [{{builtin: http-server}}, {{builtin: logging}}]
bindings:
  - {{actor: logger, capability: 'wascc:http_server', values: {{PORT: 0, ADDRESS: 127.0.0.1}}}}
{log}"
    ))
}

scenarios! {
    /// A wrong manifest changes nothing.
    a_wrong_manifest_while_running = [
        actor("echo", built("echo")),
        app(&[("echo", "")]),
        Step::Start,
        get("echo", "/").is(200, "hello"),
        Step::Remember(INSTANCES),
        Step::manifest("actors: [{imagee: echo.wasm}]\n"),
        Step::Log(&["\"level\":\"ERROR\"", "the manifest was not applied", "imagee"]),
        Step::Metric("trellis_reloads_total{result=\"refused\"}", 1.0),
        Step::Metric("trellis_manifest_problems_total{reason=\"E_MANIFEST\"}", 1.0),
        get("echo", "/").is(200, "hello"),
        Step::Unchanged(INSTANCES),
        Step::Admin("/readyz", 200, "ready"),
        Step::Metric("trellis_degraded", 1.0),
        app(&[("echo", "")]),
        Step::Log(&["unchanged"]),
        Step::Metric("trellis_degraded", 0.0),
        get("echo", "/").is(200, "hello"),
        Step::Unchanged(INSTANCES),
    ];

    /// A manifest that was cut off or emptied takes nothing away; whoever wants nothing says so.
    a_manifest_that_was_cut_off = [
        Step::manifest("name: app\nactors:\n"),
        Step::Ends(&["--check"], 6, &["`actors` has no value", "write `[]` for none"]),
        Step::Ends(&[], 6, &["`actors` has no value"]),
        actor("echo", built("echo")),
        app(&[("echo", "")]),
        Step::Start,
        get("echo", "/").is(200, "hello"),
        Step::Remember(INSTANCES),
        Step::manifest("{}\n"),
        Step::Log(&["the manifest was not applied", "a manifest needs `actors`"]),
        Step::manifest("name: app\n"),
        Step::Log(&["the manifest was not applied", "a manifest needs `actors`"]),
        Step::manifest("actors: [echo.wasm]\nbindings:\n"),
        Step::Log(&["the manifest was not applied", "`bindings` has no value"]),
        Step::Admin("/readyz", 200, "the manifest was not applied"),
        get("echo", "/").is(200, "hello"),
        Step::Unchanged(INSTANCES),
        Step::manifest("actors: []\n"),
        Step::Log(&["stopped actor echo"]),
    ];

    /// An actor whose log binding goes and comes again: its instance uses it again.
    a_log_binding_that_comes_back = [
        actor("logger", built("logger")).cap("wascc:logging"),
        logging(true),
        Step::Start,
        post("logger", "before").is(204, ""),
        Step::Remember(INSTANCES),
        Step::Log(&["\"message\":\"before\""]),
        logging(false),
        Step::Log(&["unbound logger"]),
        post("logger", "without").is(204, ""),
        Step::Log(&["\"message\":\"INFO without\""]),
        logging(true),
        Step::Log(&["bound logger"]),
        post("logger", "again").is(204, ""),
        Step::Log(&["\"message\":\"again\""]),
        Step::Unchanged(INSTANCES),
    ];

    /// An actor is added and removed; the other one keeps its instances and connections.
    an_actor_added_and_removed = [
        actor("echo", built("echo")),
        actor("other", harmless()),
        app(&[("echo", "")]),
        Step::Start,
        get("echo", "/").is(200, "hello"),
        app(&[("echo", ""), ("other", "")]),
        Step::Log(&["bound other"]),
        get("other", "/").is(200, "ok").soon(),
        Step::Remember(INSTANCES),
        get("echo", "/").is(200, "hello"),
        Step::Unchanged(INSTANCES),
        app(&[("echo", "")]),
        Step::Log(&["stopped actor other"]),
        Step::Closed("other").soon(),
        get("echo", "/").is(200, "hello"),
        Step::Unchanged(INSTANCES),
    ];

    /// A new version of a module takes over between two requests of a client that never stops; each
    /// request makes a call out of it, and each is counted once.
    a_new_module_under_load = [
        actor("kvcounter", built("kvcounter")).cap("wascc:keyvalue"),
        actor("other", harmless()),
        Step::manifest(COUNTING),
        Step::Start,
        get("other", "/").is(200, "ok"),
        Step::LoadStarts("kvcounter"),
        actor("kvcounter", built("kvcounter")).cap("wascc:keyvalue").revision(1),
        Step::Log(&["replaced actor kvcounter"]),
        get("other", "/").is(200, "ok"),
        actor("kvcounter", built("kvcounter")).cap("wascc:keyvalue").revision(2),
        Step::Log(&["replaced actor kvcounter"]),
        get("other", "/").is(200, "ok"),
        Step::LoadCounted("kvcounter"),
    ];

    /// A module that cannot run does not take over.
    a_bad_module_while_running = [
        actor("echo", built("echo")),
        app(&[("echo", "")]),
        Step::Start,
        Step::LoadStarts("echo"),
        Step::Do(Change::File("app/echo.wasm", b"\0asm half of a module".to_vec())),
        Step::Log(&["the manifest was not applied", "E_MODULE_INVALID"]),
        Step::Metric("trellis_manifest_problems_total{reason=\"E_MODULE_INVALID\"}", 1.0),
        get("echo", "/").is(200, "hello"),
        actor("echo", harmless()),
        Step::Log(&["replaced actor echo"]),
        get("echo", "/").is(200, "ok"),
        Step::LoadEnds,
    ];

    /// What a check refuses of a module refuses the whole change: the other actor comes neither.
    a_module_without_an_entry_while_running = [
        actor("echo", built("echo")),
        actor("other", harmless()),
        app(&[("echo", "")]),
        Step::Start,
        actor("echo", b"\0asm\x01\0\0\0".to_vec()),
        Step::Log(&["the manifest was not applied", "E_MODULE_ABI"]),
        app(&[("echo", ""), ("other", "")]),
        Step::Log(&["the manifest was not applied", "E_MODULE_ABI"]),
        Step::Metric("trellis_reloads_total{result=\"applied\"}", 1.0),
        get("echo", "/").is(200, "hello"),
        Step::LogAtMost(0, "started actor other"),
    ];

    /// Limits that a module breaks are refused as a check refuses them, whether or not its file was
    /// written again: the other actor stays.
    limits_that_a_module_breaks_while_running = [
        actor("echo", built("echo")),
        actor("other", harmless()),
        app(&[("echo", ""), ("other", "")]),
        Step::Start,
        app(&[("echo", "limits: {module_functions: 10}")]),
        Step::Ends(&["--check"], 6, &["E_MODULE_LIMIT", "module_functions_max allows 10", "help:"]),
        Step::Log(&["the manifest was not applied", "module_functions_max allows 10",
            "manifest.yaml:", "help:"]),
        Step::Metric("trellis_manifest_problems_total{reason=\"E_MODULE_LIMIT\"}", 1.0),
        actor("echo", built("echo")),
        Step::Log(&["the manifest was not applied", "module_functions_max allows 10"]),
        app(&[("echo", "limits: {module_locals: 1}")]),
        Step::Log(&["the manifest was not applied", "module_locals_max allows 1"]),
        app(&[("echo", "limits: {table_elements: 1}")]),
        Step::Log(&["the manifest was not applied", "table_elements_max allows 1"]),
        app(&[("echo", "limits: {memory: 64KiB}")]),
        Step::Log(&["the manifest was not applied", "actor_memory_bytes_max allows"]),
        Step::LogAtMost(0, "stopped actor other"),
        get("other", "/").is(200, "ok"),
        app(&[("echo", "limits: {module_functions: 1000}")]),
        Step::Log(&["replaced actor echo"]),
        get("echo", "/").is(200, "hello"),
    ];

    /// New limits apply from the next call on.
    new_limits_while_running = [
        actor("loops", hostile("loops")),
        app(&[("loops", "limits: {call_time: 60s}")]),
        Step::Start,
        get("loops", "/").is(200, "ok"),
        app(&[("loops", "limits: {call_time: 100ms}")]),
        Step::Log(&["replaced actor loops"]),
        post("loops", "").is(504, "E_TIMEOUT"),
        get("loops", "/").is(200, "ok"),
    ];

    /// HUP makes the host read everything again.
    a_hangup = [
        actor("echo", built("echo")),
        app(&[("echo", "")]),
        Step::Start,
        get("echo", "/").is(200, "hello"),
        Signal::HUP,
        Step::Log(&["unchanged"]),
        get("echo", "/").is(200, "hello"),
    ];

    /// A setting that only a start can take is told once, and not when it is what it was.
    a_setting_that_needs_a_new_start = [
        actor("echo", built("echo")),
        app(&[("echo", "")]),
        Step::Start,
        Step::manifest(other_limits(9)),
        Step::Log(&["a change of instances_total needs a restart"]),
        Step::Soon(Box::new(Step::Admin("/readyz", 200, "instances_total needs a restart"))),
        Step::manifest(other_limits(8)),
        Step::Log(&["unchanged"]),
        app(&[("echo", "")]),
        Step::Log(&["unchanged"]),
        Step::Soon(Box::new(Step::Admin("/readyz", 200, "ready\n"))),
        Step::LogAtMost(1, "needs a restart"),
    ];

    /// A port in use is reported; what runs is not affected.
    a_port_in_use_while_running = [
        actor("echo", built("echo")),
        actor("late", harmless()),
        app(&[("echo", "")]),
        Step::Start,
        get("echo", "/").is(200, "hello"),
        Step::manifest(LATE),
        Step::Log(&["\"level\":\"ERROR\"", "E_ADDRESS", "late"]),
        Step::Metric("trellis_apply_faults_total{reason=\"E_ADDRESS\"}", 1.0),
        get("echo", "/").is(200, "hello"),
        Step::Admin("/readyz", 200, "ready"),
    ];

    /// An actor the manifest no longer trusts stops.
    a_revocation_while_running = [
        actor("echo", built("echo")),
        actor("other", harmless()),
        Step::manifest(trusting("", "")),
        Step::Start,
        get("echo", "/").is(200, "hello"),
        get("other", "/").is(200, "ok"),
        Step::manifest(trusting("'${KEY_OF_ECHO}'", "")),
        Step::Log(&["E_REVOKED", "stopped", "echo"]),
        Step::Metric("trellis_actors_stopped_total{reason=\"E_REVOKED\"}", 1.0),
        Step::Closed("echo").soon(),
        get("other", "/").is(200, "ok"),
    ];

    /// Revoked and taken out of the manifest in one change, nothing of it is left to be told.
    a_revoked_actor_that_is_taken_out = [
        actor("echo", built("echo")),
        actor("other", harmless()),
        Step::manifest(trusting("", "")),
        Step::Start,
        Step::manifest(trusting("'${KEY_OF_ECHO}'", "").replace("{image: echo.wasm, name: echo}, ", "")
            .replace("  - {actor: echo, capability: 'wascc:http_server', values: {PORT: 0, ADDRESS: 127.0.0.1}}\n", "")),
        Step::Log(&["E_REVOKED", "stopped", "echo"]),
        Step::Log(&["unchanged"]),
        Step::Admin("/readyz", 200, "ready\n"),
        get("other", "/").is(200, "ok"),
    ];

    /// A server that takes requests from every network from now on says so.
    a_wider_address = [
        actor("echo", built("echo")),
        app(&[("echo", "")]),
        Step::Start,
        Step::manifest(other_limits(1000).replace("ADDRESS: 127.0.0.1", "ADDRESS: 0.0.0.0")),
        Step::Log(&["0.0.0.0:", "takes requests from every network of this machine"]),
    ];

    /// It stops even if the manifest is wrong in another place; nothing else changes then.
    a_revocation_in_a_wrong_manifest = [
        actor("echo", built("echo")),
        actor("other", harmless()),
        Step::manifest(trusting("", "")),
        Step::Start,
        get("echo", "/").is(200, "hello"),
        get("other", "/").is(200, "ok"),
        Step::Remember(INSTANCES),
        Step::manifest(trusting("'${KEY_OF_ECHO}'", "  - {actor: nobody, capability: 'a:b'}")),
        Step::Log(&["E_REVOKED", "stopped", "echo"]),
        Step::Closed("echo").soon(),
        get("other", "/").is(200, "ok"),
        Step::Unchanged(INSTANCES),
    ];

    /// An actor stops when its claims expire.
    claims_that_expire_while_running = [
        actor("other", harmless()),
        // Enough for a start on a busy machine, minus the half minute by which clocks may differ.
        actor("echo", built("echo")).expires_in_s(20 - 30),
        app(&[("echo", ""), ("other", "")]),
        Step::Start,
        get("echo", "/").is(200, "hello"),
        get("other", "/").is(200, "ok"),
        Step::Log(&["E_EXPIRED", "stopped", "echo"]),
        Step::Metric("trellis_actors_stopped_total{reason=\"E_EXPIRED\"}", 1.0),
        Step::Closed("echo").soon(),
        get("other", "/").is(200, "ok"),
    ];
}

const LATE: &str = "actors:
  - {image: echo.wasm, name: echo}
  - {image: late.wasm, name: late}
providers: [{builtin: http-server}]
bindings:
  - {actor: echo, capability: 'wascc:http_server', values: {PORT: 0, ADDRESS: 127.0.0.1}}
  - actor: late
    capability: wascc:http_server
    values: {PORT: '${TAKEN_PORT}', ADDRESS: 127.0.0.1}
";

const COUNTING: &str = "actors:
  - {image: kvcounter.wasm, name: kvcounter}
  - {image: other.wasm, name: other}
providers: [{builtin: http-server}, {builtin: keyvalue-embedded}]
bindings:
  - {actor: kvcounter, capability: 'wascc:http_server', values: {PORT: 0, ADDRESS: 127.0.0.1}}
  - {actor: kvcounter, capability: 'wascc:keyvalue'}
  - {actor: other, capability: 'wascc:http_server', values: {PORT: 0, ADDRESS: 127.0.0.1}}
";

/// A manifest of one actor on a host with room for so many instances.
fn other_limits(instances_total: u32) -> String {
    format!(
        "host: {{instances_total: {instances_total}}}
actors: [{{image: echo.wasm, name: echo}}]
providers: [{{builtin: http-server}}]
bindings:
  - {{actor: echo, capability: 'wascc:http_server', values: {{PORT: 0, ADDRESS: 127.0.0.1}}}}
"
    )
}

/// A manifest of two actors, with a list of revocations.
fn trusting(revoked: &str, more: &str) -> String {
    format!(
        "trust: {{issuers: ['${{ISSUER}}'], revoked: [{revoked}]}}
actors: [{{image: echo.wasm, name: echo}}, {{image: other.wasm, name: other}}]
providers: [{{builtin: http-server}}]
bindings:
  - {{actor: echo, capability: 'wascc:http_server', values: {{PORT: 0, ADDRESS: 127.0.0.1}}}}
  - {{actor: other, capability: 'wascc:http_server', values: {{PORT: 0, ADDRESS: 127.0.0.1}}}}
{more}"
    )
}
