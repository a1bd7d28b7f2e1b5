//! The JSON schema of manifests, for editors.

use serde_json::Value as Json;

use crate::form::Form;
use crate::shape::Root;

/// The schema, made from the declarations the reader itself uses.
///
/// It knows the form of a manifest, not whether its parts fit together: what it refuses [`read`]
/// refuses, not the other way round.
///
/// [`read`]: crate::read
#[must_use]
pub fn json_schema() -> Json {
    let mut schema = Root::schema();
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "Trellis manifest".into();
    schema
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use serde_json::json;

    use super::*;
    use crate::parse::parse;
    use crate::report::Problems;
    use crate::source::{Format, SourceText};
    use crate::tree::{Node, Value};

    fn manifests() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests")
    }

    /// The manifest as an editor hands it to a schema: nothing expanded.
    fn as_json(text: &str) -> Json {
        let source = SourceText::new("app.yaml", text.replace("${", "$${"), Format::Yaml);
        let root = parse(&source, &|_| None, &mut Problems::default());
        untyped(&root.expect("the text is YAML"))
    }

    fn untyped(node: &Node) -> Json {
        match &node.value {
            Value::Null | Value::Unknown => Json::Null,
            Value::Scalar { text, .. } => {
                text.parse::<i64>().map_or_else(|_| json!(text), Json::from)
            }
            Value::Sequence(items) => items.iter().map(|item| untyped(item)).collect(),
            Value::Mapping(entries) => {
                entries.iter().map(|(key, value)| (key.value.clone(), untyped(value))).collect()
            }
        }
    }

    #[test]
    fn the_file_for_editors_is_current() {
        let written = std::fs::read_to_string(manifests().join("schema.json")).unwrap_or_default();
        assert_eq!(written, format!("{:#}\n", json_schema()), "run `cargo xtask generate`");
    }

    #[test]
    fn accepts_what_the_reader_accepts() {
        let schema = jsonschema::validator_for(&json_schema()).expect("it is a schema");
        let examples: Vec<_> = (std::fs::read_dir(manifests()).expect("the examples"))
            .map(|entry| entry.expect("a file").path())
            .filter(|path| path.extension().is_some_and(|it| it == "yaml"))
            .map(|path| std::fs::read_to_string(path).expect("an example is text"))
            .collect();
        assert!(examples.len() >= 4, "manifests/ holds the examples");
        let others = [
            include_str!("../tests/originals/wascc-0.14.yaml"),
            include_str!("../tests/originals/wasmcloud-0.18.yaml"),
            "actors: [{image: a, instances: {max: 3}, limits: {memory: 16MiB, queue: 0}}]",
            "actors: [{image: a, instances: {max: '${MAX}'}, limits: {call_time: '${T:5s}'}}]",
            "actors: []\nhost: {admin: '[::1]:9464', drain: 5, cache: off}\ntrust: {unsigned: allow}",
            "actors: []\nhost: {cache: false, socket: run/app.sock}",
            "actors: []\nhost: {admin: {address: '[::1]:9464', users: [{key: UA, scope: operate}]}}",
            "actors: []\nhost: {admin: {users: []}}",
            "actors: []\nhost: {telemetry: {endpoint: 'http://a:4318', sampled: 0.25}}",
            "actors: []\nhost: {telemetry: {endpoint: '${TO}', headers: {k: '${KEY}'}, sampled: '1'}}",
            "actors: []\nhost: {instances_total: 20, modules_resident: '${M:5}'}",
            "actors: [{image: a, isolation: '${ISOLATION:fresh}', values: {A: 1, b c: ''}}]",
            "actors: []\nregistries: {'localhost:5000': {insecure: true}, b: {insecure: 'Off'}, c: {}}",
            "actors: []\nlabels:\nname:\nhost: {host_calls_in_flight: 1}",
        ];
        for text in examples.iter().map(String::as_str).chain(others) {
            if let Err(error) = schema.validate(&as_json(text)) {
                panic!("{error} at {} in:\n{text}", error.instance_path());
            }
        }
    }

    #[test]
    fn refuses_what_the_reader_refuses() {
        let schema = jsonschema::validator_for(&json_schema()).expect("it is a schema");
        for text in [
            "- a.wasm",
            "actor: []",
            "actors: {}",
            "actors: [{name: a}]",
            "actors: [{image: a, limits: {memry: 1}}]",
            "actors: [{image: a, limits: {memory: 64 potatoes}}]",
            "actors: [{image: a, instances: {max: 0}}]",
            "actors: [{image: a, isolation: shared}]",
            "actors: [{image: a, values: {A: [1]}}]",
            "name: a",
            "actors:",
            "actors: []\nproviders:",
            "actors: []\nbindings: [{actor: a}]",
            "actors: []\nbindings: [{actor: a, capability: c, values: {URLS: [a]}}]",
            "actors: []\nbindings:",
            "actors: []\ntrust:",
            "actors: []\ntrust: {}",
            "actors: []\ntrust: {revoked: }",
            "actors: []\ntrust: {unsigned: yes}",
            "actors: []\nhost: {admin: nowhere}",
            "actors: []\nhost: {admin: {users: [UA]}}",
            "actors: []\nhost: {admin: {users: [{key: UA}]}}",
            "actors: []\nhost: {admin: {users: [{key: UA, scope: root}]}}",
            "actors: []\nhost: {instances_total: 0}",
            "actors: []\nhost: {telemetry: {}}",
            "actors: []\nhost: {telemetry: {endpoint: 'a:4318'}}",
            "actors: []\nhost: {telemetry: {endpoint: 'http://a', sampled: 2}}",
            "actors: []\nhost: {cache: true}",
            "actors: []\nhost: {cache: 'On'}",
            "actors: []\nhost: {socket: yes}",
            "actors: []\nregistries: {'localhost:5000': true}",
            "actors: []\nregistries: {'localhost:5000': {insecure: maybe}}",
            "actors: []\nregistries: [localhost]",
        ] {
            assert!(!schema.is_valid(&as_json(text)), "{text}");
        }
    }
}
