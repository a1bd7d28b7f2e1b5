//! Providers that are signed modules: checked, called, changed for others and taken away.

use trellis_e2e::relay::{endless, relay};
use trellis_e2e::{Flaw, Step, actor, get, provider};
use trellis_testkit::example_program;
use trellis_testkit::guests::built;

use crate::scenarios;

const ROME: &str = "values: {PLACES: 'Rome=41,12.5'}";

scenarios! {
    /// A module serves a contract that no host knows, to an actor that asks a program otherwise.
    a_provider_that_is_a_module = [
        actor("places", built("places")).cap("demo:geo"),
        provider("geo", built("geo")),
        Step::manifest(served_by("module: geo.wasm")),
        Step::Ends(&["--check"], 0, &["ok"]),
        Step::Ends(&["--dry-run"], 0, &["start provider geo (geo)", "demo:geo at provider geo"]),
        Step::Start,
        get("places", "/Oslo").is(200, "\"latitude\":59.9139"),
        get("places", "/Rome").is(502, "E_GUEST"),
        Step::Log(&["E_NOT_FOUND: no place `Rome` is known; known are: Berlin, Lima, Oslo"]),
        Step::manifest(served_by(&format!("module: geo.wasm\n    {ROME}"))),
        Step::Soon(Box::new(get("places", "/Rome").is(200, "\"longitude\":12.5"))),
        Step::manifest(served_by("module: {file: geo.wasm, instances: {max: 4}}\n    name: geo")),
        Step::Log(&["replaced provider geo (geo) in another build"]),
        get("places", "/Lima").is(200, "-12.0464"),
    ];

    /// The same contract, by a program and by a module: each takes the place of the other while
    /// calls go on, and none of them is lost.
    a_module_and_a_program_take_turns = [
        actor("places", built("places")).cap("demo:geo"),
        provider("geo", built("geo")),
        Step::manifest(served_by("module: geo.wasm")),
        Step::Start,
        Step::LoadStartsAt("places", "/Oslo"),
        Step::manifest(served_by(&program())),
        Step::Log(&["replaced provider geo (geo) in another build"]),
        Step::manifest(served_by("module: geo.wasm")),
        Step::Log(&["replaced provider geo (geo) in another build"]),
        Step::manifest(served_by(&program())),
        Step::Log(&["replaced provider geo (geo) in another build"]),
        Step::manifest(served_by("module: geo.wasm")),
        Step::Log(&["replaced provider geo (geo) in another build"]),
        Step::LoadEnds,
        get("places", "/Oslo").is(200, "59.9139"),
    ];

    /// What `trellis new provider --lang wasm` makes.
    a_module_as_it_is_made_anew = [
        provider("bell", built("new_provider")),
        Step::manifest("actors: []\nproviders: [{module: bell.wasm, values: {WORD: Ahoy}}]\n"),
        Step::Ends(&["--check"], 0, &["ok"]),
        Step::manifest("actors: []\nproviders: [{module: bell.wasm, values: {WORDS: Ahoy}}]\n"),
        Step::Ends(&["--check"], 6, &["unknown value `WORDS`", "did you mean `WORD`"]),
    ];

    /// What is wrong with its values is said before it is changed, or keeps what runs.
    a_module_with_wrong_values = [
        actor("places", built("places")).cap("demo:geo"),
        provider("geo", built("geo")),
        Step::manifest(served_by("module: geo.wasm\n    values: {PLACE: x}")),
        Step::Ends(&["--check"], 6, &["unknown value `PLACE`", "did you mean `PLACES`"]),
        Step::manifest(served_by("module: geo.wasm")),
        Step::Start,
        Step::manifest(served_by("module: geo.wasm\n    values: {PLACES: nowhere}")),
        Step::Log(&["E_CONFIG", "PLACES has an entry that is no place"]),
        get("places", "/Oslo").is(200, "59.9139"),
    ];

    /// Whoever signs a module decides whether it is an actor or a provider.
    a_module_in_the_wrong_place = [
        actor("places", built("places")).cap("demo:geo"),
        actor("actor", built("geo")),
        provider("geo", built("geo")),
        Step::manifest(served_by("module: actor.wasm")),
        Step::Ends(&["--check"], 4, &["E_DENIED", "actor.wasm is signed as an actor",
            "sign it again with `--provider`", "1 problem"]),
        Step::manifest("actors: [geo.wasm]\n"),
        Step::Ends(&["--check"], 4, &["E_DENIED", "geo.wasm is signed as a provider",
            "`module: geo.wasm`", "1 problem"]),
        Step::manifest(served_by("module: places.wasm")),
        Step::Ends(&["--check"], 6, &["places.wasm is signed as an actor"]),
        provider("silent", built("echo")),
        Step::manifest(served_by("module: silent.wasm")),
        Step::Ends(&["--check"], 6, &["silent.wasm: it does not say what it serves",
            "No handler registered", "GetCapabilityDescriptor", "1 problem"]),
        Step::manifest(served_by("module: nowhere.wasm")),
        Step::Ends(&["--check"], 6, &["nowhere.wasm", "trellis sign FILE --provider", "1 problem"]),
        Step::manifest(served_by("{module: geo.wasm, builtin: random}")),
        Step::Ends(&["--check"], 6, &[
            "a provider is one of `builtin`, `process`, `archive`, `module`",
        ]),
    ];

    /// Its signature is checked as an actor's is.
    a_module_of_nobody = [
        actor("places", built("places")).cap("demo:geo"),
        provider("geo", built("geo")).with(Flaw::Tampered),
        Step::manifest(served_by("module: geo.wasm")),
        Step::Ends(&["--check"], 4, &["E_HASH", "geo.wasm"]),
        provider("geo", built("geo")).with(Flaw::Stranger),
        Step::Ends(&["--check"], 4, &["E_ISSUER", "geo.wasm"]),
        provider("geo", built("geo")).with(Flaw::Unsigned),
        Step::Ends(&["--check"], 4, &["E_UNSIGNED", "geo.wasm"]),
        provider("geo", built("geo")).expires_in_s(-1_000),
        Step::Ends(&["--check"], 4, &["E_EXPIRED", "geo.wasm"]),
    ];

    /// A revocation takes it away at once, whatever else the manifest says.
    a_module_that_is_revoked = [
        actor("places", built("places")).cap("demo:geo"),
        provider("geo", built("geo")),
        Step::manifest(served_by("module: geo.wasm")),
        Step::Start,
        get("places", "/Oslo").is(200, "59.9139"),
        Step::manifest(format!("{}trust: {{issuers: ['${{ISSUER}}'], revoked: ['${{KEY_OF_GEO}}']}}\n",
            served_by("module: geo.wasm"))),
        Step::Log(&["\"provider\":\"geo\"", "E_REVOKED", "stopped"]),
        get("places", "/Oslo").is(503, "E_PROVIDER"),
    ];

    /// So it does when another one serves in its place, and it only finishes what it has.
    a_module_that_is_revoked_while_it_drains = [
        actor("places", built("places")).cap("demo:geo"),
        provider("geo", endless()),
        provider("next", built("geo")),
        Step::manifest(drained("module: {file: geo.wasm, limits: {call_time: 60s}}", "")),
        Step::Start,
        get("places", "/Oslo").meanwhile_is(503, "E_PROVIDER"),
        Step::Metric("trellis_slow_lane_calls_total", 1.0).soon(),
        Step::manifest(drained("{name: geo, module: next.wasm}", "")),
        Step::Log(&["replaced provider geo"]),
        Step::manifest(drained("{name: geo, module: next.wasm}",
            "trust: {issuers: ['${ISSUER}'], revoked: ['${KEY_OF_GEO}']}\n")),
        Step::Log(&["\"provider\":\"geo\"", "E_REVOKED", "stopped"]),
        Step::Answered,
        Step::Log(&["was stopped, and this call with it"]),
        Step::LogAtMost(0, "nothing here has that key"),
        get("places", "/Oslo").is(200, "59.9139"),
    ];

    /// A provider asks for capabilities itself, as its claims and its bindings allow.
    a_module_that_asks_another_one = [
        actor("places", built("places")).cap("demo:geo"),
        provider("geo", built("geo")),
        provider("relay", relay()).cap("demo:geo"),
        Step::manifest(relayed("{module: relay.wasm}, {module: geo.wasm}", &[("relay", "geo")])),
        Step::Ends(&["--check"], 0, &["ok"]),
        Step::Ends(&["--dry-run"], 0, &["bind relay to demo:geo at provider geo"]),
        Step::Start,
        get("places", "/Oslo").is(200, "59.9139"),
        // Its right to ask goes with its binding, and comes back with it.
        Step::manifest(relayed("{module: relay.wasm}, {module: geo.wasm}", &[])),
        Step::Soon(Box::new(get("places", "/Oslo").is(502, "E_GUEST"))),
        Step::manifest(relayed("{module: relay.wasm}, {module: geo.wasm}", &[("relay", "geo")])),
        Step::Soon(Box::new(get("places", "/Oslo").is(200, "59.9139"))),
        // And to the next version.
        Step::LoadStartsAt("places", "/Oslo"),
        provider("relay", relay()).cap("demo:geo").revision(7),
        Step::Log(&["replaced provider relay"]),
        Step::LoadEnds,
        provider("relay", relay()),
        Step::Log(&["actor `relay` is not authorized to use capability demo:geo"]),
        get("places", "/Oslo").is(200, "59.9139"),
    ];

    /// Providers that ask for one another end where calls are nested too deep.
    modules_in_a_circle = [
        actor("places", built("places")).cap("demo:geo"),
        provider("relay", relay()).cap("demo:geo"),
        provider("other", relay()).cap("demo:geo"),
        Step::manifest(relayed("{module: relay.wasm}, {module: other.wasm}",
            &[("relay", "other"), ("other", "relay")])),
        Step::Ends(&["--check"], 6, &["wait for its own end", "instances", "2 problems"]),
        Step::manifest(relayed(
            "{name: relay, module: {file: relay.wasm, instances: {max: 16}}}, \
             {name: other, module: {file: other.wasm, instances: {max: 16}}}",
            &[("relay", "other"), ("other", "relay")])),
        Step::Start,
        get("places", "/Oslo").is(502, "E_DEPTH"),
    ];

    /// Only actors are called by providers.
    a_module_that_is_bound_as_an_actor = [
        actor("places", built("places")).cap("demo:geo"),
        provider("relay", relay()).cap("wascc:http_server"),
        Step::manifest(format!("{}  - {{actor: relay, capability: 'wascc:http_server'}}\n",
            relayed("{module: relay.wasm}", &[]))),
        Step::Ends(&["--check"], 6, &["`relay` is a provider, and wascc:http_server brings calls",
            "1 problem"]),
        provider("places", relay()).cap("demo:geo"),
        Step::manifest("actors: []\nproviders: [{module: places.wasm}]\n"),
        Step::Ends(&["--check"], 0, &["ok"]),
    ];

    /// A file that changes takes the place of what runs; an older revision does not.
    a_module_that_is_replaced = [
        actor("places", built("places")).cap("demo:geo"),
        provider("geo", built("geo")).revision(2),
        Step::manifest(served_by("module: geo.wasm")),
        Step::Start,
        Step::LoadStartsAt("places", "/Oslo"),
        provider("geo", built("geo")).revision(3),
        Step::Log(&["replaced provider geo (geo) in another build"]),
        provider("geo", built("geo")).revision(1),
        Step::Log(&["E_REVISION", "revision 1 is older than 3"]),
        Step::LoadEnds,
    ];
}

/// A manifest in which this provider serves `places`.
fn served_by(provider: &str) -> String {
    format!(
        "
actors: [{{image: places.wasm, name: places}}]
providers:
  - builtin: http-server
  - {provider}
bindings:
  - {{actor: places, capability: 'wascc:http_server', values: {{PORT: 0}}}}
  - {{actor: places, capability: 'demo:geo'}}
"
    )
}

/// The same for calls that take long, and with more text.
fn drained(provider: &str, more: &str) -> String {
    let served =
        served_by(provider).replace("name: places}", "name: places, limits: {call_time: 60s}}");
    format!("{}{more}", served.replace("PORT: 0", "PORT: 0, REQUEST_TIME_MAX: 60s"))
}

/// A manifest in which `relay` serves `places`, with these bindings of providers.
fn relayed(providers: &str, bindings: &[(&str, &str)]) -> String {
    let bound = |(from, to): &(&str, &str)| {
        format!("  - {{actor: {from}, capability: 'demo:geo', provider: {to}}}\n")
    };
    let more: String = bindings.iter().map(bound).collect();
    format!(
        "
actors: [{{image: places.wasm, name: places}}]
providers: [{{builtin: http-server}}, {providers}]
bindings:
  - {{actor: places, capability: 'wascc:http_server', values: {{PORT: 0}}}}
  - {{actor: places, capability: 'demo:geo', provider: relay}}
{more}"
    )
}

fn program() -> String {
    format!("process: {}\n    name: geo", example_program("geo").display())
}
