//! A full disk: calls that write to it fail with a clear error, and nothing else is affected.

use trellis_e2e::{Disk, Step, actor, get};
use trellis_testkit::guests::built;

use crate::scenarios;

const MANIFEST: &str = "
actors: [{image: kvcounter.wasm, name: kvcounter}, {image: echo.wasm, name: echo}]
providers:
  - builtin: http-server
  - {builtin: keyvalue-embedded, values: {PATH: '${DISK}/counts.redb'}}
bindings:
  - {actor: kvcounter, capability: 'wascc:http_server', values: {PORT: 0}}
  - {actor: kvcounter, capability: 'wascc:keyvalue'}
  - {actor: echo, capability: 'wascc:http_server', values: {PORT: 0}}
";

scenarios! {
    /// Counting fails while nothing can be written, and works when there is room again.
    a_full_disk_while_running = [
        Disk::Small,
        actor("kvcounter", built("kvcounter")).cap("wascc:keyvalue"),
        actor("echo", built("echo")),
        Step::manifest(MANIFEST),
        Step::Start,
        get("kvcounter", "/a").is(200, "{\"counter\": 1}"),
        Disk::Full,
        get("kvcounter", "/b").is(503, "E_STORAGE").soon(),
        Step::Log(&["\"callee\":\"keyvalue-embedded\"", "E_STORAGE"]),
        Step::Metric("trellis_keyvalue_file_failures_total{provider=\"keyvalue-embedded\"}", 1.0),
        get("echo", "/").is(200, "hello"),
        Step::Admin("/readyz", 200, "ready"),
        Disk::Free,
        get("kvcounter", "/c").is(200, "{\"counter\": 1}"),
        get("kvcounter", "/a").is(200, "{\"counter\": 2}"),
    ];
}
