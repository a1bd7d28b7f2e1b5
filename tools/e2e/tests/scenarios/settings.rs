//! What an actor gets without a binding: clocks, randomness, settings.

use trellis_e2e::{Change, Step, actor, get};
use trellis_testkit::guests::built;

use crate::scenarios;

/// All instances that were ever made: a restarted actor would need a new one.
const INSTANCES: &str = "trellis_instances_created_total";

/// The actor that uses all three.
fn ticket() -> Change {
    let ticket = actor("ticket", built("ticket"));
    let ticket = ["trellis:clock", "trellis:random", "trellis:config"]
        .into_iter()
        .fold(ticket, |ticket, contract| ticket.cap(contract));
    Change::Actor(ticket)
}

/// A manifest that gives the actor these values.
fn app(values: &str) -> Step {
    Step::manifest(format!(
        "providers: [{{builtin: http-server}}]
bindings: [{{actor: ticket, capability: 'wascc:http_server', values: {{PORT: 0}}}}]
actors:
  - image: ticket.wasm
    name: ticket
    values: {values}
"
    ))
}

scenarios! {
    /// The claims are enough, and changed values reach the running actor.
    settings_change_while_the_actor_runs = [
        Step::Do(ticket()),
        app("{TITLE: bakery}"),
        Step::Ends(&["--check"], 0, &["ok"]),
        Step::Start,
        get("ticket", "/").is(200, "\"title\": \"bakery\""),
        get("ticket", "/").is(200, "\"served\": 2"),
        Step::Remember(INSTANCES),
        app("{TITLE: butcher, OTHER: x}"),
        get("ticket", "/").is(200, "\"title\": \"butcher\"").soon(),
        Step::Unchanged(INSTANCES),
        app("{}"),
        get("ticket", "/").is(200, "\"title\": \"ticket\"").soon(),
        Step::Unchanged(INSTANCES),
    ];

    /// Settings that the actor cannot read are an error with a place.
    settings_of_an_actor_that_may_not_read_them = [
        actor("ticket", built("ticket")).cap("trellis:clock"),
        app("{TITLE: bakery}"),
        Step::Ends(&["--check"], 4, &[
            "manifest.yaml:6:14",
            "actor `ticket` cannot read its `values`: its claims do not list trellis:config",
            "--cap trellis:config",
        ]),
        app("{}"),
        Step::Ends(&["--check"], 0, &["ok"]),
        Step::Start,
        get("ticket", "/").is(502, "E_GUEST"),
        Step::Log(&["E_DENIED", "trellis:config"]),
    ];

    /// A binding in the manifest adds to the actor's values and overrides them.
    settings_of_a_written_binding_win = [
        Step::Do(ticket()),
        Step::manifest(WRITTEN),
        Step::Start,
        get("ticket", "/").is(200, "\"title\": \"by binding\""),
    ];
}

const WRITTEN: &str =
    "actors: [{image: ticket.wasm, name: ticket, values: {TITLE: by actor, OTHER: x}}]
providers: [{builtin: http-server}, {builtin: config}]
bindings:
  - {actor: ticket, capability: 'wascc:http_server', values: {PORT: 0}}
  - {actor: ticket, capability: 'trellis:config', values: {TITLE: by binding}}
";
