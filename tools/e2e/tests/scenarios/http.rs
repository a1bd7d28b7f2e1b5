//! What the HTTP server tells of its requests, and what it keeps going while its values change.

use trellis_e2e::hostile::{harmless, hostile};
use trellis_e2e::{Step, actor, get, post};
use trellis_testkit::guests::built;

use crate::scenarios;

/// A trace as a client's own tracing hands it over.
const TRACED: &str = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

scenarios! {
    /// The access log is one line for each request, without the query.
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

    /// The common form is what readers of web servers' logs know.
    an_access_log_in_the_common_form = [
        actor("echo", built("echo")),
        actor("traps", harmless()),
        served("values: {ACCESS_LOG: common, ACCESS_LOG_QUERY: true}"),
        Step::Start,
        get("echo", "/a?b=c").with(TRACED).is(200, "hello"),
        Step::Prints(&["127.0.0.1 - - [", "\"GET /a?b=c HTTP/1.1\" 200 5 \"echo\" 0.", TRACE]),
    ];

    /// The client's trace goes on through the calls of its request. Without being asked for,
    /// nothing is told of requests.
    a_trace_is_continued = [
        actor("echo", built("echo")),
        actor("traps", hostile("traps")),
        served(""),
        Step::Start,
        post("traps", "x").with(TRACED).is(502, "E_TRAP"),
        Step::Log(&["\"callee\":\"traps\"", "E_TRAP", TRACE]),
        Step::NeverPrints(TRACE),
    ];

    /// A body larger than the actor takes is refused by the name of the limit in the way.
    a_body_limit_above_the_actors_own = [
        actor("echo", built("echo")),
        actor("traps", harmless()),
        served("values: {BODY_BYTES_MAX: 32MiB}"),
        Step::Start,
        Step::Log(&["\"level\":\"WARN\"", "payload_bytes_max", "limits.payload_bytes", "echo"]),
        get("echo", "/").is(200, "hello"),
    ];

    /// New values of the server cost no request, on connections that are open and on new ones.
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

/// Two actors behind a server with these values.
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
