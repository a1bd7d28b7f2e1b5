//! How a host stops.

use trellis_e2e::hostile::harmless;
use trellis_e2e::{Redis, Step, actor, app, get};
use trellis_testkit::Signal;
use trellis_testkit::guests::built;

use crate::scenarios;

/// Counts the commands sent to Redis. While Redis is frozen, one more command means that a request
/// has come as far as it can.
const SENT: &str = "trellis_keyvalue_redis_commands_total{provider=\"keyvalue-redis\"}";

const MANIFEST: &str = "
actors: [{image: kvcounter.wasm, name: kvcounter, limits: {call_time: 60s}}]
providers:
  - builtin: http-server
  - {builtin: keyvalue-redis, values: {URL: '${REDIS_URL}', TIMEOUT: 50s}}
bindings:
  - {actor: kvcounter, capability: 'wascc:http_server', values: {PORT: 0, REQUEST_TIME_MAX: 60s}}
  - {actor: kvcounter, capability: 'wascc:keyvalue'}
";

scenarios! {
    /// No request is being handled.
    a_terminated_host_stops = [
        actor("echo", harmless()),
        app(&[("echo", "")]),
        Step::Start,
        get("echo", "/").is(200, "ok"),
        Signal::TERM,
        Step::Stops(0, 10),
    ];

    /// Ctrl-C has the effect of TERM.
    an_interrupted_host_stops = [
        actor("echo", harmless()),
        app(&[("echo", "")]),
        Step::Start,
        Signal::INT,
        Step::Stops(0, 10),
    ];

    /// A request that is being handled is finished first; new ones are not accepted.
    a_terminated_host_finishes_what_it_has = [
        Redis::Up,
        actor("kvcounter", built("kvcounter")).cap("wascc:keyvalue"),
        Step::manifest(MANIFEST),
        Step::Start,
        get("kvcounter", "/a").is(200, "{\"counter\": 1}"),
        Redis::Frozen,
        get("kvcounter", "/a").meanwhile_is(200, "{\"counter\": 2}"),
        Step::Metric(SENT, 2.0).soon(),
        Signal::TERM,
        Step::Log(&["stopping"]),
        Step::Closed("kvcounter").soon(),
        Step::Admin("/readyz", 503, "stopping"),
        Step::Admin("/livez", 200, "ok"),
        Redis::Thawed,
        Step::Answered,
        Step::Stops(0, 10),
    ];

    /// A second TERM stops the host without waiting.
    a_host_terminated_twice_stops_at_once = [
        Redis::Up,
        actor("kvcounter", built("kvcounter")).cap("wascc:keyvalue"),
        Step::manifest(MANIFEST),
        Step::Start,
        get("kvcounter", "/a").is(200, "{\"counter\": 1}"),
        Redis::Frozen,
        get("kvcounter", "/a").meanwhile_is(200, "never"),
        Step::Metric(SENT, 2.0).soon(),
        Signal::TERM,
        Step::Log(&["stopping"]),
        Signal::TERM,
        Step::Stops(0, 5),
    ];
}
