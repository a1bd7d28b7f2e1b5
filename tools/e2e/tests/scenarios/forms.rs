//! Actors whose SDK is of another time: what they ask for takes the same road.

use trellis_e2e::forms::counting;
use trellis_e2e::{Step, actor, get};

use crate::scenarios;

scenarios! {
    /// Each form of the host call reaches the store, and each is refused what it does not claim.
    a_host_call_of_any_form = [
        actor("eight", counting(8)).cap("wascc:keyvalue"),
        actor("six", counting(6)).cap("wascc:keyvalue"),
        actor("four", counting(4)).cap("wascc:keyvalue"),
        actor("unclaimed-six", counting(6)),
        actor("unclaimed-four", counting(4)),
        Step::manifest(MANIFEST),
        Step::Start,
        get("eight", "/").is(200, "ok"),
        get("six", "/").is(200, "ok"),
        get("four", "/").is(200, "ok"),
        Step::Metric(STORED, 3.0),
        Step::Remember(STORED),
        get("unclaimed-six", "/").is(502, "E_GUEST"),
        get("unclaimed-four", "/").is(502, "E_GUEST"),
        Step::Log(&["\"target\":\"audit\"", "\"event\":\"denied\"", "unclaimed-six", "Add"]),
        Step::Log(&["\"target\":\"audit\"", "\"event\":\"denied\"", "unclaimed-four", "Add"]),
        Step::Unchanged(STORED),
    ];
}

const STORED: &str = "trellis_call_duration_seconds_count{target=\"keyvalue-embedded\"}";

const MANIFEST: &str = "
actors:
  - {image: eight.wasm, name: eight}
  - {image: six.wasm, name: six}
  - {image: four.wasm, name: four}
  - {image: unclaimed-six.wasm, name: unclaimed-six}
  - {image: unclaimed-four.wasm, name: unclaimed-four}
providers:
  - builtin: http-server
  - builtin: keyvalue-embedded
bindings:
  - {actor: eight, capability: 'wascc:http_server', values: {PORT: 0, ADDRESS: 127.0.0.1}}
  - {actor: six, capability: 'wascc:http_server', values: {PORT: 0, ADDRESS: 127.0.0.1}}
  - {actor: four, capability: 'wascc:http_server', values: {PORT: 0, ADDRESS: 127.0.0.1}}
  - {actor: unclaimed-six, capability: 'wascc:http_server', values: {PORT: 0, ADDRESS: 127.0.0.1}}
  - {actor: unclaimed-four, capability: 'wascc:http_server', values: {PORT: 0, ADDRESS: 127.0.0.1}}
  - {actor: eight, capability: 'wascc:keyvalue'}
  - {actor: six, capability: 'wascc:keyvalue'}
  - {actor: four, capability: 'wascc:keyvalue'}
";
