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
    ] {
        let text = fill(text);
        let found = readable(name, &text).unread;
        let told: Vec<_> = found.iter().map(|at| &text[at.start..at.start + at.len]).collect();
        assert_eq!(told, unread, "{name}");
    }
}
