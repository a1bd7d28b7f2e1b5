//! Wrong manifests: each report must name what is wrong, where, and what to do.

use std::fmt::Write as _;

use proptest::prelude::*;
use trellis_manifest::{Format, Problem, Report, SourceText, Span, Style, read, readable_trust};

fn env(name: &str) -> Option<String> {
    (name == "SECRET").then(|| "hunter2".to_owned())
}

fn report(name: &str, text: &str) -> Report {
    let format = Format::of_path(name.as_ref());
    read(&SourceText::new(name, text, format), &env)
        .expect_err(&format!("{name} should be refused: {text}"))
}

/// One snapshot for a table of wrong manifests, so that the messages read as a list.
fn snapshot(name: &str, table: &[(&str, &str)]) {
    let mut all = String::new();
    for (file, text) in table {
        writeln!(all, "=== {file}\n{}", report(file, text)).expect("a String takes all");
    }
    insta::assert_snapshot!(name, all);
}

#[test]
fn syntax() {
    snapshot(
        "syntax",
        &[
            ("indentation.yaml", "actors:\n  - image: a.wasm\n name: x\n"),
            ("quote.yaml", "name: \"unclosed\nactors: []\n"),
            ("bracket.yaml", "actors: [a.wasm\nname: x\n"),
            ("tab.yaml", "actors:\n\t- a.wasm\n"),
            ("tab-after-spaces.yaml", "actors:\n  - image: a.wasm\n  \t name: x\n"),
            ("tab-in-a-mapping.yaml", "host:\n\tdrain: 1s\n\tadmin: 127.0.0.1:1\n"),
            ("tab-after-a-colon.yaml", "actors:\n  - image:\ta.wasm\n"),
            ("tab-deep.yaml", "actors:\n  - image: a\n    limits:\n\t\tmemory: 1MiB\nname: x\n"),
            ("two-documents.yaml", "name: a\n---\nname: b\n"),
            ("empty.yaml", "# nothing but a comment\n"),
            ("tag.yaml", "name: !secret x\n"),
            ("unknown-alias.yaml", "actors: *all\n"),
            ("alias-in-itself.yaml", "actors: &all [*all]\n"),
            ("control.yaml", "name: a\u{1b}[31mred\n"),
            ("comma.json", "{\n  \"name\": \"a\",\n  \"actors\": [],\n}\n"),
            ("yaml.json", "name: a\n"),
            ("end.json", "{\"actors\": [\n"),
            ("surrogate.json", "{\"name\": \"\\ud800\"}"),
            ("after.json", "{} {}"),
            ("unquoted-variable.json", "{\"name\": ${NAME:é},\n \"actors\": x}"),
            ("empty.json", ""),
        ],
    );
}

#[test]
fn shape() {
    snapshot(
        "shape",
        &[
            ("not-a-mapping.yaml", "- a.wasm\n"),
            ("text.yaml", "just text\n"),
            (
                "many.yaml",
                "actor: [a.wasm]\nactors:\n  - imgae: a.wasm\n    isolation: shared\n    limits: \
                 {memry: 1MiB, memory: 64 potatoes}\nbinding: 7\nlinks: {}\n",
            ),
            ("unlike-anything.yaml", "policy: {rego: policy.rego}\n"),
            ("duplicate.yaml", "name: a\nactors: []\nname: b\n"),
            ("duplicate.json", "{\"name\": \"a\", \"name\": \"b\"}"),
            ("two-names.yaml", "actors: []\nproviders: []\ncapabilities: []\n"),
            ("list-for-text.yaml", "actors: []\nname: [a]\n"),
            ("empty-name.yaml", "actors: []\nname: ''\n"),
            ("text-for-list.yaml", "actors: a.wasm\n"),
            ("list-in-list.yaml", "actors: [[a.wasm]]\n"),
            ("needs-actor.yaml", "actors: []\nbindings:\n  - capability: wascc:keyvalue\n"),
            ("null-image.yaml", "actors:\n  - image:\n    name: x\n"),
            ("key.yaml", "? [a, b]\n: c\n"),
            (
                "null-value.yaml",
                "actors: []\nbindings: [{actor: a, capability: c, values: {URL: }}]\n",
            ),
            (
                "list-value.yaml",
                "actors: []\nbindings: [{actor: a, capability: c, values: {URLS: [a, b]}}]\n",
            ),
            ("builtin-as-text.yaml", "actors: []\nproviders: [http-server]\n"),
            ("trust.yaml", "actors: []\ntrust: {issuer: AONE, unsigned: yes}\n"),
            ("instances.yaml", "actors: [{image: a.wasm, instances: 4}]\n"),
            ("instances-max.yaml", "actors: [{image: a.wasm, instances: {max: 0, min: -1}}]\n"),
            (
                "limits.yaml",
                "actors:\n  - image: a.wasm\n    limits:\n      call_time: 5 minutes\n      \
                 payload_bytes: 4GiB\n      queue: 1.5\n      memory: 0\n      call_depth: 0\n",
            ),
            (
                "too-small.yaml",
                "actors:\n  - image: a.wasm\n    limits:\n      payload_bytes: 1\n      \
                 name_bytes: 3\n      compile_time: 1ms\n      compile_memory: 1MiB\n      \
                 memory: 1000\n      log_line_bytes: 1\n",
            ),
            ("cache-on.yaml", "actors: []\nhost: {cache: on}\n"),
            ("cache-true.yaml", "actors: []\nhost: {cache: true}\n"),
            ("cache-yes.yaml", "actors: []\nhost: {cache: \"Yes\"}\n"),
            ("cache-home.yaml", "actors: []\nhost: {cache: ~/.cache/trellis}\n"),
            ("socket-on.yaml", "actors: []\nhost: {socket: on}\n"),
            ("admin.yaml", "actors: []\nhost: {admin: 'localhost:9464', drain: soon}\n"),
            ("admin-list.yaml", "actors: []\nhost: {admin: ['127.0.0.1:9464']}\n"),
            (
                "admin-users.yaml",
                "actors: []\nhost: {admin: {users: [{key: UA, scope: root}, {scope: read}]}}\n",
            ),
        ],
    );
}

#[test]
fn meaning() {
    snapshot(
        "meaning",
        &[
            ("same-name.yaml", "actors: [{image: a.wasm, name: x}, {image: b.wasm, name: x}]\n"),
            ("same-image.yaml", "actors:\n  - a.wasm\n  - a.wasm\n"),
            (
                "name-like-a-key.yaml",
                "actors: [{image: a.wasm, name: \
                 MB4OLDIC3TCZ4Q4TGGOVAZC43VXFE2JQVRAXQMQFXUCREOOFEKOKZTY2}]\n",
            ),
            (
                "same-user.yaml",
                "actors: []\nhost: {admin: {users: [{key: UA, scope: read}, {key: UA, scope: admin}]}}\n",
            ),
            ("min-over-max.yaml", "actors: [{image: a.wasm, instances: {min: 9, max: 8}}]\n"),
            (
                "same-provider.yaml",
                "actors: []\nproviders:\n  - builtin: logging\n  - builtin: logging\n",
            ),
            ("no-builtin.yaml", "actors: []\nproviders: [{name: x}]\n"),
            (
                "both.yaml",
                "actors: []\nproviders: [{builtin: logging, path: ./libwascc_logging.so}]\n",
            ),
            ("binding-name.yaml", "actors: []\nproviders: [{builtin: logging, binding_name: x}]\n"),
            ("telnet.yaml", "actors: []\ncapabilities:\n  - path: ./libwascc_telnet.so\n"),
            (
                "same-binding.yaml",
                "actors: []\nbindings:\n  - {actor: a, capability: c}\n  - {actor: a, capability: c, name: \
                 default}\n",
            ),
        ],
    );
}

#[test]
fn variables() {
    snapshot(
        "variables",
        &[
            (
                "unset.yaml",
                "name: ${APP}\nbindings:\n  - {actor: ${WHO}, capability: c, values: {PORT: \
                 ${PORT}, URL: 'http://${HOST}:${PORT}/'}}\n",
            ),
            ("unset.json", "{\n  \"name\": \"é ${APP}\"\n}"),
            ("malformed.yaml", "actors: []\nname: ${my-app}\nlabels: {a: '${open', b: '${}'}\n"),
            (
                "shell.yaml",
                "actors: []\nname: $APP\nlabels: {a: '${A:?needed}', b: '${B:+other}', c: '${C=d}', d: x$y}\n",
            ),
            ("open-in-flow.yaml", "labels: {a: ${A, b: c}\nname: x\n"),
            ("open-in-flow-later.yaml", "labels: {a: '${}', b: ${B:x, c: ${C}}\n"),
            ("open.json", "{\"name\": \"${A\", \"labels\": {\"a\": \"b\"}}"),
            ("plain-dollar.yaml", "actors: [{image: a, instances: {max: $$5}}]\n"),
            ("wrong-value.yaml", "actors: [{image: a, instances: {max: ${SECRET}}}]\n"),
        ],
    );
}

#[test]
fn a_variables_value_is_never_shown() {
    for text in [
        "actors: [{image: a, isolation: ${SECRET}, limits: {memory: '${SECRET}'}}]",
        "host: {admin: 'x ${SECRET}', drain: ${SECRET}}\ntrust: ${SECRET}",
    ] {
        let report = report("secret.yaml", text);
        assert!(!report.to_string().contains("hunter2"), "{report}");
        assert!(!report.to_json().to_string().contains("hunter2"), "{report}");
    }
}

#[test]
fn bounds() {
    let deep = "[".repeat(200);
    let wide = format!("labels:\n  a: {}\n", "x".repeat(4 << 20));
    let bomb = (1..=9).fold("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, level| {
        let below = vec![format!("*a{}", level - 1); 9].join(", ");
        format!("{text}a{level}: &a{level} [{below}]\n")
    });
    let tower = (1..=40).fold("a0: &a0 [x]\n".to_owned(), |text, level| {
        format!("{text}a{level}: &a{level} [*a{}]\n", level - 1)
    });
    let unknown =
        (0..500).fold("actors: []\n".to_owned(), |text, number| format!("{text}k{number}: 1\n"));
    for (name, text, expected) in [
        ("deep.yaml", deep.as_str(), "deeper than 32 levels"),
        ("deep.json", &format!("{deep}{}", "]".repeat(200)), "deeper than 32 levels"),
        ("wide.yaml", &wide, "the most allowed is 4194304"),
        ("bomb.yaml", &bomb, "more than 500000 values"),
        ("tower.yaml", &tower, "deeper than 32 levels"),
        ("references.yaml", &"${".repeat(1 << 19), "more than 65,534 references"),
        ("unknown.yaml", &unknown, "500 problems in unknown.yaml (450 not shown)"),
        ("name.yaml", &format!("name: {}", "x".repeat(300)), "the most allowed is 256"),
    ] {
        let drawn = report(name, text).to_string();
        assert!(drawn.contains(expected), "{name}: {drawn}");
        assert!(drawn.len() < 40_000, "{name}: a report of {} bytes", drawn.len());
    }
}

#[test]
fn an_empty_trust_does_not_mean_the_users_own_key() {
    for (trust, said) in [
        ("{issuers: []}", "`issuers` is empty"),
        ("\n  issuers:", "`issuers` is empty"),
        ("{issuers: ~}", "`issuers` is empty"),
        ("", "`trust` is empty"),
        ("{}", "`trust` is empty"),
    ] {
        let report = report("empty.yaml", &format!("actors: []\ntrust: {trust}\n"));
        assert_eq!(report.problems().len(), 1, "{report}");
        assert!(report.to_string().contains(said), "{report}");
    }
}

#[test]
fn what_a_cut_text_leaves_takes_nothing_away() {
    for (text, said) in [
        ("{}", "a manifest needs `actors`"),
        ("name: x\n", "a manifest needs `actors`"),
        ("name: x\nactors:\n", "`actors` has no value"),
        ("actors: ~\n", "`actors` has no value"),
        ("actors: []\nproviders:\n", "`providers` has no value"),
        ("actors: []\nbindings: null\n", "`bindings` has no value"),
        ("actors: []\nlinks:\n", "`links` has no value"),
        ("actors: []\ntrust:\n  revoked:\n", "`revoked` has no value"),
    ] {
        let report = report("cut.yaml", text);
        assert_eq!(report.problems().len(), 1, "{report}");
        let drawn = report.to_string();
        assert!(drawn.contains(said) && drawn.contains("`[]`"), "{drawn}");
    }
    let nothing = "actors: []\nproviders: []\nbindings: []\ntrust: {revoked: []}\n";
    let read = read(&SourceText::new("app.yaml", nothing, Format::Yaml), &env);
    assert!(read.is_ok_and(|manifest| manifest.actors.is_empty()), "who wants nothing says it");
}

#[test]
fn programs_get_the_same_as_people() {
    let report = report("app.yaml", "name: é\nactors:\n  - imgae: a.wasm\n");
    insta::assert_snapshot!("json", format!("{:#}", report.to_json()));
}

#[test]
fn a_limit_by_the_name_that_errors_have_finds_its_key() {
    for limit in trellis_limits::TABLE.iter().filter(|limit| limit.name != limit.key) {
        let text = format!("actors: [{{image: a.wasm, limits: {{{}: 200}}}}]\n", limit.name);
        let report = report("app.yaml", &text);
        let help = report.problems()[0].help.clone().unwrap_or_default();
        let key = match limit.key {
            "instances.max" => "`max` under `instances` of the actor",
            key => &format!("`{key}`"),
        };
        assert!(help.starts_with(&format!("did you mean {key}? ")), "{}: {help}", limit.name);
    }
}

#[test]
fn a_terminal_gets_colors_and_a_pipe_does_not() {
    let report = report("app.yaml", "nmae: x\n");
    let fancy = report.render(Style { color: true, unicode: true, width: 80 });
    assert!(fancy.contains('\u{1b}') && fancy.contains('│'), "{fancy}");
    let drawn = report.render(Style { color: false, unicode: true, width: 80 });
    assert!(!drawn.contains('\u{1b}') && drawn.contains('│'), "{drawn}");
    assert!(report.to_string().is_ascii(), "{report}");
}

#[test]
fn a_binary_file_is_no_manifest() {
    let bytes = b"name: a\n\xff\xfe\0asm".to_vec();
    let report = SourceText::from_bytes("a.yaml", bytes, Format::Yaml).expect_err("not UTF-8");
    insta::assert_snapshot!("binary", report.to_string());
}

#[test]
fn others_add_what_they_find() {
    let source = SourceText::new("app.yaml", "actors: [a.wasm]\nproviders: []\n", Format::Yaml);
    let known = ["http-server", "logging"];
    let problem = Problem::unknown(Span { start: 9, len: 6 }, "provider", "httpserver", known)
        .code(trellis_core::Code::Config);
    let beyond = Problem::new(Span { start: 9_999, len: 9_999 }, "a span beyond the text");
    insta::assert_snapshot!("added", Report::of(&source, vec![beyond, problem]).to_string());
}

/// Pieces of manifests, right and wrong, in any order.
fn fragments() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "actors:",
        "name: ",
        "- ",
        "image: ",
        "limits: ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        ": ",
        "\n",
        "\n  ",
        "\n    ",
        "&a ",
        "*a",
        "!t ",
        "!!str ",
        "${",
        "}",
        "$${X}",
        "$$",
        "$NAME",
        "${U:-d}",
        "${U:?d}",
        "${SECRET}",
        "${U:d}",
        "\"",
        "'",
        "|\n",
        ">-\n",
        "#",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "? ",
        "\t",
        "\r\n",
        "é",
        "\u{1f600}",
        "\\ud83d",
        "null",
        "~",
        "64MiB",
        "bindings:",
        "trust:",
        "revoked:",
        "MB4OLDIC3TCZ4Q4TGGOVAZC43VXFE2JQVRAXQMQFXUCREOOFEKOKZTY2",
        "instances",
        "max",
        "\u{feff}",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_is_read_or_refused(text in prop_oneof![fragments(), any::<String>()]) {
        for format in [Format::Yaml, Format::Json] {
            if let Err(report) = read(&SourceText::new("any", text.as_str(), format), &env) {
                prop_assert!(!report.problems().is_empty());
                prop_assert!(report.to_string().contains("any"));
                prop_assert!(report.to_json().is_object());
            }
            // It must only end: there is no text that it refuses.
            let _ = readable_trust(&SourceText::new("any", text.as_str(), format), &env);
        }
    }
}
