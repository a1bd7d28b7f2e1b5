//! `trellis sign`: an actor keeps its key.

use std::path::Path;

use crate::guest;
use crate::sandbox::{Sandbox, arg};

fn module_key(sandbox: &Sandbox, file: &Path) -> String {
    let seen = sandbox.run(&["inspect", arg(file), "-o", "json"]).json();
    seen["claims"]["subject"].as_str().expect("it is signed").to_owned()
}

#[test]
fn another_developers_key_is_refused_and_told() {
    let (first, second) = (Sandbox::new(), Sandbox::new());
    let signed = first.signed("counter", &guest::module(), &[]);
    let old = module_key(&first, &signed);
    let bytes = std::fs::read(&signed).expect("it was signed");

    // The destination was signed by somebody else.
    let plain = second.write("counter.wasm", guest::module());
    let there = second.write("app.wasm", &bytes);
    let onto = ["sign", arg(&plain), "-d", arg(&there)];
    let said = second.run(&onto).fails(4, "E_ACTOR_KEY");
    let wrong = format!("If {} is the one that is wrong, remove it first", there.display());
    for part in ["actor key changed", &old, "a new key", "--subject", "--force", &wrong] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(std::fs::read(&there).expect("it is there"), bytes, "nothing was written");
    assert!(!second.keys().exists(), "no key was made");

    // So was the source.
    let source = second.write("theirs.wasm", &bytes);
    second.run(&["sign", arg(&source)]).fails(4, "E_ACTOR_KEY");
    second.run(&["sign", arg(&source), "-o", "json"]).fails_json(4, "E_ACTOR_KEY");

    // Keeping the key, with an account of one's own.
    let kept = second.run(&[onto.as_slice(), &["--subject", &old]].concat());
    assert!(kept.stderr.contains("replaced the claims by"), "{kept:?}");
    kept.ok();
    assert_eq!(module_key(&second, &there), old);

    // Another actor, on purpose.
    let forced = second.run(&[onto.as_slice(), &["--force"]].concat());
    assert!(forced.stderr.contains("actor key changed") && forced.stderr.contains(&old));
    forced.ok();
    let new = module_key(&second, &there);
    assert_ne!(new, old);
    let said = second.run(&[onto.as_slice(), &["--subject", &old]].concat());
    let said = said.fails(4, "E_ACTOR_KEY");
    assert!(said.contains(&old) && said.contains(&new), "both keys are named: {said}");
}

#[test]
fn signing_ones_own_actor_again_is_no_change() {
    let sandbox = Sandbox::new();
    let signed = sandbox.signed("counter", &guest::module(), &[]);
    for source in ["counter.wasm", arg(&signed)] {
        let again = ["sign", source, "-n", "counter", "-d", arg(&signed), "-k"];
        sandbox.run(&again).ok();
        let ran = sandbox.run(&[again.as_slice(), &["-o", "json"]].concat()).json();
        assert_eq!(ran["result"], "unchanged");
    }
    // Under another name it is another actor.
    let renamed = ["sign", "counter.wasm", "-n", "other", "-d", arg(&signed)];
    sandbox.run(&renamed).fails(4, "E_ACTOR_KEY");
}
