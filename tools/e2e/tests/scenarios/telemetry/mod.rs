//! Traces and metrics, as a receiver of OTLP gets them.

mod https;
mod receiver;

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use hyper::StatusCode;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::Span;
use trellis_testkit::guests::built;
use trellis_testkit::{Client, HostProcess, Signal, Site, eventually, run_to_end};

use https::HttpsReceiver;
use receiver::{Absent, Receiver, said};

/// What no log, page or answer may show.
const CANARY: &str = "canary-5d1e";
/// The standard's own example.
const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT_ID: &str = "b7ad6b7169203331";

/// A provider that is a program and says which trace its calls belong to.
const PROVIDER: &str = "
import logging
from dataclasses import dataclass
from trellis_provider import Call, Contract, Operation, Provider, handles, run

GEO = Contract('demo:geo', [Operation('Locate', 'Where a place is.', idempotent=True)])

@dataclass
class Locate:
    name: str

@dataclass
class Place:
    name: str
    latitude: float
    longitude: float

class Geo(Provider):
    name = 'geo'
    version = '0.1.0'
    doc = 'Knows one place.'
    contracts = [GEO]

    @handles(GEO, 'Locate')
    async def locate(self, request: Locate, call: Call) -> Place:
        logging.getLogger().info('the trace is %s', call.trace)
        return Place(request.name, 1.5, 2.5)

run(Geo())
";

fn geo_site() -> Site {
    let sdk = concat!(env!("CARGO_MANIFEST_DIR"), "/../../providers/sdk/python");
    let site = Site::new();
    let mut draft = site.account().draft("places");
    draft.caps = ["wascc:http_server", "demo:geo"].map(str::to_owned).to_vec();
    site.put("places.wasm", site.account().sign(&built("places"), &draft));
    site.put("geo.py", PROVIDER);
    let manifest = format!(
        "
name: atlas
actors: [{{image: places.wasm, name: places}}]
providers:
  - builtin: http-server
  - process: {{command: {sdk}/.venv/bin/python, args: [geo.py], environment: [PYTHONPATH]}}
    name: geo
bindings:
  - {{actor: places, capability: 'wascc:http_server', values: {{PORT: 0, ADDRESS: 127.0.0.1}}}}
  - {{actor: places, capability: 'demo:geo'}}
"
    );
    site.put("manifest.yaml", manifest);
    site
}

/// A host of one actor that counts in a store, and is bound to nothing else.
fn counter_site(host: &str) -> Site {
    let site = Site::new();
    let mut draft = site.account().draft("kvcounter");
    draft.caps = ["wascc:http_server", "wascc:keyvalue"].map(str::to_owned).to_vec();
    site.put("kvcounter.wasm", site.account().sign(&built("kvcounter"), &draft));
    let manifest = format!(
        "
actors: [{{image: kvcounter.wasm, name: kvcounter}}]
providers: [{{builtin: http-server}}, {{builtin: keyvalue-embedded}}]
bindings:
  - {{actor: kvcounter, capability: 'wascc:http_server', values: {{PORT: 0, ADDRESS: 127.0.0.1}}}}
  - {{actor: kvcounter, capability: 'wascc:keyvalue'}}
host: {{{host}}}
"
    );
    site.put("manifest.yaml", manifest);
    site
}

/// Spans are sent at once, and metrics ten times a second.
fn hurried(command: &mut Command) -> &mut Command {
    command.env("OTEL_BSP_SCHEDULE_DELAY", "1").env("OTEL_METRIC_EXPORT_INTERVAL", "100")
}

#[track_caller]
fn started(command: &mut Command) -> HostProcess {
    HostProcess::start(command).unwrap_or_else(|ended| panic!("{ended:#?}"))
}

#[track_caller]
fn get(host: &HostProcess, actor: &str, header: &str) {
    let mut client = Client::new(host.address_of(actor));
    let response = client.send_with("GET", "/Oslo?secret=1", header, b"").expect("an answer");
    assert_eq!(response.status, 200, "{}", response.text());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The three spans of a request: HTTP, actor, provider.
fn chain(spans: &[Span]) -> Option<[&Span; 3]> {
    let named = |name: &str| spans.iter().find(|span| span.name == name);
    let http = named("GET /*")?;
    let actor = named("wascc:http_server/HandleRequest")?;
    Some([http, actor, named("demo:geo/Locate")?])
}

#[track_caller]
fn says_what_it_should([http, actor, provider]: [&Span; 3]) {
    for (span, name, value) in [
        (http, "http.request.method", "GET"),
        (http, "http.route", "/*"),
        (http, "url.path", "/Oslo"),
        (http, "http.response.status_code", "200"),
        (actor, "faas.trigger", "http"),
        (actor, "trellis.target", "places"),
        (actor, "trellis.gate", "allowed"),
        (provider, "rpc.method", "demo:geo/Locate"),
        (provider, "trellis.target", "geo"),
        (provider, "trellis.binding", "default"),
    ] {
        assert_eq!(said(&span.attributes, name).as_deref(), Some(value), "{name}");
    }
}

/// From a client over HTTP, the gate, an actor, its host call and a program, and back.
#[test]
fn one_trace_goes_through_everything() {
    let (receiver, site) = (Receiver::start(), geo_site());
    let mut command = site.host("manifest.yaml");
    let sdk = concat!(env!("CARGO_MANIFEST_DIR"), "/../../providers/sdk/python");
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint()).env("PYTHONPATH", sdk);
    command.env("OTEL_EXPORTER_OTLP_HEADERS", format!("api-key={CANARY}"));
    let host = started(hurried(&mut command));
    let told = host.log().wait_for(0, |line| line.contains("telemetry: all traces").then_some(()));
    assert!(told.is_some() && host.log().text().contains(&receiver.endpoint()));

    get(&host, "places", &format!("traceparent: 00-{TRACE_ID}-{PARENT_ID}-01\r\n"));
    let spans =
        receiver.wait_for("the trace", |it| chain(&it.spans).map(|spans| spans.map(Span::clone)));
    let [http, actor, provider] = &spans;
    for span in &spans {
        assert_eq!(hex(&span.trace_id), TRACE_ID, "{span:?}");
        assert!(span.status.is_none(), "{span:?}");
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano, "{span:?}");
    }
    assert_eq!(hex(&http.parent_span_id), PARENT_ID);
    assert_eq!(actor.parent_span_id, http.span_id);
    assert_eq!(provider.parent_span_id, actor.span_id);
    assert_eq!([http.kind, actor.kind, provider.kind], [2, 1, 3], "server, internal, client");
    says_what_it_should([http, actor, provider]);
    assert!(!format!("{spans:?}").contains("secret"), "queries are not told");
    // The program goes on with the trace, within the span of its call.
    let within = format!("the trace is 00-{TRACE_ID}-{}-01", hex(&provider.span_id));
    assert!(
        host.log().wait_for(0, |line| line.contains(&within).then_some(())).is_some(),
        "{within}"
    );

    let (resource, keys) = receiver.wait_for("the resource", |it| {
        (!it.keys.is_empty()).then(|| (it.resource.clone(), it.keys.clone()))
    });
    assert_eq!(said(&resource, "service.name").as_deref(), Some("atlas"));
    assert!(said(&resource, "service.instance.id").is_some_and(|key| key.starts_with('N')));
    assert!(keys.iter().all(|key| key == CANARY));

    // The same meters, with the trace that a time came from.
    let page = host.ask("/metrics").expect("an answer").text();
    for (metric, label) in
        [("call_duration", "target=\"geo\""), ("http_request_duration", "provider=\"http-server\"")]
    {
        let bucket = format!("trellis_{metric}_seconds_bucket{{");
        let lines = page.lines().filter(|it| it.starts_with(&bucket) && it.contains(label));
        let example = format!("# {{trace_id=\"{TRACE_ID}\"");
        assert!({ lines }.any(|line| line.contains(&example)), "{metric}: {page}");
    }
    receiver.wait_for("the metrics with an exemplar", |it| {
        let metric = it.metrics.iter().find(|it| it.name == "trellis_call_duration_seconds")?;
        let Some(Data::Histogram(histogram)) = &metric.data else { return None };
        let of = |name: &str| {
            let of_target = |it: &&_| said(attributes_of(it), "target").as_deref() == Some(name);
            histogram.data_points.iter().find(of_target)
        };
        let point = of("geo").filter(|point| point.count == 1)?;
        let example = point.exemplars.first()?;
        (hex(&example.trace_id) == TRACE_ID).then_some(())
    });
    for shown in [host.log().text(), page, host.ask("/readyz").expect("an answer").text()] {
        assert!(!shown.contains(CANARY), "{shown}");
    }
}

fn attributes_of(
    point: &opentelemetry_proto::tonic::metrics::v1::HistogramDataPoint,
) -> &[opentelemetry_proto::tonic::common::v1::KeyValue] {
    &point.attributes
}

/// What the client does not want recorded is not, a request without a trace gets one, and a host
/// that stops sends what waits.
#[test]
fn whoever_began_a_trace_decides_it() {
    let receiver = Receiver::start();
    let telemetry = format!("telemetry: {{endpoint: '{}', service: named}}", receiver.endpoint());
    let site = counter_site(&telemetry);
    let mut command = site.host("manifest.yaml");
    let host = started(command.env("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2"));
    get(&host, "kvcounter", &format!("traceparent: 00-{TRACE_ID}-{PARENT_ID}-00\r\n"));
    get(&host, "kvcounter", "");
    stopped(host);
    let all = receiver.wait_for("all of it", |it| Some(it.clone()));
    let root = all.spans.iter().find(|span| span.name == "GET /*").expect("a root");
    assert!(root.parent_span_id.is_empty(), "{root:?}");
    assert!(all.spans.iter().all(|span| span.trace_id == root.trace_id), "{:?}", all.spans);
    assert_eq!(all.batches, [2, 1], "{:?}", all.spans);
    assert_eq!(said(&all.resource, "service.name").as_deref(), Some("named"));
    assert!(all.metrics.iter().any(|it| it.name == "trellis_build_info"));
}

/// A receiver that takes connections and says nothing is given up, and holds up no stop for long.
#[test]
fn a_silent_receiver_is_given_up() {
    let absent = Absent::new();
    absent.fall_silent();
    let site = counter_site(&format!("telemetry: {{endpoint: 'http://{}'}}", absent.address()));
    let mut command = site.host("manifest.yaml");
    command.env("OTEL_BSP_SCHEDULE_DELAY", "1").env("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "50");
    let host = started(&mut command);
    get(&host, "kvcounter", "");
    let given_up = "it does not answer within 50 ms";
    assert!(host.log().wait_for(0, |line| line.contains(given_up).then_some(())).is_some());
    let log = stopped(host);
    assert!(log.contains("not received within 5000 ms (telemetry_flush_ms_max)"), "{log}");
}

/// So is one that goes on answering: a request has its time from end to end.
#[test]
fn a_receiver_that_drips_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    // It ends with the test's process.
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            std::thread::spawn(move || drip(connection));
        }
    });
    let site = counter_site("");
    let mut command = site.host("manifest.yaml");
    command.env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", format!("http://{address}/"));
    let host = started(hurried(command.env("OTEL_EXPORTER_OTLP_TIMEOUT", "200")));
    get(&host, "kvcounter", "");
    let given_up = "it does not answer within 200 ms";
    let told = host.log().wait_for(0, |line| line.contains(given_up).then_some(()));
    assert!(told.is_some(), "{}", host.log().text());
}

/// Answers with a byte now and then, for as long as somebody takes them.
fn drip(mut connection: TcpStream) {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n";
    let mut going = connection.write_all(head);
    while going.is_ok() {
        std::thread::park_timeout(Duration::from_millis(20));
        going = connection.write_all(b"a");
    }
}

/// What a receiver takes and does not keep is counted, and told now and then.
#[test]
fn what_a_receiver_rejects_is_told() {
    let receiver = Receiver::start();
    receiver.reject(1);
    let site = counter_site("");
    let mut command = site.host("manifest.yaml");
    command.env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", format!("{}/v1/traces", receiver.endpoint()));
    let host = started(hurried(command.env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")));
    for number in 1..=3 {
        get(&host, "kvcounter", "");
        receiver.wait_for("the request", |it| (it.batches.len() >= number).then_some(()));
    }
    let rejected = || host.metric("trellis_telemetry_rejected_total{signal=\"traces\"}");
    eventually(|| if rejected() >= 3.0 { Ok(()) } else { Err(rejected()) }).expect("counted");
    let told =
        format!("{}/v1/traces took traces and rejected 1 of them: too old", receiver.endpoint());
    let line = host.log().wait_for(0, |line| line.contains(&told).then_some(()));
    assert!(line.is_some(), "{}", host.log().text());
    assert_eq!(host.log().count_of("rejected"), 1, "once a minute: {}", host.log().text());
    let compressed = receiver.wait_for("them", |it| Some(it.compressed == it.batches.len()));
    assert!(compressed, "each of them");
}

/// Over HTTPS nobody is spoken to but who has a certificate that is trusted.
#[test]
fn a_receiver_over_https_has_to_be_trusted() {
    let site = counter_site("");
    let receiver = HttpsReceiver::start(&site);
    let command = || {
        let mut command = site.host("manifest.yaml");
        let endpoint = format!("{}/v1/traces", receiver.endpoint());
        hurried(command.env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint));
        command
    };
    let file = |name: &str| {
        let mut command = command();
        command.env("OTEL_EXPORTER_OTLP_CERTIFICATE", site.path(name));
        command
    };
    for (mut command, why) in [
        (command(), "it cannot be reached"),
        (file("gone.pem"), "OTEL_EXPORTER_OTLP_CERTIFICATE cannot be read"),
        (file("manifest.yaml"), "OTEL_EXPORTER_OTLP_CERTIFICATE has no certificates"),
    ] {
        let host = started(&mut command);
        get(&host, "kvcounter", "");
        let told = format!("traces do not reach {}", receiver.endpoint());
        let line = host.log().wait_for(0, |line| line.contains(&told).then(|| line.to_owned()));
        assert!(line.as_ref().is_some_and(|line| line.contains(why)), "{why}: {line:?}");
    }
    let host = started(&mut file("receiver.pem"));
    get(&host, "kvcounter", "");
    assert!(receiver.gets("/v1/traces"), "{}", host.log().text());
}

/// A check finds what a start would, of the manifest and of the environment.
#[test]
fn a_check_judges_telemetry_as_a_start_does() {
    let wrong = "telemetry: {endpoint: 'http://a:4318', headers: {content-length: '${KEY}'}}";
    let site = counter_site(wrong);
    for check in [true, false] {
        let mut command = site.host("manifest.yaml");
        command.env("KEY", CANARY).args(check.then_some("--check"));
        let Err(ended) = HostProcess::start(&mut command) else { panic!("it is wrong") };
        assert_ne!(ended.code, Some(0), "{ended:#?}");
        assert!(ended.stderr.contains("`content-length` is no header to send"), "{ended:#?}");
        assert!(!ended.stderr.contains(CANARY), "{ended:#?}");
    }
    let site = counter_site("telemetry: {endpoint: 'http://127.0.0.1:9'}");
    let mut command = site.host("manifest.yaml");
    command.env("OTEL_SDK_DISABLED", "1").arg("--check");
    let checked = run_to_end(&mut command);
    assert_eq!(checked.code, Some(0), "{checked:#?}");
    assert!(checked.stderr.contains("OTEL_SDK_DISABLED counts as `false`"), "{checked:#?}");
    let checked = run_to_end(command.env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"));
    assert_eq!(checked.code, Some(0), "the environment stops no host: {checked:#?}");
    for says in ["there would be no telemetry: OTEL_EXPORTER_OTLP_PROTOCOL must be", "port 4318"] {
        assert!(checked.stderr.contains(says), "{says}: {checked:#?}");
    }
}

/// Stops a host, and gives its log.
fn stopped(host: HostProcess) -> String {
    host.signal(Signal::TERM);
    let ended = host.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended.stderr
}

/// A host whose receiver is away serves, says so, and goes on once it is there.
#[test]
fn a_receiver_may_be_away() {
    let absent = Absent::new();
    let address = absent.address();
    let site = counter_site(&format!("telemetry: {{endpoint: 'http://{address}'}}"));
    let host = started(hurried(&mut site.host("manifest.yaml")));
    get(&host, "kvcounter", "");
    let warning = format!("traces do not reach http://{address}/v1/traces: it cannot be reached");
    let warned = host.log().wait_for(0, |line| line.contains(&warning).then_some(()));
    assert!(warned.is_some(), "{}", host.log().text());
    let readyz = host.ask("/readyz").expect("an answer");
    assert_eq!(readyz.status, 200);
    let note = "note: traces have not reached their receiver for";
    assert!(readyz.text().contains(note), "{}", readyz.text());

    let receiver = absent.arrive();
    receiver.wait_for("the span from before", |it| {
        it.spans.iter().any(|span| span.name == "GET /*").then_some(())
    });
    let again = format!("traces reach http://{address}/v1/traces again");
    assert!(host.log().wait_for(0, |line| line.contains(&again).then_some(())).is_some());
    let silent = eventually(|| {
        let text = host.ask("/readyz").expect("an answer").text();
        if text.contains("receiver") { Err(text) } else { Ok(()) }
    });
    assert_eq!(silent, Ok(()));
    assert_eq!(host.metric("trellis_telemetry_spans_dropped_total"), 0.0);
}

/// What finds no room while a receiver takes nothing is dropped and counted; calls do not notice.
#[test]
fn more_spans_than_there_is_room_for_are_dropped() {
    let receiver = Receiver::start();
    receiver.refuse(Some(StatusCode::SERVICE_UNAVAILABLE));
    let site = counter_site("");
    let mut command = site.host("manifest.yaml");
    command.env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", format!("{}/v1/traces", receiver.endpoint()));
    command.env("OTEL_BSP_MAX_QUEUE_SIZE", "4");
    let host = started(hurried(&mut command));
    get(&host, "kvcounter", "");
    receiver.wait_for("a request", |it| (it.refused > 0).then_some(()));
    // One batch is on its way, and four spans wait.
    (0..9).for_each(|_| get(&host, "kvcounter", ""));
    let dropped = host.metric("trellis_telemetry_spans_dropped_total");
    assert!((20.0..=29.0).contains(&dropped), "{dropped} of 30 spans");
    assert!(host.log().count_of("it answers 503") == 1, "{}", host.log().text());
    receiver.refuse(None);
    receiver.wait_for("what there was room for", |it| (it.spans.len() >= 4).then_some(()));
    receiver.wait_for("no metrics", |it| it.metrics.is_empty().then_some(()));
}

/// Without an address nothing is recorded and nothing is sent, whatever a client wants.
#[test]
fn there_is_none_unless_somebody_says_where_it_goes() {
    let receiver = Receiver::start();
    let site = counter_site(&format!("telemetry: {{endpoint: '{}'}}", receiver.endpoint()));
    let mut command = site.host("manifest.yaml");
    let host = started(hurried(command.env("OTEL_SDK_DISABLED", "true")));
    get(&host, "kvcounter", &format!("traceparent: 00-{TRACE_ID}-{PARENT_ID}-01\r\n"));
    let page = host.ask("/metrics").expect("an answer").text();
    assert!(!page.contains("telemetry") && !page.contains("trace_id"), "{page}");
    let log = stopped(host);
    assert!(!log.contains("telemetry"), "{log}");
    receiver.wait_for("nothing", |it| {
        (it.spans.is_empty() && it.metrics.is_empty() && it.refused == 0).then_some(())
    });
}

/// Settings of the environment that cannot be understood are named; the host serves without.
#[test]
fn wrong_settings_are_named_and_stop_no_host() {
    let receiver = Receiver::start();
    let site = counter_site("");
    let mut command = site.host("manifest.yaml");
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint());
    command.env("OTEL_EXPORTER_OTLP_HEADERS", CANARY);
    let host = started(command.env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"));
    get(&host, "kvcounter", "");
    let readyz = host.ask("/readyz").expect("an answer").text();
    for problem in [
        "OTEL_EXPORTER_OTLP_PROTOCOL must be `http/protobuf`",
        "OTEL_EXPORTER_OTLP_HEADERS must be pairs",
    ] {
        let problem = format!("there is no telemetry: {problem}");
        assert!(readyz.contains(&problem), "{readyz}");
        assert_eq!(host.log().count_of(&problem), 1, "{}", host.log().text());
    }
    assert!(!readyz.contains(CANARY) && !host.log().text().contains(CANARY));
    let site = counter_site("telemetry: {endpoint: '127.0.0.1:4318'}");
    let Err(ended) = HostProcess::start(&mut site.host("manifest.yaml")) else {
        panic!("a manifest that is wrong does not start")
    };
    assert!(ended.stderr.contains("`http://127.0.0.1:4318`"), "{}", ended.stderr);
}

/// What the gate refuses is a span as well, with the code and the reason.
#[test]
fn a_denial_is_part_of_the_trace() {
    let receiver = Receiver::start();
    let site = Site::new();
    let mut draft = site.account().draft("kvcounter");
    draft.caps = vec!["wascc:http_server".to_owned(), "wascc:keyvalue".to_owned()];
    site.put("kvcounter.wasm", site.account().sign(&built("kvcounter"), &draft));
    site.put(
        "manifest.yaml",
        "
actors: [{image: kvcounter.wasm, name: kvcounter}]
providers: [{builtin: http-server}]
bindings:
  - {actor: kvcounter, capability: 'wascc:http_server', values: {PORT: 0, ADDRESS: 127.0.0.1}}
",
    );
    let mut command = site.host("manifest.yaml");
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint());
    let host = started(hurried(&mut command));
    let mut client = Client::new(host.address_of("kvcounter"));
    let answer = client.send("GET", "/", b"").expect("an answer");
    assert!(answer.status >= 500, "{}", answer.text());
    let spans =
        receiver.wait_for("the spans", |it| (it.spans.len() == 3).then(|| it.spans.clone()));
    let named = |name: &str| spans.iter().find(|it| it.name == name).expect(name);
    let denied = named("denied");
    assert_eq!(said(&denied.attributes, "trellis.gate").as_deref(), Some("denied"));
    assert_eq!(said(&denied.attributes, "error.type").as_deref(), Some("E_DENIED"));
    let asked = said(&denied.attributes, "rpc.method_original").expect("what was asked for");
    assert!(asked.starts_with("wascc:keyvalue/"), "{asked}");
    let status = denied.status.as_ref().expect("it failed");
    assert!(status.code == 2 && status.message.contains("kvcounter"), "{status:?}");
    assert_eq!(denied.parent_span_id, named("wascc:http_server/HandleRequest").span_id);
    let http = named("GET /*");
    assert_eq!(http.status.as_ref().map(|it| it.code), Some(2));
}
