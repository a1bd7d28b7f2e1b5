//! Revocations in manifests that are wrong elsewhere.

use trellis_manifest::{Format, ReadableTrust, SourceText, read, readable_trust};

const ISSUER: &str = "ACOJJN6WUP4ODD75XEBKKTCCUJJCY5ZKQ56XVKYK4BEJWGVAOOQHZMCW";
const ONE: &str = "MB4OLDIC3TCZ4Q4TGGOVAZC43VXFE2JQVRAXQMQFXUCREOOFEKOKZTY2";
const TWO: &str = "AALKRTLFYHSVXRVBKBZXT5YMI6CNVF3RDZVVS3WZFXNIOXUQDMVCY2MP";

fn env(name: &str) -> Option<String> {
    match name {
        "LEAKED" => Some(ONE.to_owned()),
        "SECRET" => Some("hunter2".to_owned()),
        _ => None,
    }
}

fn readable(name: &str, text: &str) -> ReadableTrust {
    readable_trust(&SourceText::new(name, text, Format::of_path(name.as_ref())), &env)
}

fn fill(text: &str) -> String {
    text.replace("ISSUER", ISSUER).replace("ONE", ONE).replace("TWO", TWO)
}

#[track_caller]
fn revoked(name: &str, text: &str) -> Vec<String> {
    let text = fill(text);
    let source = SourceText::new(name, text.as_str(), Format::of_path(name.as_ref()));
    assert!(read(&source, &env).is_err(), "this should be wrong:\n{text}");
    let found = readable(name, &text).revoked;
    found
        .into_iter()
        .map(|key| {
            let written = &text[key.span.start..key.span.start + key.span.len];
            let place = written.contains(key.as_str()) || written.contains("${");
            assert!(place, "{key} is not at {written}");
            if *key == *ONE { "ONE" } else { "TWO" }.to_owned()
        })
        .collect()
}

#[test]
fn a_mistake_elsewhere_loses_no_revocation() {
    let both = ["TWO", "ONE"];
    for (name, text) in [
        ("typo.yaml", "trust: {issuers: [ISSUER], revoked: [ONE, TWO]}\nactrs: []\n"),
        ("unset.yaml", "name: ${UNSET}\ntrust:\n  revoked: [ONE, TWO]\n"),
        ("variable.yaml", "trust: {revoked: ['${LEAKED}', TWO]}\nactors: {}\n"),
        ("malformed-key.yaml", "trust: {revoked: [ONE, ANOTHER, TWO, '${UNSET}', [], 7]}\nx: 1\n"),
        ("issuer.yaml", "trust: {issuers: 7, revoked: [ONE, TWO]}\n"),
        ("syntax-after.yaml", "trust:\n  revoked:\n  - ONE\n  - TWO # why\n\nactors: [\n"),
        (
            "syntax-before.yaml",
            "name: \"a\nactors: [x\n\ntrust:\n  revoked: [\n    ONE,\n  TWO ]\n",
        ),
        ("tab.yaml", "trust:\n\trevoked:\n\t- ONE\n\t# and\n\t- TWO\n\tissuers: [ISSUER]\n"),
        ("unclosed.yaml", "trust:\n  revoked: [ONE, TWO\n  issuers: [ISSUER]\n"),
        ("unclosed-line.yaml", "trust: {revoked: [ONE, TWO, issuers: [ISSUER]}\n"),
        ("control.yaml", "name: a\u{1b}\ntrust: {revoked: [ONE, TWO]}\n"),
        ("twice.yaml", "trust: {revoked: [ONE]}\nactors: []\ntrust: {revoked: [TWO]}\n"),
        ("twice-inside.yaml", "trust:\n  revoked: [ONE]\n  revoked: [TWO]\n"),
        ("documents.yaml", "name: a\n---\ntrust: {revoked: [ONE, TWO]}\n"),
        ("comma.json", "{\"trust\": {\"revoked\": [\"ONE\",\n\"TWO\",]}, \"actors\": []}"),
        ("cut.json", "{\"actors\": [], \"trust\": {\"revoked\" : [\"ONE\", \"TWO\""),
        ("yaml.json", "trust: {'revoked': [ONE, TWO]}\n"),
        ("unknown.json", "{\"trust\": {\"revoked\": [\"ONE\", \"TWO\"]}, \"actrs\": []}"),
    ] {
        assert_eq!(revoked(name, text), both, "{name}");
    }
}

#[test]
fn what_was_probably_meant_as_a_revocation_is_one() {
    for (name, text) in [
        ("name.yaml", "trust: {revokd: [ONE]}\n"),
        ("outer-name.yaml", "turst: {revoked: [ONE]}\n"),
        ("misplaced.yaml", "revoked: [ONE]\n"),
        ("scalar.yaml", "trust: {revoked: ONE}\n"),
        ("words.yaml", "trust: {revoked: 'ONE, a comment'}\n"),
        ("mapping.yaml", "trust: {revoked: [{key: ONE, why: leaked}]}\n"),
        ("keys.yaml", "trust: {revoked: {ONE: leaked}}\n"),
        ("variable-after.yaml", "trust:\n  revoked: ['${LEAKED}']\nname: \"x\n"),
        ("scalar-after.yaml", "trust:\n  revoked: ONE\nname: \"x\n"),
    ] {
        assert_eq!(revoked(name, text), ["ONE"], "{name}");
    }
}

#[test]
fn nothing_else_is_taken_for_a_revocation() {
    for (name, text) in [
        ("issuers.yaml", "trust: {issuers: [ONE]}\nx: 1\n"),
        ("comment.yaml", "# revoked: [ONE]\nname: \"x\n"),
        ("later-comment.yaml", "trust:\n  unsigned: [ # revoked: ONE\n"),
        ("actor.yaml", "actors: [ONE]\nbindings: 1\n"),
        ("value.yaml", "bindings: [{actor: ONE, capability: c}\ntrust:\n  revoked: []\n"),
        ("after.yaml", "trust:\n  revoked: []\n  issuers:\n  - ONE\nname: \"x\n"),
        ("short.yaml", "trust: {revoked: [MB4OLDIC]}\nx: 1\n"),
    ] {
        assert_eq!(revoked(name, text), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn issuers_are_never_guessed() {
    let issuers = |name, text: &str| readable(name, &fill(text)).issuers.len();
    assert_eq!(issuers("typo.yaml", "trust: {issuers: [ISSUER, nonsense]}\nactrs: []\n"), 1);
    for text in [
        "trust: {isuers: [ISSUER]}\n",
        "turst: {issuers: [ISSUER]}\n",
        "trust: {issuers: ISSUER}\n",
        "trust: {issuers: [ISSUER]}\nname: \"x\n",
    ] {
        assert_eq!(issuers("guess.yaml", text), 0, "{text}");
    }
}

#[test]
fn a_right_manifest_says_the_same_to_both_readers() {
    let text = fill(
        "trust: {issuers: [ISSUER], revoked: [ONE, TWO]}\nactors: []\nlabels: {revoked: ISSUER}\n",
    );
    let source = SourceText::new("right.yaml", text, Format::Yaml);
    let manifest = read(&source, &env).expect("it is right");
    let mut revoked = manifest.trust.revoked;
    revoked.sort();
    assert_eq!(
        readable_trust(&source, &env),
        ReadableTrust { issuers: manifest.trust.issuers, revoked, unread: Vec::new() }
    );
}

#[test]
fn what_revokes_nothing_is_told() {
    for (name, text, unread) in [
        ("name.yaml", "trust: {revoked: [ONE, counter]}\nactrs: []\n", &["counter"][..]),
        ("short.yaml", "trust:\n  revoked:\n  - MB4OLDIC\n  - TWO\nx: 1\n", &["MB4OLDIC"]),
        ("unset.yaml", "trust: {revoked: [ONE, '${UNSET}']}\n", &["'${UNSET}'"]),
        ("set.yaml", "trust: {revoked: ['${SECRET}']}\nx: 1\n", &["'${SECRET}'"]),
        ("scalar.yaml", "trust: {revoked: counter}\n", &["counter"]),
        ("mapping.yaml", "trust: {revoked: [{key: ONE, why: leaked}, {key: x}]}\n", &["key"]),
        ("comment.yaml", "trust: {revoked: ['ONE, leaked']}\nx: 1\n", &[]),
        ("broken.yaml", "x: [\ntrust:\n  revoked:\n  - counter # leaked\n  - ONE\n", &["counter"]),
        ("line.yaml", "trust: {revoked: [ONE, \"two\", issuers: [ISSUER]}\n", &["two"]),
        ("many.yaml", "x: [\ntrust:\n  revoked: [\n    ONE,\n    a, 'b'\n  ]\n", &["a", "b"]),
        ("cut.json", "{\"trust\": {\"revoked\": [\"counter\", \"ONE\"", &["counter"]),
        ("own-line.json", "{\"trust\": {\"revoked\":\n[\n\"counter\"\n,\"ONE\"]", &["counter"]),
        ("key.yaml", "x: [\ntrust:\n  revoked:\n  - key: counter\n    why: x\n", &["key: counter"]),
        ("next.yaml", "x: [\ntrust:\n  revoked:\n  -\n    counter\n", &["counter"]),
        ("brace.yaml", "x: [\ntrust:\n  revoked: {a: ONE, b: MB4OLDIC}\n", &["b: MB4OLDIC"]),
        ("half.yaml", "x: [\ntrust:\n  revoked: [ONE MB4OLDIC]\n", &["MB4OLDIC"]),
        ("alias.yaml", "x: [\ntrust:\n  revoked: *gone\n", &["*gone"]),
        ("variable.yaml", "x: [\ntrust:\n  revoked: ['${LEAKED}', '${UNSET}']\n", &["${UNSET"]),
    ] {
        let text = fill(text);
        let found = readable(name, &text).unread;
        let told: Vec<_> = found.iter().map(|at| &text[at.start..at.start + at.len]).collect();
        assert_eq!(told, unread, "{name}");
    }
}

/// Layouts of `trust` that revoke ONE and TWO; `I` is its other key.
const YAML: &[&str] = &[
    "trust:\n  I\n  revoked: [ONE, TWO]\n",
    "trust:\n  revoked: [ONE, TWO]\n  I\n",
    "trust:\n  I\n  revoked:\n    [\n      ONE,\n      TWO,\n    ]\n",
    "trust:\n  revoked:\n    [\n      ONE,\n      TWO\n    ]\n  I\n",
    "trust:\n  revoked:\n    [ONE,\n    TWO]\n  I\n",
    "trust:\n  revoked: [\n    ONE, TWO\n  ]\n  I\n",
    "trust:\n  revoked:\n  - ONE\n  - TWO\n  I\n",
    "trust:\n  revoked:\n    -   ONE\n    -   TWO\n  I\n",
    "trust:\n  revoked:\n    -\n      ONE\n    -\n      TWO\n  I\n",
    "trust:\n  revoked:\n\n    - ONE\n\n\n    - TWO\n\n  I\n",
    "trust:\n  revoked:\n    - key: ONE\n    - key: TWO\n  I\n",
    "trust:\n  revoked:\n    - name: ping\n      key: ONE\n    - key: TWO\n      host: gone\n  I\n",
    "trust:\n  revoked:\n    -\n      name: ping\n      key: ONE\n    - {name: pong, key: TWO}\n  I\n",
    "trust:\n  revoked: {ping: ONE, pong: TWO}\n  I\n",
    "trust:\n  revoked:\n    ping: ONE\n    pong: TWO\n  I\n",
    "trust:\n  revoked:\n    ONE: leaked\n    TWO: gone\n  I\n",
    "trust:\n  revoked:\n    actors: [ONE]\n    accounts: [TWO]\n  I\n",
    "trust:\n  revoked:\n    [{name: ping, key: ONE}, {key: TWO, why: gone}]\n  I\n",
    "trust:\n  revoked: &gone\n    - &one ONE\n    - !!str TWO\n  I\n",
    "trust:\n  revoked: !!seq [&one ONE, TWO]\n  I\n",
    "trust:\n  revoked: ONE TWO\n  I\n",
    "trust:\n  revoked: |\n    ONE\n    TWO\n  I\n",
    "trust:\n  revoked: >-\n    ONE,\n    TWO\n  I\n",
    "trust:\n  ? revoked\n  : - ONE\n    - TWO\n  I\n",
    "trust:\n  revoked :\n  - ONE\n  - TWO\n  I\n",
    "trust: {I, revoked:\n[ONE,\nTWO]}\n",
    "trust: {I, revoked:\n  [ONE, TWO]}\n",
    "trust: {I,\n  revoked: [ONE, TWO]}\n",
    "trust: {revoked: [ONE, TWO], I}\n",
    "trust: {revoked: [ONE,\n  TWO], I}\n",
    "trust: {revoked: {ping: ONE,\n  pong: TWO}, I}\n",
    "trust: {\n  revoked: [ONE, TWO],\n  I\n}\n",
    "trust: {\n  I,\n  revoked: [\n    {name: ping, key: ONE},\n    {name: pong,\n     key: TWO}\n  ]\n}\n",
    "trust:\n  revoked: ['ONE', 'TWO']\n  I\n",
    "trust:\n  \"revoked\": [\"ONE\",\"TWO\"]\n  I\n",
    "trust:\n  'revoked':\n  - 'ONE'\n  - \"TWO\"\n  I\n",
    "trust:\n  I\n  revoked: ['ONE # why', TWO]\n",
    // Mistakes in it.
    "trust:\n  revoked:[ONE, TWO]\n  I\n",
    "trust:\n  revoked [ONE, TWO]\n  I\n",
    "trust:\n  revoked\n    - ONE\n    - TWO\n  I\n",
    "trust:\n  revokd:\n    - ONE\n    - TWO\n  I\n",
    "trust:\n  revoked:\n    -ONE\n    -TWO\n  I\n",
    "trust:\n  revoked:\n    - ONE\n   - TWO\n  I\n",
    "trust:\n  revoked:\n    - ONE\n    - TWO\n   I\n",
    "trust:\n  revoked: [ONE TWO]\n  I\n",
    "trust:\n  revoked: [ONE, TWO\n  I\n",
    "trust:\n  revoked: {ping: ONE, pong: TWO\n  I\n",
    "trust:\n  revoked: [ONE], TWO]\n  I\n",
    "trust:\n  revoked: [ONE}, TWO}\n  I\n",
    "trust:\n  revoked: [\"ONE, TWO]\n  I\n",
    "trust: {revoked: [ONE, TWO, I}\n",
    "trust: {revoked: [ONE, TWO] I}\n",
    "trust: [revoked: [ONE, TWO], I]\n",
];

const JSON: &[&str] = &[
    "\"trust\": {\"revoked\": [\"ONE\", \"TWO\"], I}",
    "\"trust\":{I,\"revoked\":[\"ONE\",\"TWO\"]}",
    "\"trust\": {\n    \"revoked\": [\n      \"ONE\",\n      \"TWO\"\n    ],\n    I\n  }",
    "\"trust\": {\n    I,\n    \"revoked\":\n    [\n      \"ONE\",\n      \"TWO\"\n    ]\n  }",
    "\"trust\":\n{\n\"revoked\"\n:\n[\n\"ONE\"\n,\n\"TWO\"\n]\n,\nI\n}",
    "\"trust\": {\"revoked\": {\"ping\": \"ONE\", \"pong\": \"TWO\"}, I}",
    "\"trust\": {\"revoked\": [{\"name\": \"ping\", \"key\": \"ONE\"},\n{\"key\": \"TWO\"}], I}",
    "\"trust\": {\n\"revoked\": [\n{\n\"name\": \"ping\",\n\"key\": \"ONE\"\n},\n\"TWO\"\n], I}",
    // Mistakes in it.
    "\"trust\": {\"revoked\": [\"ONE\", \"TWO\"] I}",
    "\"trust\": {\"revoked\": [\"ONE\" \"TWO\"], I}",
    "\"trust\": {\"revoked\": [\"ONE\", \"TWO\", I}",
    "\"trust\": {\"revoked\": [\"ONE\", \"TWO\"}, I}",
    "\"trust\": {\"revoked\": [\"ONE\", // why\n\"TWO\",],\nI}",
    "\"trust\": {revoked: ['ONE', 'TWO'], I}",
    "\"trust\": {\"revoked\" [\"ONE\", \"TWO\"], I}",
    "\"trust\": {\"revoked\": [\"ONE, \"TWO\"], I}",
];

const ISSUERS: &[&str] =
    &["issuers: [ISSUER]", "issuers: ['ISSUER']", "issuers: {team: ISSUER}", "unsigned: refuse"];

/// The rest of a manifest, which names actors by their keys.
const REST: &str = "labels: {owner: ISSUER}\nactors:\n- {image: a.wasm, name: ISSUER}\nbindings:\n- {actor: ISSUER, capability: c}\n";

/// What a report may say not to be in effect: it could belong to an item.
const HARMLESS: &[&str] = &["why", "unsigned: refuse", "unsigned: refuse}", "x"];

#[track_caller]
fn revokes_both(name: &str, text: &str) {
    let text = fill(text);
    let source = SourceText::new(name, text.as_str(), Format::of_path(name.as_ref()));
    assert!(read(&source, &env).is_err(), "this should be wrong:\n{text}");
    let found = readable(name, &text);
    let revoked: Vec<_> = found.revoked.iter().map(|key| key.as_str()).collect();
    assert_eq!(revoked, [TWO, ONE], "of\n{text}");
    let unread = found.unread.iter().map(|at| &text[at.start..at.start + at.len]);
    let unread: Vec<_> = unread.filter(|text| !HARMLESS.contains(text)).collect();
    assert_eq!(unread, Vec::<&str>::new(), "of\n{text}");
}

#[test]
fn a_revocation_is_found_in_any_layout_of_a_text_that_is_not_yaml() {
    let mut count = 0;
    for layout in YAML {
        for issuers in ISSUERS {
            let trust = layout.replace('I', issuers);
            for text in [
                format!("labels: {{a: \"unclosed\n{trust}{REST}"),
                format!("{trust}{REST}host: {{a: \"unclosed\n"),
                format!("{REST}{trust}host: [\n"),
                format!("{trust}\t- x\n"),
                format!("x: [\n{trust}"),
            ] {
                let commented = text.replace('\n', " # an issuer: ISSUER, revoked: [ISSUER]\n");
                let with_lines = text.replace('\n', "\n# ISSUER\n    # - ISSUER\n");
                for text in [text.replace('\n', "\r\n"), text.replace("  ", "\t"), text] {
                    revokes_both("layout.yaml", &text);
                    count += 1;
                }
                for text in [commented, with_lines] {
                    if !layout.contains(['|', '>']) {
                        revokes_both("layout.yaml", &text);
                    }
                }
            }
        }
    }
    assert!(count > 2_000, "{count}");
}

#[test]
fn a_revocation_is_found_in_any_layout_of_a_text_that_is_not_json() {
    let rest = "\"actors\": [{\"image\": \"a.wasm\", \"name\": \"ISSUER\"}],\n\"bindings\": [{\"actor\": \"ISSUER\"}]";
    for layout in JSON {
        for issuers in ["\"issuers\": [\"ISSUER\"]", "\"issuers\":\n[\n\"ISSUER\"\n]\n"] {
            let trust = layout.replace('I', issuers);
            for text in [
                format!("{{\n  {trust},\n  {rest},\n}}\n"),
                format!("{{\n  {rest},\n  {trust},\n}}\n"),
                format!("{{\"labels\": {{\"a\": \"unclosed}}, {trust}, {rest}}}"),
                format!("{{{trust} {rest}"),
            ] {
                for text in [text.replace('\n', "\r\n"), text.replace("  ", "\t"), text] {
                    revokes_both("layout.json", &text);
                }
            }
        }
    }
}
