//! What all commands share: help, usage errors, codes, completions, pipes.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::guest;
use crate::sandbox::{Sandbox, arg};

#[test]
fn help_and_version_are_data() {
    let sandbox = Sandbox::new();
    assert!(sandbox.run(&["--version"]).ok().starts_with("trellis "));
    let help = sandbox.run(&["--help"]).ok();
    for command in ["keys", "sign", "inspect", "verify", "call", "up", "explain", "completions"] {
        assert!(help.contains(&format!("\n  {command}")), "{command}: {help}");
        sandbox.run(&[command, "--help"]).ok();
    }
    assert!(!help.contains("\n  compile"), "the engine's own command is hidden");
    for help in [["sign", "x.wasm", "--help"], ["sign", "x.wasm", "-h"]] {
        let help = sandbox.run(&help).ok();
        assert!(help.contains("--http-client") && help.contains("except `-h`"), "{help}");
    }
}

#[test]
fn a_wrong_command_line_is_told_in_the_form_asked_for() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["sing", "x.wasm"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("sign"), "the nearest command is named: {ran:?}");
    let error = sandbox.run(&["sign", "-o", "json"]).fails_json(2, "E_USAGE");
    assert!(error["error"]["message"].as_str().is_some_and(|m| m.contains("FILE")), "{error}");
    assert_eq!(sandbox.run::<&str>(&[]).code, 2);
}

#[test]
fn what_was_probably_meant_is_told() {
    let sandbox = Sandbox::new();
    let source = sandbox.write("x.wasm", "");
    let said = sandbox.run(&["sign", arg(&source), "--rev", "v1"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.stderr.contains("a whole number") && said.stderr.contains("`--ver v1`"),
        "{said:?}"
    );
    let manifest = sandbox.write("app.yaml", "actors: []\nproviders: [{builtin: redis}]\n");
    let said = sandbox.run(&["up", "--manifest", arg(&manifest), "--check"]);
    assert!(said.stderr.contains("did you mean `keyvalue-redis`?"), "{said:?}");
}

#[test]
fn up_talks_json_a_line_each() {
    let sandbox = Sandbox::new();
    let manifest = sandbox.write("app.yaml", "actors: []\n");
    let manifest = arg(&manifest);
    let fine = sandbox.run(&["up", "--manifest", manifest, "--check", "-o", "json"]).ok();
    assert_eq!(fine.lines().count(), 1, "{fine}");
    let fine: serde_json::Value = serde_json::from_str(&fine).expect("JSON");
    assert_eq!((&fine["result"], &fine["schemaVersion"]), (&"ok".into(), &1.into()));
    sandbox.write("app.yaml", "actrs: []\n");
    for check in [&["--check"][..], &[]] {
        let args = [&["up", "--manifest", manifest, "-o", "json"], check].concat();
        let error = sandbox.run(&args).fails_json(6, "E_MANIFEST");
        assert_eq!(error["details"]["problems"][0]["line"], 1, "{error}");
    }
}

#[test]
fn a_mistake_in_the_text_of_a_manifest_hides_none_elsewhere_and_makes_none() {
    let sandbox = Sandbox::new();
    sandbox.signed("echo", &guest::module(), &["--http-server"]);
    let messages = |text: &str| {
        let path = sandbox.write("wrong.yaml", text);
        let told = [&["--check"][..], &[]].map(|check| {
            let args = [&["up", "--manifest", arg(&path), "-o", "json"], check].concat();
            let document: Value =
                serde_json::from_slice(&sandbox.run(&args).stdout).expect("a document");
            let problems = document["details"]["problems"].as_array().expect("a report").clone();
            let message = |it: &Value| it["message"].as_str().unwrap_or_default().to_owned();
            problems.iter().map(message).collect::<Vec<_>>()
        });
        let [checked, started] = told;
        assert_eq!(checked, started, "a start says what a check says");
        checked
    };
    let bound = "bindings: [{actor: echo, capability: 'wascc:http_server', values: {PROT: 1}}]\n";
    let server = "providers: [{builtin: http-server}]\n";
    // A wrong part, with what is wrong in others.
    for part in ["host: {drain: soon}\n", "lables: {a: b}\n", "host: 7\n"] {
        let told = messages(&format!("actors: [echo_s.wasm]\n{server}{bound}{part}"));
        assert_eq!(told.len(), 2, "{told:#?}");
        assert!(told[0].contains("`PROT`"), "{told:#?}");
    }
    // An actor or a provider with a mistake, of which the others know nothing.
    let actor = "actors: [{image: echo_s.wasm, name: echo, isolation: shared}]\n";
    let told = messages(&format!("{actor}{server}{bound}"));
    assert!(told.len() == 2 && told[1].contains("`PROT`"), "{told:#?}");
    let lost = "providers: [{builtin: http-server, vlaues: {}}]\n";
    let told = messages(&format!("actors: [echo_s.wasm]\n{lost}{bound}"));
    assert!(told.len() == 1 && told[0].contains("`vlaues`"), "{told:#?}");
    let told = messages(&format!("actrs: [echo_s.wasm]\n{server}{bound}"));
    assert!(told.len() == 1 && told[0].contains("`actrs`"), "{told:#?}");
    // Whom it trusts is not known, so nobody is said to be a stranger.
    sandbox.run(&["keys", "gen", "account", "work"]).ok();
    sandbox
        .run(&["sign", "echo_s.wasm", "-d", "echo_s.wasm", "-n", "echo", "-q", "-i", "work"])
        .ok();
    let told = messages("actors: [echo_s.wasm]\ntrust: {issuer: [A]}\n");
    assert!(told.len() == 1 && told[0].contains("`issuer`"), "{told:#?}");
    let told =
        messages("actors: [echo_s.wasm, {image: gone.wasm, nmae: x}]\nhost: {drain: soon}\n");
    assert!(told.iter().all(|it| !it.contains("trust list")), "{told:#?}");
}

#[test]
fn codes_are_explained() {
    let sandbox = Sandbox::new();
    for code in ["E_HASH", "e_hash", "hash"] {
        let text = sandbox.run(&["explain", code]).ok();
        assert!(
            text.contains("E_HASH") && text.contains("cause") && text.contains("cure"),
            "{text}"
        );
    }
    let json = sandbox.run(&["explain", "E_DENIED", "-o", "json"]).json();
    assert_eq!((&json["exit"], &json["kind"]), (&4.into(), &"denied".into()));
    let all = sandbox.run(&["explain", "-o", "json"]).json();
    assert!(all["codes"].as_array().is_some_and(|codes| codes.len() > 20));
    let said = sandbox.run(&["explain", "E_HASHH"]).fails(3, "E_NOT_FOUND");
    assert!(said.contains("Did you mean E_HASH?"), "{said}");
    sandbox.run(&["explain", "E_USAGE"]).ok();
}

#[test]
fn every_shell_gets_its_completions() {
    let sandbox = Sandbox::new();
    for (shell, mark) in [
        ("bash", "complete -o bashdefault"),
        ("zsh", "#compdef trellis"),
        ("fish", "complete --keep-order --exclusive --command trellis"),
        ("elvish", "edit:completion:arg-completer[trellis]"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let script = sandbox.run(&["completions", shell]).ok();
        assert!(script.contains(mark) && script.contains("TRELLIS_COMPLETE"), "{shell}: {script}");
    }
}

#[test]
fn color_is_a_choice() {
    let sandbox = Sandbox::new();
    assert!(!sandbox.run(&["explain", "E_HASH"]).ok().contains('\x1b'), "not on a terminal");
    assert!(sandbox.run(&["explain", "E_HASH", "--color", "always"]).ok().contains('\x1b'));
    let json = sandbox.run(&["explain", "E_HASH", "--color", "always", "-o", "json"]).ok();
    assert!(!json.contains("\\u001b"), "JSON has no colors: {json}");
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_trellis"))
        .args(["completions", "zsh"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary was just built");
    drop(child.stdout.take());
    let done = child.wait_with_output().expect("it ran");
    assert_eq!((done.status.code(), done.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn up_takes_the_hosts_arguments() {
    let sandbox = Sandbox::new();
    assert!(sandbox.run(&["up", "--help"]).ok().contains("--manifest"));
    assert_eq!(sandbox.run(&["up"]).code, 2);
    let ran = sandbox.run(&["up", "--manifest", "missing.yaml", "-o", "json"]);
    ran.fails_json(3, "E_NOT_FOUND");
    let manifest = sandbox.write("app.yaml", "name: app\nactors: [missing.wasm]\nnonsense: 1\n");
    let args = ["up", "--check", "-o", "json", "--manifest", manifest.to_str().expect("text")];
    let report = sandbox.run(&args).fails_json(6, "E_NOT_FOUND");
    let problems = report["details"]["problems"].as_array().expect("a list");
    let found: Vec<_> = problems.iter().map(|it| (&it["line"], &it["code"])).collect();
    let wanted = [(&2.into(), &"E_NOT_FOUND".into()), (&3.into(), &"E_MANIFEST".into())];
    assert_eq!(found, wanted, "{report}");
}
