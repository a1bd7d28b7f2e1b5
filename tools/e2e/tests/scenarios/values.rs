//! The values of providers and bindings: a check, a start and a reload apply the same rules to
//! them.

use trellis_e2e::{Step, actor, app, get};
use trellis_testkit::guests::built;

use crate::scenarios;

const CHECK: &[&str] = &["--check"];

scenarios! {
    /// Errors that only the provider can see are all reported at once, before anything starts.
    values_only_the_provider_knows = [
        actor("kvcounter", built("kvcounter")).cap("wascc:keyvalue"),
        Step::manifest(WRONG),
        Step::Ends(CHECK, 6, &[
            "manifest.yaml:3:", "URL asks for TLS", "redis://",
            "manifest.yaml:4:", "PATH must name a file",
            "manifest.yaml:8:", "ADDRESS", "without brackets",
            "HOSTS holds a text that is no host name: `http://a.example`",
            "PATH must be a path prefix such as `/` or `/api`, not `api`",
            "METHODS", "HEADER_BYTES_MAX",
            "IDLE_TIME_MAX must be longer than 0",
        ]),
        Step::Ends(&[], 6, &["URL asks for TLS", "PATH must name a file", "ADDRESS", "METHODS"]),
        Step::manifest(ONE_PLACE),
        Step::Ends(CHECK, 6, &["manifest.yaml:5:", "two bindings of actor `kvcounter` both want"]),
        Step::Ends(&[], 6, &["two bindings of actor `kvcounter` both want"]),
    ];

    /// A wrong value is named where it stands, once, unless it comes from the environment.
    a_wrong_value_is_named = [
        actor("kvcounter", built("kvcounter")).cap("wascc:keyvalue"),
        Step::manifest(OUT_OF_RANGE),
        Step::Ends(CHECK, 6, &[
            "PORT must be a whole number from 0 to 65535, not `99999`",
            "manifest.yaml:4:66", "1 problem in",
        ]),
        Step::manifest(OUT_OF_RANGE.replace("PORT: 99999", "CONNECTIONS_MAX: '${ISSUER}'")),
        Step::Ends(CHECK, 6, &["CONNECTIONS_MAX must be a whole number from 1 to 1000000\n"]),
        Step::manifest(OUT_OF_RANGE.replace("PORT: 99999", "HOSTS: '${ISSUER}:80'")),
        Step::Ends(CHECK, 6, &["HOSTS holds a text that is no host name\n"]),
        Step::manifest(OUT_OF_RANGE.replace("PORT: 99999", "METHODS: GET POST")),
        Step::Ends(CHECK, 6, &["an actor can serve: `GET POST`", "by commas: `GET, POST`"]),
    ];

    /// The host's own admin address is not free for an actor.
    the_admin_address_is_taken = [
        actor("kvcounter", built("kvcounter")),
        Step::manifest(ADMIN_PORT),
        Step::Ends(&["--check", "--admin", "127.0.0.1:8099"], 6, &[
            "E_CONFIG", "manifest.yaml:4:", "wants 0.0.0.0:8099", "admin address is 127.0.0.1:8099",
            "choose another PORT",
        ]),
        Step::Ends(CHECK, 0, &["ok"]),
    ];

    /// Two servers never share an address; both are named before anything starts.
    two_servers_do_not_want_one_address = [
        actor("kvcounter", built("kvcounter")),
        Step::manifest(TWO_SERVERS),
        Step::Ends(CHECK, 6, &[
            "E_CONFIG", "manifest.yaml:7:",
            "actor `kvcounter` wants 127.0.0.1:8099 of provider `second`",
            "provider `first` serves actor", "`kvcounter` at 0.0.0.0:8099",
            "bind both actors to one provider",
        ]),
        Step::manifest(TWO_SERVERS.replace("127.0.0.1, PORT: 8099", "127.0.0.1, PORT: 8098")),
        Step::Ends(CHECK, 0, &["ok"]),
    ];

    /// A relative file path is relative to the manifest's folder, wherever the host was started.
    a_relative_path_starts_at_the_manifest = [
        actor("kvcounter", built("kvcounter")).cap("wascc:keyvalue"),
        Step::manifest(RELATIVE),
        Step::Start,
        Step::Log(&["the key-value file is open", "/app/deep/counts.redb"]),
        get("kvcounter", "/a").is(200, "{\"counter\": 1}"),
    ];

    /// A file that stays open keeps the cache it was opened with, and the log says so.
    another_cache_waits_for_the_next_start = [
        actor("kvcounter", built("kvcounter")).cap("wascc:keyvalue"),
        Step::manifest(RELATIVE),
        Step::Start,
        Step::manifest(RELATIVE.replace("counts.redb", "counts.redb, CACHE: 1MiB")),
        Step::Log(&["CACHE", "\"wanted\":1048576", "\"in_force\":67108864", "next start"]),
        Step::Metric("trellis_keyvalue_file_cache_bytes{provider=\"keyvalue-embedded\"}", 67_108_864.0),
        get("kvcounter", "/a").is(200, "{\"counter\": 1}"),
    ];

    /// Keys in a file are out of sight once no file is named, and the log says where they are.
    a_file_that_is_no_longer_named = [
        actor("kvcounter", built("kvcounter")).cap("wascc:keyvalue"),
        Step::manifest(RELATIVE),
        Step::Start,
        get("kvcounter", "/a").is(200, "{\"counter\": 1}"),
        Step::manifest(RELATIVE.replace("{PATH: deep/counts.redb}", "{}")),
        Step::Log(&["replaced provider keyvalue-embedded (keyvalue-embedded) without PATH"]),
        Step::Log(&[
            "WARN", "goes on without the keys that it had", "/app/deep/counts.redb",
            "(keyvalue-embedded: memory)", "trellis rollback",
        ]),
        get("kvcounter", "/a").is(200, "{\"counter\": 1}"),
        Step::manifest(RELATIVE),
        Step::Log(&["replaced provider keyvalue-embedded (keyvalue-embedded) with PATH"]),
        get("kvcounter", "/a").is(200, "{\"counter\": 2}"),
    ];

    /// If one binding has a wrong value, nothing of the manifest is applied.
    a_wrong_value_while_running = [
        actor("echo", built("echo")),
        actor("other", built("echo")),
        app(&[("echo", ""), ("other", "")]),
        Step::Start,
        get("other", "/").is(200, "hello"),
        Step::manifest(HOSTS_WRONG),
        Step::Log(&["the manifest was not applied", "HOSTS"]),
        get("other", "/").is(200, "hello"),
        get("echo", "/").is(200, "hello"),
    ];
}

const WRONG: &str = "actors: [{image: kvcounter.wasm, name: kvcounter}]
providers:
  - {builtin: keyvalue-redis, values: {URL: 'rediss://127.0.0.1'}}
  - {builtin: keyvalue-embedded, values: {PATH: 'folder/'}}
  - builtin: http-server
bindings:
  - {actor: kvcounter, capability: 'wascc:keyvalue', provider: keyvalue-redis}
  - {actor: kvcounter, capability: 'wascc:http_server', values: {ADDRESS: '[::1]',
     HOSTS: 'http://a.example', PATH: api, METHODS: 'GE T', HEADER_BYTES_MAX: 10,
     IDLE_TIME_MAX: 0s}}
";

const OUT_OF_RANGE: &str = "actors: [{image: kvcounter.wasm, name: kvcounter}]
providers: [{builtin: http-server}]
bindings:
  - {actor: kvcounter, capability: 'wascc:http_server', values: {PORT: 99999}}
";

const ADMIN_PORT: &str = "actors: [{image: kvcounter.wasm, name: kvcounter}]
providers: [{builtin: http-server}]
bindings:
  - {actor: kvcounter, capability: 'wascc:http_server', values: {PORT: 8099}}
";

const TWO_SERVERS: &str = "actors: [{image: kvcounter.wasm, name: kvcounter}]
providers: [{builtin: http-server, name: first}, {builtin: http-server, name: second}]
bindings:
  - {actor: kvcounter, capability: 'wascc:http_server', provider: first,
     values: {PORT: 8099}}
  - {actor: kvcounter, capability: 'wascc:http_server', provider: second, name: b,
     values: {ADDRESS: 127.0.0.1, PORT: 8099}}
";

const ONE_PLACE: &str = "actors: [{image: kvcounter.wasm, name: kvcounter}]
providers: [{builtin: http-server, values: {PORT: 8080}}]
bindings:
  - {actor: kvcounter, capability: 'wascc:http_server'}
  - {actor: kvcounter, capability: 'wascc:http_server', name: b}
";

const RELATIVE: &str = "actors: [{image: kvcounter.wasm, name: kvcounter}]
providers:
  - builtin: http-server
  - {builtin: keyvalue-embedded, values: {PATH: deep/counts.redb}}
bindings:
  - {actor: kvcounter, capability: 'wascc:http_server', values: {PORT: 0}}
  - {actor: kvcounter, capability: 'wascc:keyvalue'}
";

const HOSTS_WRONG: &str = "actors: [{image: echo.wasm, name: echo}]
providers: [{builtin: http-server, values: {ADDRESS: 127.0.0.1}}]
bindings:
  - {actor: echo, capability: 'wascc:http_server', values: {PORT: 0, HOSTS: 'http://a.example'}}
";
