//! Providers that are programs: started, asked, changed, and started again.

use trellis_e2e::{Step, actor, get};
use trellis_testkit::example_program;
use trellis_testkit::guests::built;

use crate::scenarios;

scenarios! {
    /// A program serves a contract that no host knows; its values are changed while it runs.
    a_provider_that_is_a_program = [
        actor("places", built("places")).cap("demo:geo"),
        Step::manifest(geo("")),
        Step::Ends(&["--check"], 0, &["ok"]),
        Step::Ends(&["--dry-run"], 0, &["start provider geo (geo)", "demo:geo at provider geo"]),
        Step::Start,
        get("places", "/Oslo").is(200, "\"latitude\":59.9139"),
        get("places", "/Rome").is(502, "E_GUEST"),
        Step::Log(&["E_NOT_FOUND: no place `Rome` is known; known are: Berlin, Lima, Oslo"]),
        Step::manifest(geo("PLACES: 'Rome=41.9,12.5'")),
        Step::Log(&["replaced provider geo"]),
        get("places", "/Rome").is(200, "\"longitude\":12.5"),
        Step::Admin("/metrics", 200, "trellis_provider_process_up{provider=\"geo\"} 1"),
    ];

    /// The same provider, written in three languages: each takes the place of the one before.
    one_provider_in_three_languages = [
        actor("places", built("places")).cap("demo:geo"),
        Step::manifest(geo(ROME)),
        Step::Start,
        get("places", "/Rome").is(200, "{\"latitude\":41.0,\"longitude\":12.5,\"name\":\"Rome\"}"),
        Step::manifest(written_in("python/.venv/bin/python", "python/examples/geo.py", ROME)),
        Step::Ends(&["--check"], 0, &["ok"]),
        Step::Log(&["replaced provider geo (geo) in another build"]),
        get("places", "/Rome").is(200, "{\"latitude\":41.0,\"longitude\":12.5,\"name\":\"Rome\"}"),
        get("places", "/Utopia").is(502, "E_GUEST"),
        Step::Log(&["E_NOT_FOUND: no place `Utopia` is known; known are: Berlin, Lima, Oslo, Rome"]),
        Step::manifest(written_in("node", "node/examples/geo.mjs", "PLACES: 'x=91,0'")),
        Step::Ends(&["--check"], 6, &["PLACES has an entry that is no place", "1 problem"]),
        Step::manifest(written_in("node", "node/examples/geo.mjs", ROME)),
        Step::Log(&["replaced provider geo (geo) in another build"]),
        get("places", "/Rome").is(200, "{\"latitude\":41.0,\"longitude\":12.5,\"name\":\"Rome\"}"),
        get("places", "/Atlantis").is(502, "E_GUEST"),
        Step::Log(&["no place `Atlantis` is known; known are: Berlin, Lima, Oslo, Rome"]),
        Step::Admin("/metrics", 200, "trellis_program_geo_lookups_total{provider=\"geo\"}"),
    ];

    /// The example is what `trellis new provider --lang rust` makes.
    a_provider_as_it_is_made_anew = [
        Step::manifest(bell("Ahoy")),
        Step::Ends(&["--check"], 0, &["ok"]),
        Step::manifest(bell("Ahoy there")),
        Step::Ends(&["--check"], 6, &["WORD must be one word of letters", "1 problem"]),
    ];

    /// What is wrong with its values is said before it is changed, or keeps what runs.
    a_program_with_wrong_values = [
        actor("places", built("places")).cap("demo:geo"),
        Step::manifest(geo("PLACE: 'Rome=41.9,12.5'")),
        Step::Ends(&["--check"], 6, &["unknown value `PLACE`", "did you mean `PLACES`"]),
        Step::manifest(geo("PLACES: nowhere")),
        Step::Ends(&["--check"], 6, &["PLACES has an entry that is no place", "LATITUDE", "1 problem"]),
        Step::manifest(geo("")),
        Step::Start,
        Step::manifest(geo("PLACES: nowhere")),
        Step::Log(&["E_CONFIG", "PLACES has an entry that is no place"]),
        Step::Admin("/readyz", 200, "PLACES has an entry that is no place"),
        get("places", "/Oslo").is(200, "59.9139"),
        Step::manifest(geo("PLACES: 'Rome=41.9,12.5'")),
        Step::Soon(Box::new(get("places", "/Rome").is(200, "12.5"))),
    ];

    /// A program that is of no use is told with what it wrote, and nothing else is.
    a_program_that_is_no_provider = [
        actor("places", built("places")).cap("demo:geo"),
        Step::manifest(program("{process: {command: sh, args: [-c, 'echo error: no license; exit 3']}}")),
        Step::Ends(&["--check"], 6, &["exit status: 3", "wrote: error: no license", "1 problem"]),
        Step::manifest(program("process: ./no-such-program")),
        Step::Ends(&["--check"], 6, &["there is no program `./no-such-program`", "1 problem"]),
        Step::manifest(program("process: ./places.wasm")),
        Step::Ends(&["--check"], 6, &["may not be executed", "chmod +x", "1 problem"]),
        Step::manifest(program("process: places.wasm")),
        Step::Ends(&["--check"], 6, &["did you mean `./places.wasm`?", "1 problem"]),
        Step::manifest(program("process: sh -c true")),
        Step::Ends(&["--check"], 6, &["`process: {command: sh, args: [-c, true]}`", "1 problem"]),
        Step::manifest(program("{process: {command: sh, folder: ./nowhere}}")),
        Step::Ends(&["--check"], 6, &["there is no folder", "nowhere", "1 problem"]),
        Step::manifest(program("{process: {command: sh, environment: [SECRET=canary]}}")),
        Step::Ends(&["--check"], 6, &["must be the name of a variable", "write `SECRET` alone"]),
        Step::manifest(program("{builtin: random, process: ./x}")),
        Step::Ends(&["--check"], 6, &["a provider is one of `builtin`, `process`, `archive`, `module` and `path`"]),
    ];
}

/// A manifest with the example provider, which has these values.
fn geo(values: &str) -> String {
    let geo = example_program("geo");
    program(&format!("process: {}\n    values: {{{values}}}", geo.display()))
}

const ROME: &str = "PLACES: 'Rome=41,12.5'";

/// A manifest with the same provider as a script of another language's SDK.
fn written_in(interpreter: &str, script: &str, values: &str) -> String {
    let sdks = concat!(env!("CARGO_MANIFEST_DIR"), "/../../providers/sdk");
    let interpreter = match interpreter {
        "node" => interpreter.to_owned(),
        file => format!("{sdks}/{file}"),
    };
    program(&format!(
        "process: {{command: {interpreter}, args: ['{sdks}/{script}']}}\n    \
         name: geo\n    values: {{{values}}}"
    ))
}

fn bell(word: &str) -> String {
    let program = example_program("new-provider");
    format!(
        "actors: []\nproviders: [{{process: {}, values: {{WORD: '{word}'}}}}]",
        program.display()
    )
}

/// A manifest with this provider.
fn program(provider: &str) -> String {
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
