//! `trellis sign`: names in claims that are names of nothing.

use crate::guest;
use crate::sandbox::{Ran, Sandbox, arg};

fn sign(sandbox: &Sandbox, options: &[&str]) -> Ran {
    let file = sandbox.write("echo.wasm", guest::module());
    sandbox.run(&[&["sign", arg(&file)], options].concat())
}

#[test]
fn a_mistyped_name_is_refused_before_anything_is_made() {
    let sandbox = Sandbox::new();
    for (options, said) in [
        (&["--cap", "keyvalue"][..], "Did you mean `wascc:keyvalue`?"),
        (&["--cap", "wascc:keyvlaue"], "Did you mean `wascc:keyvalue`?"),
        (&["--grant", "wascc:keyvalue=Addd"], "Did you mean `Add`?"),
        (&["--grant", "keyvalue=Add"], "Did you mean `wascc:keyvalue`?"),
        (&["--call-alias", "wascc:keyvalue"], "another alias"),
        (&["--calls", "MB4OLDIC3TCZ4Q4TGGOVAZC43VXFE2JQVRAXQMQFXUCREOOF"], "whole key"),
    ] {
        let message = sign(&sandbox, options).fails(2, "E_USAGE");
        assert!(message.contains(said), "{options:?}: {message}");
    }
    let all = sign(&sandbox, &["--cap", "keyvalue", "--grant", "wascc:logging=Wrte"]);
    let all = all.fails(2, "E_USAGE");
    assert!(all.contains("`keyvalue`") && all.contains("`Wrte`"), "all at once: {all}");
    assert!(!sandbox.keys().exists() && !sandbox.path("echo_s.wasm").exists(), "nothing was made");
}

#[test]
fn a_user_may_know_better_about_contracts_and_not_about_operations() {
    let sandbox = Sandbox::new();
    let signed = sign(&sandbox, &["--cap", "wascc:keyvlaue", "--force", "-o", "json"]).json();
    assert_eq!(signed["caps"], serde_json::json!(["wascc:keyvlaue"]));
    sign(&sandbox, &["--grant", "wascc:keyvalue=Addd", "--force"]).fails(2, "E_USAGE");
}

#[test]
fn what_nobody_here_knows_is_warned_of() {
    let sandbox = Sandbox::new();
    sandbox.run(&["keys", "gen", "module", "audit"]).ok();
    let ran = sign(&sandbox, &["--cap", "acme:ledger", "--calls", "audt", "-o", "json"]);
    assert!(ran.stderr.contains("warning: `acme:ledger`"), "{ran:?}");
    assert!(ran.stderr.contains("did you mean `--calls audit`?"), "{ran:?}");
    let signed = ran.json();
    assert_eq!(signed["warnings"].as_array().map(Vec::len), Some(2), "{signed}");
    let known = sign(&sandbox, &["-k", "--calls", "audit", "--cap", "trellis:clock"]);
    assert!(!known.stderr.contains("warning"), "{known:?}");
    let unserved = sign(&sandbox, &["--messaging"]);
    assert!(unserved.stderr.contains("warning: no provider"), "{unserved:?}");
}
