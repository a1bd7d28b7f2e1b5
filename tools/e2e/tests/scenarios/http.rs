//! What the HTTP server reports about its requests, and how it serves them while its values change.

use trellis_e2e::hostile::{harmless, hostile};
use trellis_e2e::{Step, actor, get, post};
use trellis_testkit::guests::built;

use crate::scenarios;

/// A trace from a client.
const TRACED: &str = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

scenarios! {
    /// The access log has one line per request, without the query.
    an_access_log_in_json = [
        actor("echo", built("echo")),
        actor("traps", hostile("traps")),
        served("values: {ACCESS_LOG: json}"),
        Step::Start,
        get("echo", "/after?token=secret").with(TRACED).is(200, "hello"),
        post("traps", "x").is(502, "E_TRAP"),
        Step::Prints(&[
            "\"actor\":\"echo\"", "\"status\":200", "\"method\":\"GET\"", "\"path\":\"/after\"",
            "\"bytes\":5", "\"client\":\"127.0.0.1\"", TRACE,
        ]),
        Step::Prints(&["\"actor\":\"traps\"", "\"status\":502", "\"code\":\"E_TRAP\""]),
        Step::NeverPrints("secret"),
        Step::Metric(
            "trellis_http_requests_total{provider=\"http-server\",actor=\"traps\",status=\"5xx\"}",
            1.0,
        ),
    ];

    /// The common form is the one that tools for web server logs read.
    an_access_log_in_the_common_form = [
        actor("echo", built("echo")),
        actor("traps", harmless()),
        served("values: {ACCESS_LOG: common, ACCESS_LOG_QUERY: true}"),
        Step::Start,
        get("echo", "/a?b=c").with(TRACED).is(200, "hello"),
        Step::Prints(&["127.0.0.1 - - [", "\"GET /a?b=c HTTP/1.1\" 200 5 \"echo\" 0.", TRACE]),
    ];

    /// The calls of a request continue the client's trace. Without an access log, nothing is
    /// printed about requests.
    a_trace_is_continued = [
        actor("echo", built("echo")),
        actor("traps", hostile("traps")),
        served(""),
        Step::Start,
        post("traps", "x").with(TRACED).is(502, "E_TRAP"),
        Step::Log(&["\"callee\":\"traps\"", "E_TRAP", TRACE]),
        Step::NeverPrints(TRACE),
    ];

    /// A server's body limit above the actor's own limit is reported with the name of that limit.
    a_body_limit_above_the_actors_own = [
        actor("echo", built("echo")),
        actor("traps", harmless()),
        served("values: {BODY_BYTES_MAX: 32MiB}"),
        Step::Start,
        Step::Log(&["\"level\":\"WARN\"", "payload_bytes_max", "limits.payload_bytes", "echo"]),
        get("echo", "/").is(200, "hello"),
    ];

    /// New values of the server lose no request, on open connections and on new ones.
    new_values_of_the_server_under_load = [
        actor("echo", built("echo")),
        actor("traps", harmless()),
        served(""),
        Step::Start,
        Step::LoadStarts("echo"),
        served("values: {IDLE_TIME_MAX: 50s}"),
        Step::Log(&["replaced provider http-server"]),
        get("traps", "/").is(200, "ok"),
        served("values: {IDLE_TIME_MAX: 40s}"),
        Step::Log(&["replaced provider http-server"]),
        get("traps", "/").is(200, "ok"),
        served("values: {IDLE_TIME_MAX: 30s, CONNECTIONS_MAX: 100}"),
        Step::Log(&["replaced provider http-server"]),
        get("traps", "/").is(200, "ok"),
        Step::LoadEnds,
    ];
}

/// A manifest of two actors behind a server with these values.
fn served(values: &str) -> Step {
    Step::manifest(format!(
        "actors: [{{image: echo.wasm, name: echo}}, {{image: traps.wasm, name: traps}}]
providers:
  - builtin: http-server
    {values}
bindings:
  - {{actor: echo, capability: 'wascc:http_server', values: {{PORT: 0, ADDRESS: 127.0.0.1}}}}
  - {{actor: traps, capability: 'wascc:http_server', values: {{PORT: 0, ADDRESS: 127.0.0.1}}}}
"
    ))
}
