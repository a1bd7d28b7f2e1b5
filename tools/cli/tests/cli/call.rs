//! `trellis call`, one operation.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::guest;
use crate::sandbox::{Ran, Sandbox, arg};

/// A sandbox with the signed guest, and a way to call it.
struct Trial {
    sandbox: Sandbox,
    file: String,
}

impl Trial {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let file = arg(&sandbox.signed("guest", &guest::module(), &["-k"])).to_owned();
        Self { sandbox, file }
    }

    fn call(&self, args: &[&str]) -> Ran {
        self.call_with(args, b"")
    }

    fn call_with(&self, args: &[&str], stdin: &[u8]) -> Ran {
        self.sandbox.run_with(&[&["call", &self.file], args].concat(), stdin)
    }
}

#[test]
fn a_payload_comes_from_text_file_or_pipe() {
    let trial = Trial::new();
    assert_eq!(trial.call(&["Echo", "hello"]).ok(), "hello", "as it is, without a line end");
    assert_eq!(trial.call(&["Echo"]).ok(), "");
    let file = trial.sandbox.write("payload", b"\x00\xff");
    let raw = trial.call(&["Echo", &format!("@{}", arg(&file))]);
    assert_eq!((raw.code, raw.stdout.as_slice()), (0, &b"\x00\xff"[..]), "{raw:?}");
    assert_eq!(trial.call_with(&["Echo", "-"], b"piped").ok(), "piped");
    assert_eq!(trial.call(&["Echo", "00 FF", "--hex"]).ok(), "00ff\n");
    let json = trial.call(&["Echo", r#"{"a":[1,{"$hex":"ff"}],"b":{"$text":"x"}}"#, "--json"]).ok();
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json, serde_json::json!({"a": [1, {"$hex": "ff"}], "b": "x"}));
    assert_eq!(trial.call(&["Echo", "--json"]).ok(), "null\n");
}

#[test]
fn the_exit_code_says_how_it_ended() {
    let trial = Trial::new();
    let said = trial.call(&["Fail", "my reason"]).fails(1, "E_GUEST");
    assert!(said.contains("my reason"), "{said}");
    trial.call(&["Trap"]).fails(1, "E_TRAP");
    trial.call(&["Loop", "--timeout", "100ms"]).fails(5, "E_TIMEOUT");
    let long = "E".repeat(300);
    trial.call(&[&long]).fails(6, "E_BAD_NAME");
    let failed = trial.call(&["Fail", "why", "-o", "json"]).fails_json(1, "E_GUEST");
    assert_eq!(
        (&failed["details"]["status"], &failed["details"]["error"]),
        (&"guest_error".into(), &"why".into())
    );
    for wrong in [
        &["Echo", "zz", "--hex"][..],
        &["Echo", "{", "--json"],
        &["Echo", "--timeout", "soon"],
        &["Echo", "--json", "--hex"],
        &[],
    ] {
        let ran = trial.call(wrong);
        assert_eq!(ran.code, 2, "{wrong:?}: {ran:?}");
    }
    trial.call(&["Echo", "@missing"]).fails(3, "E_NOT_FOUND");
    trial.call(&["Echo", "text", "--json", "-o", "json"]).fails_json(2, "E_USAGE");
    trial.call(&["Echo", "c1", "--hex"]).ok();
}

#[test]
fn only_sound_modules_run() {
    let sandbox = Sandbox::new();
    let unsigned = sandbox.write("unsigned.wasm", guest::module());
    let said = sandbox.run(&["call", arg(&unsigned), "Echo", "hi"]).fails(4, "E_UNSIGNED");
    assert!(said.contains("--allow-unsigned"), "{said}");
    let allowed = ["call", arg(&unsigned), "Echo", "hi", "--allow-unsigned"];
    assert_eq!(sandbox.run(&allowed).ok(), "hi");
    let garbage = sandbox.write("garbage.wasm", "garbage");
    sandbox.run(&["call", arg(&garbage), "Echo", "--allow-unsigned"]).fails(6, "E_MODULE_INVALID");
    sandbox.run(&["call", "missing.wasm", "Echo"]).fails(3, "E_NOT_FOUND");
    let bare = wat::parse_str("(module)").expect("well-formed");
    let bare = sandbox.write("bare.wasm", bare);
    sandbox.run(&["call", arg(&bare), "Echo", "--allow-unsigned"]).fails(6, "E_MODULE_ABI");

    // Whose signature it is matters only when the user says so.
    let signed = Sandbox::new().signed("lost", &guest::module(), &[]);
    assert!(!signed.exists(), "its sandbox is gone");
    let (theirs, mine) = (Sandbox::new(), Sandbox::new());
    let file = theirs.signed("theirs", &guest::module(), &[]);
    assert_eq!(mine.run(&["call", arg(&file), "Echo", "hi"]).ok(), "hi");
    mine.run(&["keys", "gen", "account"]).ok();
    mine.run(&["call", arg(&file), "Echo", "--issuer", "default"]).fails(4, "E_ISSUER");
}

#[test]
fn host_calls_are_answered_from_the_list() {
    let trial = Trial::new();
    let replies = r#"[{"replyJson":{"value":7}}]"#;
    let file = trial.sandbox.write("replies.json", replies);
    let with = ["Host", r#"{"key":"k","value":1}"#, "--json", "--replies", arg(&file)];
    assert_eq!(trial.call(&with).ok(), "{\n  \"value\": 7\n}\n");
    assert_eq!(trial.call_with(&["Host", "x", "--json", "--replies", "-"], b"").code, 2);

    let traced = trial.call(&[&with[..], &["--trace"]].concat());
    for line in [
        r#"=> Host {"key":"k","value":1}"#,
        r#"-> wascc:keyvalue Add (binding default) {"key":"k","value":1}"#,
        r#"<- {"value":7}"#,
    ] {
        assert!(traced.stderr.contains(line), "{line}: {traced:?}");
    }
    let result = trial.call(&[&with[..], &["-o", "json"]].concat()).json();
    assert_eq!(result["response"], serde_json::json!({"value": 7}));
    assert_eq!(result["hostCalls"][0]["operation"], "Add");
    let none_left = trial.call(&["Host", "x"]).fails(1, "E_GUEST");
    assert!(none_left.contains("no reply is left for wascc:keyvalue Add"), "{none_left}");
    assert!(none_left.contains("help: The actor asked for wascc:keyvalue Add"), "{none_left}");
    assert!(none_left.contains("`--replies FILE`"), "{none_left}");
    let wrong = trial.sandbox.write("wrong.json", r#"[{"reply":1}]"#);
    let said = trial.call(&["Host", "--replies", arg(&wrong)]).fails(2, "E_USAGE");
    assert!(said.contains("wrong.json") && said.contains("unknown field"), "{said}");
}

#[test]
fn a_message_that_the_actor_cannot_read_is_the_callers_to_mend() {
    let trial = Trial::new();
    let said = trial.call(&["Fail", "E_MESSAGE: queryString: expected a value"]);
    let said = said.fails(1, "E_GUEST");
    assert!(said.contains("help: The payload is not the message that Fail takes. docs/"), "{said}");
    let said = trial.call(&["Fail", "out of luck"]).fails(1, "E_GUEST");
    assert!(said.contains("read its log"), "its own affair: {said}");
    let replies = trial.sandbox.write("replies.json", r#"[{"error":"E_MESSAGE: odd"}]"#);
    let said = trial.call(&["Host", "x", "--replies", arg(&replies)]).fails(1, "E_GUEST");
    assert!(said.contains("takes, or a reply is not what"), "{said}");
}

#[test]
fn an_upgrade_in_the_middle_of_a_call_breaks_nothing() {
    let trial = Trial::new();
    let ours = trial.sandbox.path("trellis");
    let binary = env!("CARGO_BIN_EXE_trellis");
    let link = std::fs::hard_link(binary, &ours);
    link.or_else(|_| std::fs::copy(binary, &ours).map(drop)).expect("room for a copy");
    let cache = trial.sandbox.path("cache");
    let mut child = Command::new(&ours)
        .args(["call", &trial.file, "Echo", "-", "--cache-dir", arg(&cache)])
        .env("HOME", trial.sandbox.path("."))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it is a program");
    // It waits for its payload, and has compiled nothing yet.
    std::fs::remove_file(&ours).expect("it is ours");
    child.stdin.take().expect("it was piped").write_all(b"hello").expect("it reads");
    let done = child.wait_with_output().expect("it ran");
    assert_eq!((done.status.code(), &*done.stdout), (Some(0), &b"hello"[..]), "{done:?}");
}

#[test]
fn log_lines_are_shown_on_request_and_cannot_steer_the_terminal() {
    let trial = Trial::new();
    let silent = trial.call(&["Print", "a line"]);
    assert_eq!((silent.code, silent.stderr.as_str()), (0, ""));
    let traced = trial.call(&["Print", "a line", "--trace"]);
    assert!(traced.stderr.contains("log: a line\n"), "{traced:?}");
    let hostile = trial.call(&["Print", "\x1b[31mred\nforged", "--trace"]);
    assert!(!hostile.stderr.contains('\x1b'), "{hostile:?}");
    assert!(!hostile.stderr.contains("\nforged"), "{hostile:?}");
}

/// A guest of an older SDK, which forwards its payload in the form of its time.
fn old_guest(parameters: usize, names: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
          (import "wapc" "__guest_request" (func $request (param i32 i32)))
          (import "wapc" "__guest_response" (func $response (param i32 i32)))
          (import "wapc" "__host_call" (func $call (param {}) (result i32)))
          (import "wapc" "__host_response_len" (func $reply_len (result i32)))
          (import "wapc" "__host_response" (func $reply (param i32)))
          (memory (export "memory") 1) (data (i32.const 0) "wascc:keyvalue!Add")
          (func (export "__guest_call") (param $op i32) (param $len i32) (result i32)
            (call $request (i32.const 512) (i32.const 1024))
            (drop (call $call {names} (i32.const 1024) (local.get $len)))
            (call $reply (i32.const 1024))
            (call $response (i32.const 1024) (call $reply_len)) (i32.const 1)))"#,
        "i32 ".repeat(parameters)
    );
    wat::parse_str(text).expect("well-formed")
}

#[test]
fn modules_of_older_forms_are_called_alike() {
    let apart = "(i32.const 0) (i32.const 14) (i32.const 15) (i32.const 3)";
    let joined = "(i32.const 0) (i32.const 18)";
    let sandbox = Sandbox::new();
    let replies = sandbox.write("replies.json", r#"[{"replyText":"seven"}]"#);
    for (parameters, names) in [(6, apart), (4, joined)] {
        let module = old_guest(parameters, names);
        let file = arg(&sandbox.signed(&format!("old-{parameters}"), &module, &["-k"])).to_owned();
        let call = ["call", &file, "Run", "payload", "--replies", arg(&replies), "--trace"];
        let ran = sandbox.run(&call);
        let line = "-> wascc:keyvalue Add (binding default) payload";
        assert!(ran.stderr.contains(line), "{parameters}: {ran:?}");
        assert_eq!(ran.ok(), "seven", "{parameters}");
        let seen = sandbox.run(&["inspect", &file]).ok();
        let dialect = format!("wapc, host call with {parameters} arguments");
        assert!(seen.contains(&dialect), "{seen}");
    }
}

#[test]
fn the_help_of_a_refused_module_can_help() {
    let sandbox = Sandbox::new();
    let guest = |item: &str| {
        let text = format!(
            r#"(module (memory (export "memory") 1) {item}
               (func (export "__guest_call") (param i32 i32) (result i32) (i32.const 1)))"#
        );
        wat::parse_str(text).expect("well-formed")
    };
    for (item, code, says, says_not) in [
        ("(table 30000 funcref)", "E_MEMORY", "default limits", "limits.memory"),
        ("(table 1 funcref) (table 1 funcref)", "E_MODULE_LIMIT", "2 tables", "manifest"),
        ("(tag)", "E_MODULE_ABI", "WebAssembly 2.0", "copied whole"),
        (
            "(func (export \"wapc_init\") (result i32) (i32.const 0))",
            "E_MODULE_ABI",
            "wapc_init",
            "-",
        ),
    ] {
        let file = sandbox.write("refused.wasm", guest(item));
        let ran = sandbox.run(&["call", arg(&file), "Run", "--allow-unsigned"]);
        let said = ran.fails(if code == "E_MEMORY" { 1 } else { 6 }, code);
        assert!(said.contains(says), "{item}: {said}");
        assert!(says_not == "-" || !said.contains(says_not), "{item}: {said}");
    }
}
