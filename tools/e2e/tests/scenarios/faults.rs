//! Actors that fail: the caller gets a status and a code, a metric counts the failure, and the
//! actor's next call and its neighbors are not affected.

use trellis_e2e::forms::{calling, counting};
use trellis_e2e::hostile::{harmless, hostile};
use trellis_e2e::{Step, actor, app, get, post};
use trellis_testkit::guests::built;

use crate::scenarios;

/// Limits that keep a test short.
const SHORT: &str = "limits: {call_time: 300ms}";

scenarios! {
    /// A trap is a 502 and costs one instance; the actor keeps serving.
    a_guest_that_traps = [
        actor("traps", hostile("traps")),
        actor("neighbor", harmless()),
        app(&[("traps", ""), ("neighbor", "")]),
        Step::Start,
        get("traps", "/").is(200, "ok"),
        post("traps", "").is(502, "E_TRAP"),
        Step::Log(&["\"callee\":\"traps\"", "E_TRAP", "unreachable code"]),
        get("traps", "/").is(200, "ok"),
        get("neighbor", "/").is(200, "ok"),
        Step::Metric("trellis_guest_fault_total{kind=\"E_TRAP\"}", 1.0),
    ];

    /// A loop is cut off at its deadline; a neighbor responds in the meantime.
    a_guest_that_loops = [
        actor("loops", hostile("loops")),
        actor("neighbor", harmless()),
        app(&[("loops", SHORT), ("neighbor", "")]),
        Step::Start,
        get("loops", "/").is(200, "ok"),
        post("loops", "").meanwhile_is(504, "E_TIMEOUT"),
        get("neighbor", "/").is(200, "ok"),
        Step::Answered,
        Step::Log(&["\"callee\":\"loops\"", "E_TIMEOUT", "call_time_ms_max"]),
        get("loops", "/").is(200, "ok"),
        Step::Metric("trellis_guest_fault_total{kind=\"E_TIMEOUT\"}", 1.0),
    ];

    /// Wrong pointers and lengths are found before anything is copied.
    a_guest_that_lies_about_lengths = [
        actor("answers-from-nowhere", hostile("answers-from-nowhere")),
        actor("answers-too-much", hostile("answers-too-much")),
        actor("calls-with-bad-pointers", hostile("calls-with-bad-pointers")),
        app(&[
            ("answers-from-nowhere", ""),
            ("answers-too-much", ""),
            ("calls-with-bad-pointers", ""),
        ]),
        Step::Start,
        post("answers-from-nowhere", "").is(502, "E_GUEST_POINTER"),
        post("answers-too-much", "").is(502, "E_GUEST_POINTER"),
        post("calls-with-bad-pointers", "").is(502, "E_GUEST_POINTER"),
        get("answers-from-nowhere", "/").is(200, "ok"),
        get("answers-too-much", "/").is(200, "ok"),
        get("calls-with-bad-pointers", "/").is(200, "ok"),
        Step::Metric("trellis_guest_fault_total{kind=\"E_GUEST_POINTER\"}", 3.0),
    ];

    /// Recursion and growth stop at their limits, each with its own code.
    a_guest_that_wants_too_much = [
        actor("recurses", hostile("recurses")),
        actor("grows", hostile("grows")),
        app(&[("recurses", ""), ("grows", "limits: {memory: 8MiB}")]),
        Step::Start,
        post("recurses", "").is(502, "E_STACK"),
        post("grows", "").is(502, "E_MEMORY"),
        get("recurses", "/").is(200, "ok"),
        get("grows", "/").is(200, "ok"),
        Step::Metric("trellis_guest_fault_total{kind=\"E_STACK\"}", 1.0),
        Step::Metric("trellis_guest_fault_total{kind=\"E_MEMORY\"}", 1.0),
        Step::Metric("trellis_limit_hit_total{limit=\"actor_memory_bytes_max\"}", 1.0),
    ];

    /// The log accepts a burst and then a steady rate, and counts what it drops. A guest's text
    /// stays inside its own log line.
    a_guest_that_floods_the_log = [
        actor("floods-the-log", hostile("floods-the-log")),
        app(&[("floods-the-log", "limits: {call_time: 20s}")]),
        Step::Start,
        post("floods-the-log", "").is(200, "ok"),
        Step::Log(&["\"target\":\"actor\"", "never stops\\\\n", "floods-the-log"]),
        Step::LogAtMost(2_500, "never stops"),
        Step::Metric("trellis_log_lines_dropped_total", 1.0),
        get("floods-the-log", "/").is(200, "ok"),
    ];

    /// Host calls that a guest may not make are each refused, counted and audited.
    a_guest_that_calls_what_it_may_not = [
        actor("floods-the-host", hostile("floods-the-host")),
        app(&[("floods-the-host", "")]),
        Step::Start,
        post("floods-the-host", "").is(200, "ok"),
        Step::Log(&["\"target\":\"audit\"", "\"event\":\"denied\"", "wascc:keyvalue"]),
        Step::Metric(NOT_CLAIMED, 200.0),
    ];

    /// Actors that reply with an error, with nothing, or with something that is no HTTP response.
    a_guest_that_answers_badly = [
        actor("fails", hostile("fails")),
        actor("says-nothing", hostile("says-nothing")),
        actor("answers-nonsense", hostile("answers-nonsense")),
        app(&[("fails", ""), ("says-nothing", ""), ("answers-nonsense", "")]),
        Step::Start,
        post("fails", "").is(502, "E_GUEST"),
        Step::Log(&["\"callee\":\"fails\"", "E_GUEST", "failed: no"]),
        post("says-nothing", "").is(502, "E_MESSAGE"),
        post("answers-nonsense", "").is(502, "E_MESSAGE"),
        get("fails", "/").is(200, "ok"),
        get("says-nothing", "/").is(200, "ok"),
        get("answers-nonsense", "/").is(200, "ok"),
    ];

    /// What an actor was told and passes on: a limit that it broke is named, and what it needs and
    /// cannot have now is a 503. (What it may not have is a 502, as below.)
    an_actor_that_passes_on_why_it_failed = [
        actor("modest", counting(8)),
        actor("alone", calling(8, "alone", "HandleRequest")).calls("itself").alias("itself"),
        app(&[("modest", MODEST), ("alone", ALONE)]),
        Step::Start,
        get("modest", "/").is(502, "E_QUOTA"),
        Step::Metric("trellis_guest_fault_total{kind=\"E_QUOTA\"}", 1.0),
        get("alone", "/").is(503, "E_PROVIDER"),
        Step::Log(&["\"callee\":\"alone\"", "E_PROVIDER", "E_BUSY", "queue_max"]),
    ];

    /// An actor may call another one only if its claims allow it.
    an_actor_that_calls_another_it_may_not = [
        actor("ping", built("ping")),
        actor("pong", built("pong")).alias("pong"),
        Step::manifest(PING_PONG),
        Step::Start,
        // The actor got the reason and returned it as its own error.
        get("ping", "/x").is(502, "E_GUEST"),
        Step::Metric(NOT_CALLABLE, 1.0),
        Step::Log(&["\"target\":\"audit\"", "\"event\":\"denied\"", "sign it with `--calls pong`"]),
    ];

    /// Nobody is denied anything when an actor calls one that was stopped: it is not there.
    an_actor_that_calls_one_that_was_stopped = [
        actor("ping", built("ping")).calls("pong"),
        actor("pong", built("pong")).alias("pong"),
        Step::manifest(PING_PONG),
        Step::Start,
        get("ping", "/x").is(200, "pong /x"),
        Step::manifest(PING_ALONE),
        Step::Log(&["stopped actor pong"]),
        get("ping", "/x").is(502, "E_GUEST"),
        Step::Metric("trellis_calls_absent_total{end=\"callee\"}", 1.0),
        Step::Log(&["\"target\":\"call\"", "\"end\":\"callee\"", "no actor `pong` runs"]),
    ];
}

const MODEST: &str = "limits: {host_calls_per_call: 0}";
/// No call of it can wait, so one that it makes to itself finds it busy.
const ALONE: &str = "instances: {max: 1}\n    limits: {queue: 0}";

const NOT_CLAIMED: &str = "trellis_authz_denied_total{cap=\"other\",reason=\"not_claimed\"}";
const NOT_CALLABLE: &str = "trellis_authz_denied_total{cap=\"other\",reason=\"not_callable\"}";

const PING_PONG: &str = "
actors: [{image: ping.wasm, name: ping}, {image: pong.wasm, name: pong}]
providers: [{builtin: http-server}]
bindings: [{actor: ping, capability: 'wascc:http_server', values: {PORT: 0}}]
";

const PING_ALONE: &str = "
actors: [{image: ping.wasm, name: ping}]
providers: [{builtin: http-server}]
bindings: [{actor: ping, capability: 'wascc:http_server', values: {PORT: 0}}]
";
