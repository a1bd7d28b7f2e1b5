//! Manifests that load: the originals' forms, ours, and the examples.

use std::path::Path;
use std::time::Duration;

use trellis_limits::ActorLimits;
use trellis_manifest::{
    AdminScope, CacheSpec, Format, Isolation, Manifest, ProgramSpec, ProviderKind, ProviderSpec,
    SourceText, Spanned, read,
};

fn nothing_set(_: &str) -> Option<String> {
    None
}

fn parse(text: &str, format: Format) -> Manifest {
    let source = SourceText::new("app", text, format);
    read(&source, &nothing_set).unwrap_or_else(|report| panic!("{report}"))
}

#[test]
fn the_originals_load_as_they_are() {
    let wascc = parse(include_str!("originals/wascc-0.14.yaml"), Format::Yaml);
    insta::assert_debug_snapshot!("wascc_0_14", wascc);
    let json = parse(include_str!("originals/wascc-0.14.json"), Format::Json);
    insta::assert_debug_snapshot!("wascc_0_14_json", json);
    let wasmcloud = parse(include_str!("originals/wasmcloud-0.18.yaml"), Format::Yaml);
    insta::assert_debug_snapshot!("wasmcloud_0_18", wasmcloud);
}

#[test]
fn our_form_says_everything() {
    let manifest = parse(
        "
name: kvcounter
labels: {zone: a, count: 3}
trust: {issuers: [AONE, ATWO], revoked: [AOLD], unsigned: allow}
actors:
  - image: target/kvcounter.wasm
    name: counter
    instances: {min: 1, max: 8}
    isolation: fresh
    limits: {memory: 16MiB, call_time: 250ms, payload_bytes: 64KiB, host_calls_per_call: 10}
    values: {BASE_URL: https://example.org/, RETRIES: 3, EMPTY: ''}
  - other.wasm
providers:
  - builtin: http-server
  - {builtin: keyvalue-embedded, name: store, values: {PATH: data/counter.redb}}
bindings:
  - {actor: counter, capability: wascc:http_server, values: {PORT: 8081}}
  - {actor: counter, capability: wascc:keyvalue, name: hits, provider: store}
host: {admin: '127.0.0.1:9464', drain: 10s, cache: off, calls: open}
",
        Format::Yaml,
    );
    let counter = &manifest.actors[0];
    assert_eq!((counter.id(), counter.isolation), ("counter", Isolation::Fresh));
    let values: Vec<_> = counter.values.iter().map(|(key, text)| (&***key, &***text)).collect();
    assert_eq!(values, [("BASE_URL", "https://example.org/"), ("RETRIES", "3"), ("EMPTY", "")]);
    assert!(manifest.actors[1].values.is_empty());
    let limits = ActorLimits {
        memory_bytes_max: 16 << 20,
        call_time_max: Duration::from_millis(250),
        payload_bytes_max: 64 << 10,
        host_calls_per_call_max: 10,
        instances_min: 1,
        instances_max: 8,
        queue_max: 16,
        ..ActorLimits::default()
    };
    assert_eq!(counter.limits, limits);
    assert_eq!(manifest.actors[1].id(), "other.wasm");
    assert_eq!(manifest.actors[1].limits, ActorLimits::default());
    assert_eq!(manifest.bindings[0].values[0].1.as_str(), "8081");
    assert_eq!(manifest.bindings[1].id(), ("counter", "wascc:keyvalue", "hits"));
    assert_eq!(manifest.bindings[1].provider.as_ref().map(|it| it.as_str()), Some("store"));
    assert!(manifest.trust.unsigned);
    assert_eq!(manifest.trust.issuers.len() + manifest.trust.revoked.len(), 3);
    assert_eq!(manifest.host.drain, Duration::from_secs(10));
    assert_eq!(manifest.host.admin.map(|it| it.port()), Some(9464));
    assert_eq!(manifest.host.cache, CacheSpec::Off);
    assert!(manifest.host.open_calls);
}

#[test]
fn the_admin_address_may_have_users() {
    let host = |written: &str| {
        parse(&format!("actors: []\nhost: {{admin: {written}}}\n"), Format::Yaml).host
    };
    let with =
        host("{address: '[::1]:9464', users: [{key: UA, scope: read}, {key: UB, scope: admin}]}");
    assert_eq!(with.admin.map(|it| it.port()), Some(9464));
    let users = with.admin_users.iter().map(|user| (user.key.as_str(), user.scope));
    let users: Vec<_> = users.collect();
    assert_eq!(users, [("UA", AdminScope::Read), ("UB", AdminScope::Admin)]);
    // The address may be the command line's.
    let without = host("{users: [{key: UA, scope: operate}]}");
    assert_eq!((without.admin, without.admin_users.len()), (None, 1));
    // A list that was cut off takes access away, and gives none.
    assert!(host("{address: '[::1]:1', users: }").admin_users.is_empty());
}

#[test]
fn the_cache_is_switched_off_by_every_word_for_it() {
    let cache = |written: &str| {
        parse(&format!("actors: []\nhost: {{cache: {written}}}\n"), Format::Yaml).host.cache
    };
    for word in ["off", "Off", "false", "FALSE", "no", "\"no\""] {
        assert_eq!(cache(word), CacheSpec::Off, "{word}");
    }
    for folder in ["./off", "official", "nowhere/on"] {
        assert!(matches!(cache(folder), CacheSpec::Dir(path) if *path == *folder), "{folder}");
    }
}

#[test]
fn an_archive_is_a_program_in_a_file() {
    let manifest = parse(
        "
actors: []
providers:
  - archive: a/geo.par
  - archive: {file: maps.par.gz, args: [--fast], environment: [HOME], limits: {memory: 1MiB}}
  - {path: ./telnet.par, binding_name: far}
  - {path: ./httpserver.par.gz}
",
        Format::Yaml,
    );
    let [geo, maps, telnet, http] = &manifest.providers[..] else { panic!("{manifest:#?}") };
    let program = |provider: &Spanned<ProviderSpec>| match &provider.value.kind {
        ProviderKind::Process(process) => (**process).clone(),
        other => panic!("{other:?}"),
    };
    let is_archive = |provider, file: &str| {
        let program = program(provider).program;
        matches!(program, ProgramSpec::Archive(named) if *named == *file)
    };
    assert!(is_archive(geo, "a/geo.par") && is_archive(telnet, "./telnet.par"));
    assert!(is_archive(maps, "maps.par.gz"));
    assert_eq!(program(maps).args, ["--fast"]);
    assert_eq!(program(maps).limits.memory_bytes_max, Some(1 << 20));
    let names: Vec<_> = manifest.providers.iter().map(|it| it.value.name.as_str()).collect();
    assert_eq!(names, ["geo", "maps", "telnet/far", "http-server"]);
    assert_eq!(telnet.value.binding_name.as_ref().map(|it| it.as_str()), Some("far"));
    assert!(matches!(&http.value.kind, ProviderKind::Builtin(name) if **name == *"http-server"));
}

#[test]
fn a_module_is_called_as_its_file_or_its_image() {
    let named = ["geo.wasm", "build/geo", "localhost:5000/team/geo:1.2", "ghcr.io/geo@sha256:0a"];
    for file in named {
        let text = format!("actors: []\nproviders: [{{module: '{file}'}}]\n");
        assert_eq!(&*parse(&text, Format::Yaml).providers[0].value.name.value, "geo", "{file}");
    }
}

#[test]
fn the_environment_fills_in_values_and_never_structure() {
    let env = |name: &str| match name {
        "MAX" => Some("4".to_owned()),
        "EVIL" => Some("x}, {image: evil.wasm".to_owned()),
        _ => None,
    };
    let text = "actors: [{image: ${EVIL}, instances: {max: ${MAX}}, name: ${NAME:a b}}]\n";
    for (text, format) in [
        (text.to_owned(), Format::Yaml),
        (
            r#"{"actors": [{"image": "${EVIL}", "instances": {"max": "${MAX}"}, "name": "${NAME:a b}"}]}"#
                .to_owned(),
            Format::Json,
        ),
    ] {
        let manifest = read(&SourceText::new("app", text, format), &env).expect("it is right");
        assert_eq!(manifest.actors.len(), 1);
        assert_eq!(manifest.actors[0].image.as_str(), "x}, {image: evil.wasm");
        assert_eq!(manifest.actors[0].limits.instances_max, 4);
        assert_eq!(manifest.actors[0].id(), "a b");
    }
}

#[test]
fn aliases_repeat_values() {
    let manifest = parse(
        "
actors:
  - {image: a.wasm, limits: &small {memory: 1MiB}}
  - {image: b.wasm, limits: *small}
",
        Format::Yaml,
    );
    assert_eq!(manifest.actors[0].limits, manifest.actors[1].limits);
    assert_eq!(manifest.actors[1].limits.memory_bytes_max, 1 << 20);
}

#[test]
fn spans_point_at_the_text_whatever_stands_before_them() {
    let text = "\u{feff}# é€😀\r\nname: ${X:é}\r\nactors: [\"é.wasm\"]\r\n";
    let manifest = parse(text, Format::Yaml);
    let span = manifest.actors[0].image.span;
    assert_eq!(&text[span.start..span.start + span.len], "\"é.wasm\"");
    let json = "{\"name\": \"${X:é}\",\n\t\"actors\": [ \"é.wasm\" ]}";
    let manifest = parse(json, Format::Json);
    let span = manifest.actors[0].image.span;
    assert_eq!(&json[span.start..span.start + span.len], "\"é.wasm\"");
}

#[test]
fn the_examples_load() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests");
    let mut seen = 0;
    for entry in std::fs::read_dir(&folder).expect("the folder of examples is there") {
        let path = entry.expect("it can be listed").path();
        let name = path.file_name().expect("it is a file").to_string_lossy().into_owned();
        if !name.ends_with(".yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("it can be read");
        let manifest = parse(&text, Format::of_path(&path));
        assert_eq!(manifest.name.map(|it| it.value + ".yaml"), Some(name));
        seen += 1;
    }
    assert!(seen >= 4, "the examples are gone");
}

#[test]
fn telemetry_says_where_it_goes() {
    let written = |keys: &str| format!("actors: []\nhost: {{telemetry: {{{keys}}}}}");
    let all = "endpoint: 'https://otlp.example:4318/base', headers: {api-key: a=b}, service: app, \
               attributes: {team: a}, sampled: 0.05";
    let spec = parse(&written(all), Format::Yaml).host.telemetry.expect("it is there");
    assert_eq!(*spec.endpoint, "https://otlp.example:4318/base");
    let pair =
        |(name, value): &(Spanned<String>, Spanned<String>)| format!("{}={}", **name, **value);
    assert_eq!(spec.headers.iter().map(pair).collect::<Vec<_>>(), ["api-key=a=b"]);
    assert_eq!(spec.attributes.iter().map(pair).collect::<Vec<_>>(), ["team=a"]);
    assert_eq!(spec.service.as_ref().map(|it| it.as_str()), Some("app"));
    assert_eq!(spec.sampled_millionths, Some(50_000));
    assert_eq!(parse("actors: []", Format::Yaml).host.telemetry, None);
    for wrong in [
        "service: a",
        "endpoint: 'otlp:4318'",
        "endpoint: 'http://'",
        "endpoint: 'http://a', sampled: 1.01",
        "endpoint: 'http://a', sampled: nan",
        "endpoint: 'http://a', headers: [a]",
        "endpoint: 'http://a', protocol: grpc",
    ] {
        let source = SourceText::new("app", written(wrong), Format::Yaml);
        read(&source, &nothing_set).expect_err(wrong);
    }
}
