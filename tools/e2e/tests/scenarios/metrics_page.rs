//! The page of metrics: everything that a host shows is on it.

use std::collections::BTreeMap;

use trellis_claims::{Clock, SystemClock};
use trellis_e2e::hostile::harmless;
use trellis_testkit::guests::built;
use trellis_testkit::redis::RedisServer;
use trellis_testkit::{Client, HostProcess, Site};

const MANIFEST: &str = "
actors: [{image: kvcounter.wasm, name: kvcounter}, {image: other.wasm, name: other}]
providers:
  - {builtin: http-server}
  - {builtin: keyvalue-embedded, values: {PATH: counts.redb}}
  - {builtin: keyvalue-redis, values: {URL: '${REDIS_URL}'}}
bindings:
  - {actor: kvcounter, capability: 'wascc:http_server', values: {PORT: 0, ADDRESS: 127.0.0.1}}
  - {actor: kvcounter, capability: 'wascc:keyvalue', provider: keyvalue-embedded}
  - {actor: other, capability: 'wascc:http_server', values: {PORT: 0, ADDRESS: 127.0.0.1}}
  - {actor: other, capability: 'wascc:keyvalue', provider: keyvalue-redis}
";

/// The rows of the page's tables: name and type.
fn page() -> BTreeMap<String, String> {
    let text = include_str!("../../../../docs/metrics.md");
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split('|');
        let name = cells.next()?.trim().strip_suffix('`')?.to_owned();
        Some((name, cells.next()?.trim().to_owned()))
    };
    text.lines().filter_map(row).collect()
}

/// What `/metrics` declares: name and type.
fn shown(text: &str) -> BTreeMap<String, String> {
    let row = |line: &str| {
        let (name, kind) = line.strip_prefix("# TYPE trellis_")?.split_once(' ')?;
        let total = if kind == "counter" { "_total" } else { "" };
        Some((format!("{name}{total}"), kind.to_owned()))
    };
    text.lines().filter_map(row).collect()
}

#[test]
fn every_metric_is_on_the_page() {
    let (site, redis) = (Site::new(), RedisServer::start());
    let caps = ["wascc:http_server", "wascc:keyvalue"].map(str::to_owned);
    for (name, module) in [("kvcounter", built("kvcounter")), ("other", harmless())] {
        let mut draft = site.account().draft(name);
        draft.caps = caps.to_vec();
        draft.expires = Some(SystemClock.now_unix_s() + 1_000_000);
        site.put(&format!("app/{name}.wasm"), site.account().sign(&module, &draft));
    }
    site.put("app/manifest.yaml", MANIFEST);
    let mut command = site.host("app/manifest.yaml");
    // Nobody receives anything there; what is counted of that is on the page all the same.
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    let host = HostProcess::start(command.env("REDIS_URL", redis.url()));
    let host = host.unwrap_or_else(|ended| panic!("{ended:#?}"));
    let mut client = Client::new(host.address_of("kvcounter"));
    assert_eq!(client.send("GET", "/", b"").expect("an answer").status, 200);
    let text = host.ask("/metrics").expect("an answer").text();
    let (shown, page) = (shown(&text), page());
    assert!(shown.len() > 30, "{text}");
    let missing: Vec<_> =
        shown.iter().filter(|(name, kind)| page.get(*name) != Some(*kind)).collect();
    assert!(missing.is_empty(), "not on docs/metrics.md, or as another type: {missing:?}");
}
