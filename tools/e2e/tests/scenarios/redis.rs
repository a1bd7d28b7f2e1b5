//! A real Redis that comes and goes. The actor gets `E_PROVIDER`. kvcounter passes it on, which is
//! a 503: the client may try again.

use trellis_e2e::{Redis, Step, actor, get};
use trellis_testkit::guests::built;

use crate::scenarios;

const MANIFEST: &str = "
actors: [{image: kvcounter.wasm, name: kvcounter}, {image: echo.wasm, name: echo}]
providers: [{builtin: http-server}, {builtin: keyvalue-redis, values: {URL: '${REDIS_URL}'}}]
bindings:
  - {actor: kvcounter, capability: 'wascc:http_server', values: {PORT: 0}}
  - {actor: kvcounter, capability: 'wascc:keyvalue'}
  - {actor: echo, capability: 'wascc:http_server', values: {PORT: 0}}
";

const IN_MEMORY: &str = "
actors: [{image: kvcounter.wasm, name: kvcounter}]
providers: [{builtin: http-server}, {builtin: keyvalue-embedded}]
bindings:
  - {actor: kvcounter, capability: 'wascc:http_server', values: {PORT: 0}}
  - {actor: kvcounter, capability: 'wascc:keyvalue'}
";

scenarios! {
    /// A store in memory is swapped for Redis and back: the count begins anew, and that is told.
    memory_swapped_for_redis = [
        Redis::Up,
        actor("kvcounter", built("kvcounter")).cap("wascc:keyvalue"),
        actor("echo", built("echo")),
        Step::manifest(IN_MEMORY),
        Step::Start,
        get("kvcounter", "/swapped").is(200, "{\"counter\": 1}"),
        get("kvcounter", "/swapped").is(200, "{\"counter\": 2}"),
        Step::manifest(MANIFEST),
        Step::Log(&["\"WARN\"", "goes over from keyvalue-embedded to keyvalue-redis"]),
        get("kvcounter", "/swapped").is(200, "{\"counter\": 1}").soon(),
        Step::manifest(IN_MEMORY),
        Step::Log(&["\"WARN\"", "goes over from keyvalue-redis to keyvalue-embedded"]),
    ];

    /// A host starts without its Redis, reports that, and counts as soon as Redis is there.
    redis_down_at_start = [
        Redis::Up,
        Redis::Down,
        actor("kvcounter", built("kvcounter")).cap("wascc:keyvalue"),
        actor("echo", built("echo")),
        Step::manifest(MANIFEST),
        Step::Start,
        Step::Admin("/readyz", 200, "ready"),
        get("kvcounter", "/a").is(503, "E_PROVIDER"),
        get("echo", "/").is(200, "hello"),
        Step::Metric("trellis_keyvalue_redis_failures_total{provider=\"keyvalue-redis\"}", 1.0),
        Step::Log(&["\"callee\":\"keyvalue-redis\"", "E_PROVIDER", "cannot be used"]),
        Redis::Up,
        get("kvcounter", "/a").is(200, "{\"counter\": 1}").soon(),
        Step::Log(&["Redis answers again"]),
    ];

    /// The same while the host runs: errors while Redis is down, and no restart afterwards.
    redis_killed_while_running = [
        Redis::Up,
        actor("kvcounter", built("kvcounter")).cap("wascc:keyvalue"),
        actor("echo", built("echo")),
        Step::manifest(MANIFEST),
        Step::Start,
        get("kvcounter", "/a").is(200, "{\"counter\": 1}"),
        Redis::Down,
        get("kvcounter", "/a").is(503, "E_PROVIDER"),
        get("echo", "/").is(200, "hello"),
        Step::Admin("/readyz", 200, "ready"),
        Redis::Up,
        get("kvcounter", "/a").is(200, "{\"counter\": 1}").soon(),
    ];

    /// A binding that is told of a server that is down keeps the one it has, whatever else is down
    /// at its provider.
    a_binding_that_is_to_use_a_server_that_is_down = [
        Redis::Up,
        actor("kvcounter", built("kvcounter")).cap("wascc:keyvalue"),
        actor("second", built("kvcounter")).cap("wascc:keyvalue"),
        Step::manifest(two("${REDIS_URL}")),
        Step::Start,
        get("second", "/a").is(503, "E_PROVIDER"),
        get("kvcounter", "/a").is(200, "{\"counter\": 1}"),
        Step::manifest(two("redis://127.0.0.1:2")),
        Step::Log(&["\"level\":\"ERROR\"", "E_PROVIDER", "binding of kvcounter",
            "would not be well", "127.0.0.1:2"]),
        get("kvcounter", "/a").is(200, "{\"counter\": 2}"),
        Step::Admin("/readyz", 200, "degraded: binding of kvcounter to wascc:keyvalue"),
        Step::manifest(two("${REDIS_URL}")),
        Step::Log(&["unchanged"]),
        get("kvcounter", "/a").is(200, "{\"counter\": 3}"),
        Step::LogAtMost(0, "rebound kvcounter"),
    ];

    /// Whoever forces it gets it.
    a_binding_that_is_forced_to_use_a_server_that_is_down = [
        Redis::Up,
        actor("kvcounter", built("kvcounter")).cap("wascc:keyvalue"),
        actor("second", built("kvcounter")).cap("wascc:keyvalue"),
        Step::manifest(two("${REDIS_URL}")),
        Step::StartWith(&["--force"]),
        get("kvcounter", "/a").is(200, "{\"counter\": 1}"),
        Step::manifest(two("redis://127.0.0.1:2")),
        Step::Log(&["rebound kvcounter to wascc:keyvalue at provider keyvalue-redis"]),
        get("kvcounter", "/a").is(503, "E_PROVIDER"),
    ];
}

/// A manifest of two actors at one provider; the server of the second one is down.
fn two(url: &str) -> String {
    format!(
        "actors: [{{image: kvcounter.wasm, name: kvcounter}}, {{image: second.wasm, name: second}}]
providers: [{{builtin: http-server}}, {{builtin: keyvalue-redis}}]
bindings:
  - {{actor: kvcounter, capability: 'wascc:http_server', values: {{PORT: 0}}}}
  - {{actor: kvcounter, capability: 'wascc:keyvalue', values: {{URL: '{url}'}}}}
  - {{actor: second, capability: 'wascc:http_server', values: {{PORT: 0}}}}
  - {{actor: second, capability: 'wascc:keyvalue', values: {{URL: 'redis://127.0.0.1:1'}}}}
"
    )
}
