//! What all commands share: help, usage errors, codes, completions, pipes.

use std::process::{Command, Stdio};

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
        ("bash", "complete -F"),
        ("zsh", "#compdef trellis"),
        ("fish", "complete -c trellis"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let script = sandbox.run(&["completions", shell]).ok();
        assert!(script.contains(mark) && script.contains("inspect"), "{shell}");
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
    let report = sandbox.run(&args).fails_json(6, "E_MANIFEST");
    assert_eq!(report["details"]["problems"][0]["line"], 3, "{report}");
}
