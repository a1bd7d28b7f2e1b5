//! Replacements while clients never stop: an identity ends with its code, the new part runs before
//! the old one goes, and a change that fails leaves in place what works.

use trellis_e2e::hostile::harmless;
use trellis_e2e::slow::{BEGUN, counts_late, starts_late};
use trellis_e2e::{Change, Redis, Step, actor, app, get, post};
use trellis_testkit::Signal;
use trellis_testkit::guests::built;

use crate::scenarios;

/// A few seconds of computing.
const A_WHILE: u64 = 2_000_000_000;
/// More computing than any test waits for.
const FOR_EVER: u64 = 10_000_000_000_000;

scenarios! {
    /// New code gets its rights together with its route, however long a neighbor takes to start.
    a_new_right_beside_a_slow_neighbor = [
        actor("counter", harmless()),
        actor("slow", starts_late(A_WHILE)),
        app(&[("counter", "")]),
        Step::Start,
        Step::LoadStarts("counter"),
        Step::manifest(beside_a_slow_neighbor()),
        Step::Log(&["the manifest was not applied", "not authorized"]),
        actor("counter", counts_late(1)).cap("wascc:keyvalue"),
        Step::Log(&["replaced actor counter"]),
        get("counter", "/").is(200, ""),
        get("slow", "/").is(200, ""),
        Step::LoadEnds,
    ];

    /// Rules that allow less act before anything is made, those that allow more when all is there.
    calls_that_are_open_no_more = [
        actor("ping", built("ping")),
        actor("pong", built("pong")).alias("pong"),
        actor("slow", starts_late(FOR_EVER)),
        Step::manifest(ping_pong("", "open")),
        Step::Ends(&["--dry-run"], 0, &["open calls between actors to everybody"]),
        Step::Start,
        get("ping", "/x").is(200, "pong /x"),
        Step::manifest(ping_pong(SLOW, "listed")),
        get("ping", "/x").is(502, "E_GUEST").soon(),
        Step::LogAtMost(0, "actor slow"),
        // That change comes to nothing; what it took away stays away.
        Step::manifest(ping_pong(SLOW, "open")),
        get("ping", "/x").is(502, "E_GUEST"),
        Step::manifest(ping_pong("", "open")),
        Step::Log(&["opened calls between actors to everybody"]),
        get("ping", "/x").is(200, "pong /x"),
        Step::manifest(ping_pong("", "listed")),
        Step::Log(&["restricted calls between actors to those that claims list"]),
        get("ping", "/x").is(502, "E_GUEST"),
    ];

    /// Another developer's module takes over a name. A late call of the old code writes only to the
    /// old code's data.
    a_late_call_of_another_key = [
        actor("counter", counts_late(A_WHILE)).cap("wascc:keyvalue"),
        Step::manifest(counter("{builtin: keyvalue-embedded}", "")),
        // Otherwise the other key is refused: the data would stay behind.
        Step::StartWith(&["--force"]),
        get("counter", "/").is(200, "\u{1}"),
        post("counter", "").meanwhile_is(200, "\u{2}"),
        Step::Log(&[BEGUN]),
        actor("counter", counts_late(A_WHILE + 1)).cap("wascc:keyvalue").key_of("other"),
        Step::Log(&["replaced actor counter", "its key changes"]),
        get("counter", "/").is(200, "\u{1}"),
        Step::Answered,
        get("counter", "/").is(200, "\u{2}"),
    ];

    /// An older revision is refused under another name too.
    a_rollback_under_another_name = [
        actor("one", harmless()).revision(2),
        app(&[("one", "")]),
        Step::Start,
        get("one", "/").is(200, "ok"),
        actor("two", harmless()).key_of("one").revision(1),
        app(&[("two", "")]),
        Step::Log(&["\"level\":\"ERROR\"", "E_REVISION", "actor two"]),
        // The newer one keeps serving, also when the same is wanted again.
        get("one", "/").is(200, "ok"),
        Signal::HUP,
        Step::Metric("trellis_reloads_total{result=\"applied\"}", 3.0).soon(),
        get("one", "/").is(200, "ok"),
        Step::Admin("/readyz", 200, "degraded: actor two"),
    ];

    /// A binding that wants a port in use keeps the one it has, and that is reported.
    a_binding_that_wants_a_taken_port = [
        actor("echo", built("echo")),
        app(&[("echo", "")]),
        Step::Start,
        Step::LoadStarts("echo"),
        Step::manifest(at_port("'${TAKEN_PORT}'")),
        Step::Log(&["\"level\":\"ERROR\"", "E_ADDRESS", "binding of echo"]),
        Step::Metric("trellis_degraded", 1.0).soon(),
        get("echo", "/").is(200, "hello"),
        // A new version of the module waits for its binding: the old version keeps serving.
        actor("echo", harmless()),
        Step::Log(&["\"level\":\"ERROR\"", "E_ADDRESS", "actor echo: "]),
        get("echo", "/").is(200, "hello"),
        app(&[("echo", "")]),
        Step::Log(&["replaced actor echo"]),
        get("echo", "/").is(200, "ok").soon(),
        Step::LoadEnds,
    ];

    /// A long call of an actor that is no longer trusted ends at once.
    a_revocation_during_a_long_call = [
        actor("counter", counts_late(FOR_EVER)).cap("wascc:keyvalue"),
        Step::manifest(counter("{builtin: keyvalue-embedded}", "")),
        Step::Start,
        post("counter", "").meanwhile_is(504, "E_TIMEOUT"),
        Step::Log(&[BEGUN]),
        Step::manifest(counter(
            "{builtin: keyvalue-embedded}",
            "trust: {issuers: ['${ISSUER}'], revoked: ['${KEY_OF_COUNTER}']}",
        )),
        Step::Log(&["E_REVOKED", "stopped"]),
        Step::Answered,
        Step::Closed("counter").soon(),
    ];

    /// A call that uses a file store is answered when the host stops: servers stop first, then
    /// actors, then stores.
    a_terminated_host_with_a_file_store = [
        actor("counter", counts_late(A_WHILE)).cap("wascc:keyvalue"),
        Step::Do(Change::File("data/README", Vec::new())),
        Step::manifest(counter(STORE_IN_A_FILE, "")),
        Step::Start,
        post("counter", "").meanwhile_is(200, "\u{1}"),
        Step::Log(&[BEGUN]),
        Signal::TERM,
        Step::Answered,
        Step::Stops(0, 20),
        Step::Start,
        get("counter", "/").is(200, "\u{2}"),
    ];

    /// A store that is down replaces one that works only when it is up.
    a_swap_to_a_store_that_is_down = [
        Redis::Up,
        Redis::Down,
        actor("kvcounter", built("kvcounter")).cap("wascc:keyvalue"),
        Step::manifest(kvcounter("{builtin: keyvalue-embedded, name: store}")),
        Step::Start,
        get("kvcounter", "/").is(200, "{\"counter\": 1}"),
        Step::manifest(kvcounter(REDIS)),
        Step::Log(&["\"level\":\"ERROR\"", "E_PROVIDER", "store", "is not well"]),
        get("kvcounter", "/").is(200, "{\"counter\": 2}"),
        Redis::Up,
        Step::Log(&["replaced provider store"]),
        get("kvcounter", "/").is(200, "{\"counter\": 1}").soon(),
    ];

    /// A provider serves again when its wrong value is corrected.
    a_provider_that_is_corrected = [
        actor("kvcounter", built("kvcounter")).cap("wascc:keyvalue"),
        Step::Do(Change::File("data/README", Vec::new())),
        Step::manifest(kvcounter("{builtin: keyvalue-embedded, name: store}")),
        Step::Start,
        get("kvcounter", "/").is(200, "{\"counter\": 1}"),
        Step::manifest(kvcounter(&in_file("README/no-folder.redb"))),
        Step::Log(&["\"level\":\"ERROR\"", "E_STORAGE", "provider store"]),
        get("kvcounter", "/").is(200, "{\"counter\": 2}"),
        Step::manifest(kvcounter(&in_file("counts.redb"))),
        Step::Log(&["replaced provider store"]),
        get("kvcounter", "/").is(200, "{\"counter\": 1}"),
    ];

    /// A new version whose store cannot be opened does not take over without it.
    a_new_version_without_its_store = [
        actor("kvcounter", built("kvcounter")).cap("wascc:keyvalue"),
        actor("newer", built("kvcounter")).cap("wascc:keyvalue").key_of("kvcounter").revision(2),
        Step::Do(Change::File("data/README", Vec::new())),
        Step::manifest(kvcounter("{builtin: keyvalue-embedded, name: store}")),
        Step::Start,
        Step::LoadStarts("kvcounter"),
        Step::manifest(newer_in_file("README/no-folder.redb")),
        Step::Log(&["\"level\":\"ERROR\"", "E_STORAGE", "provider file"]),
        Step::Log(&["actor kvcounter", "provider file", "does not run"]),
        Step::LoadCounted("kvcounter"),
        Step::manifest(newer_in_file("counts.redb")),
        Step::Log(&["replaced actor kvcounter"]),
        get("kvcounter", "/").is(200, "{\"counter\": 1}"),
    ];

    /// A new version comes together with a store that is down: it takes over, over the old store.
    a_new_version_beside_a_store_that_is_down = [
        Redis::Up,
        actor("kvcounter", built("kvcounter")).cap("wascc:keyvalue"),
        actor("newer", built("kvcounter")).cap("wascc:keyvalue").key_of("kvcounter").revision(2),
        Step::manifest(kvcounter(REDIS)),
        Step::Start,
        Step::LoadStarts("kvcounter"),
        Step::manifest(newer(&REDIS.replace("${REDIS_URL}", "redis://127.0.0.1:1"))),
        Step::Log(&["\"level\":\"ERROR\"", "E_PROVIDER", "store", "is not well"]),
        Step::Log(&["replaced actor kvcounter"]),
        Step::LoadCounted("kvcounter"),
    ];

    /// Two instances cannot hold one file, so calls wait for the new one and none fails.
    a_changed_store_over_the_same_file = [
        actor("kvcounter", built("kvcounter")).cap("wascc:keyvalue"),
        Step::Do(Change::File("data/README", Vec::new())),
        Step::manifest(kvcounter(&in_file("counts.redb"))),
        Step::Start,
        Step::LoadStarts("kvcounter"),
        Step::manifest(kvcounter(&in_file("counts.redb', CACHE: '8MiB"))),
        Step::Log(&["replaced provider store"]),
        Step::manifest(kvcounter(&in_file("counts.redb"))),
        Step::Log(&["replaced provider store"]),
        Step::LoadCounted("kvcounter"),
    ];
}

const SLOW: &str =
    ", {image: slow.wasm, name: slow, instances: {min: 1}, limits: {init_time: 60s}}";

/// A manifest of an actor that calls another one, with more actors.
fn ping_pong(more: &str, calls: &str) -> String {
    format!(
        "host: {{calls: {calls}}}
actors: [{{image: ping.wasm, name: ping}}, {{image: pong.wasm, name: pong}}{more}]
providers: [{{builtin: http-server}}]
bindings:
  - {{actor: ping, capability: 'wascc:http_server', values: {{PORT: 0, ADDRESS: 127.0.0.1}}}}
"
    )
}

const STORE_IN_A_FILE: &str =
    "{builtin: keyvalue-embedded, values: {PATH: '${DATA_DIR}/counts.redb'}}";
const REDIS: &str = "{builtin: keyvalue-redis, name: store, values: {URL: '${REDIS_URL}'}}";

fn in_file(name: &str) -> String {
    format!("{{builtin: keyvalue-embedded, name: store, values: {{PATH: '${{DATA_DIR}}/{name}'}}}}")
}

/// A manifest of the module's next version, bound to a file beside the store.
fn newer_in_file(name: &str) -> String {
    let file = in_file(name).replace("name: store", "name: file");
    let both = format!("{{builtin: keyvalue-embedded, name: store}}, {file}");
    newer(&both).replace("'wascc:keyvalue'", "'wascc:keyvalue', provider: file")
}

/// A manifest of one actor behind HTTP that counts in this store.
fn counting(actor: &str, store: &str, more: &str) -> String {
    format!(
        "{more}
actors: [{{image: {actor}.wasm, name: {actor}, limits: {{call_time: 120s}}}}]
providers: [{{builtin: http-server}}, {store}]
bindings:
  - actor: {actor}
    capability: wascc:http_server
    values: {{PORT: 0, ADDRESS: 127.0.0.1, REQUEST_TIME_MAX: 120s}}
  - {{actor: {actor}, capability: 'wascc:keyvalue'}}
"
    )
}

fn counter(store: &str, more: &str) -> String {
    counting("counter", store, more)
}

fn kvcounter(store: &str) -> String {
    counting("kvcounter", store, "")
}

/// The same of the module's next version.
fn newer(store: &str) -> String {
    kvcounter(store).replace("kvcounter.wasm", "newer.wasm")
}

fn at_port(port: &str) -> String {
    format!(
        "actors: [{{image: echo.wasm, name: echo}}]
providers: [{{builtin: http-server}}]
bindings:
  - {{actor: echo, capability: 'wascc:http_server', values: {{PORT: {port}, ADDRESS: 127.0.0.1}}}}
"
    )
}

fn beside_a_slow_neighbor() -> String {
    "actors:
  - {image: counter.wasm, name: counter}
  - {image: slow.wasm, name: slow, instances: {min: 1}, limits: {init_time: 60s}}
providers: [{builtin: http-server}, {builtin: keyvalue-embedded}]
bindings:
  - {actor: counter, capability: 'wascc:http_server', values: {PORT: 0, ADDRESS: 127.0.0.1}}
  - {actor: counter, capability: 'wascc:keyvalue'}
  - {actor: slow, capability: 'wascc:http_server', values: {PORT: 0, ADDRESS: 127.0.0.1}}
"
    .to_owned()
}
