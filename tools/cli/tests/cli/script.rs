//! `trellis call --script`.

use serde_json::{Value, json};

use crate::guest;
use crate::sandbox::{Ran, Sandbox, arg};

fn lines(ran: &Ran) -> Vec<Value> {
    let text = std::str::from_utf8(&ran.stdout).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON on every line")).collect()
}

/// Every way a step can go, in one script.
fn steps() -> Value {
    json!([
        {"operation": "Count"},
        {"operation": "Count"},
        {"operation": "Fail", "payloadText": "no"},
        {"operation": "Count"},
        {"operation": "Trap"},
        {"operation": "Count"},
        {"operation": "Loop"},
        {"operation": "Count"},
        {"operation": "Echo", "payloadHex": "00ff"},
        {"operation": "Print", "payloadText": "hello"},
        {"operation": "Host", "payloadText": "p", "replies": [{"replyHex": "c0"}, {"replyText": "unused"}]},
        {"operation": "Host", "replies": [{"error": "full"}]},
        {"operation": "Host"},
        {"operation": "Other", "payloadHex": ""},
        {"operation": "E".repeat(257)},
    ])
}

#[test]
fn one_instance_serves_every_step_until_it_breaks() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("guest.wasm", guest::module());
    let script = sandbox.write("steps.json", steps().to_string());
    let ran = sandbox.run(&[
        "call",
        arg(&file),
        "--script",
        arg(&script),
        "--allow-unsigned",
        "--timeout",
        "200ms",
    ]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let results = lines(&ran);
    let statuses: Vec<_> = results.iter().map(|r| r["status"].as_str().expect("text")).collect();
    assert_eq!(
        statuses,
        [
            "ok",
            "ok",
            "guest_error",
            "ok",
            "trap",
            "ok",
            "timeout",
            "ok",
            "ok",
            "ok",
            "ok",
            "guest_error",
            "guest_error",
            "ok",
            "refused",
        ]
    );
    let hex = |index: usize| results[index]["responseHex"].as_str().expect("text");
    assert_eq!([hex(0), hex(1), hex(3)], ["31", "32", "33"], "one instance, errors included");
    assert_eq!([hex(5), hex(7)], ["31", "31"], "a trap and a timeout replace it");
    assert_eq!(hex(8), "00ff");
    assert_eq!(results[2]["error"], "no");
    assert_eq!(results[9]["log"], json!(["hello"]));
    let call = json!([{
        "binding": "default", "namespace": "wascc:keyvalue", "operation": "Add", "payloadHex": "70"
    }]);
    assert_eq!((hex(10), &results[10]["hostCalls"]), ("c0", &call));
    assert!(results[11]["error"].as_str().expect("text").contains("full"));
    assert!(results[12]["error"].as_str().expect("text").contains("no reply is left"));
    assert!(results[14]["error"].as_str().expect("text").starts_with("E_BAD_NAME: "));
    let fields = ["error", "hostCalls", "log", "micros", "operation", "responseHex", "status"];
    for result in &results {
        let keys: Vec<_> = result.as_object().expect("an object").keys().collect();
        assert_eq!(keys, fields);
    }
    // The clock that cuts ticks once a millisecond.
    let micros = results[6]["micros"].as_u64().expect("a number");
    assert!((190_000..5_000_000).contains(&micros), "{micros}");
}

#[test]
fn a_refused_module_refuses_every_step() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("guest.wasm", guest::module());
    let steps = b"{\"operation\": \"Echo\"}\n{\"operation\": \"Echo\"}\n";
    let ran = sandbox.run_with(&["call", arg(&file), "--script", "-"], steps);
    assert_eq!(ran.code, 4, "{ran:?}");
    let results = lines(&ran);
    assert_eq!(results.len(), 2);
    for result in results {
        assert_eq!(result["status"], "refused");
        assert!(result["error"].as_str().expect("text").starts_with("E_UNSIGNED: "), "{result}");
    }
}

#[test]
fn a_malformed_script_runs_nothing() {
    let sandbox = Sandbox::new();
    let file = sandbox.signed("guest", &guest::module(), &[]);
    let script = sandbox.write("steps.json", r#"[{"operation": "Echo"}, {"op": "Echo"}]"#);
    let said = sandbox.run(&["call", arg(&file), "--script", arg(&script)]).fails(6, "E_MESSAGE");
    assert!(said.contains("steps.json") && said.contains("unknown field `op`"), "{said}");
    sandbox.run(&["call", arg(&file), "--script", "missing.json"]).fails(3, "E_NOT_FOUND");
}
