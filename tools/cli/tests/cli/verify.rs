//! `trellis verify`: what a host would refuse, and by which code.

use trellis_claims::{ClaimsDraft, FixedClock, KeyKind, KeyPair};

use crate::guest;
use crate::sandbox::{Sandbox, arg};

#[test]
fn ones_own_signature_is_trusted_and_others_are_not() {
    let (mine, theirs) = (Sandbox::new(), Sandbox::new());
    let file = mine.signed("echo", &guest::module(), &[]);
    let accepted = mine.run(&["verify", arg(&file), "-o", "json"]).json();
    assert_eq!(accepted["accepted"], true);
    let issuer = accepted["issuer"].as_str().expect("a key").to_owned();

    theirs.run(&["verify", arg(&file)]).fails(4, "E_ISSUER");
    theirs.run(&["keys", "gen", "account"]).ok();
    theirs.run(&["verify", arg(&file)]).fails(4, "E_ISSUER");
    theirs.run(&["verify", arg(&file), "-o", "json"]).fails_json(4, "E_ISSUER");
    theirs.run(&["verify", arg(&file), "--issuer", &issuer]).ok();
    mine.run(&["verify", arg(&file), "--issuer", "default"]).ok();
    // As a host does: an account that is only there to sign with is not trusted.
    let work = mine.write("work.wasm", guest::module());
    mine.run(&["keys", "gen", "account", "work"]).ok();
    mine.run(&["sign", arg(&work), "--issuer", "work"]).ok();
    mine.run(&["verify", "work_s.wasm"]).fails(4, "E_ISSUER");
    mine.run(&["verify", "work_s.wasm", "--issuer", "work"]).ok();
    theirs.run(&["verify", arg(&file), "--issuer", "AWRONG"]).fails(3, "E_NOT_FOUND");

    let trust = |text: String| {
        let path = theirs.write("trust.yaml", format!("actors: []\ntrust: {{{text}}}\n"));
        theirs.run(&["verify", arg(&file), "--trust", arg(&path)])
    };
    trust(format!("issuers: [{issuer}]")).ok();
    trust(format!("issuers: [{issuer}], revoked: [{issuer}]")).fails(4, "E_REVOKED");
    let subject = accepted["module"].as_str().expect("a key");
    trust(format!("issuers: [{issuer}], revoked: [{subject}]")).fails(4, "E_REVOKED");
    assert_eq!(trust("issuers: [".to_owned()).code, 6);
    theirs.run(&["verify", arg(&file), "--trust", "missing.yaml"]).fails(3, "E_NOT_FOUND");
}

#[test]
fn a_manifest_trusts_whom_a_host_trusts_that_runs_it() {
    let sandbox = Sandbox::new();
    let file = sandbox.signed("echo", &guest::module(), &[]);
    let unsigned = sandbox.write("unsigned.wasm", guest::module());
    let subject = sandbox.run(&["verify", arg(&file), "-o", "json"]).json();
    let subject = subject["module"].as_str().expect("a key").to_owned();
    let other = KeyPair::generate(KeyKind::Module).public().to_string();
    let verify = |file: &std::path::Path, text: String| {
        let path = sandbox.write("trust.yaml", format!("actors: []\n{text}"));
        sandbox.run(&["verify", arg(file), "--trust", arg(&path), "-o", "json"])
    };
    // One that names no issuer leaves the user's own, whatever else it says.
    for text in ["name: t\n".to_owned(), format!("trust: {{revoked: [{other}]}}\n")] {
        assert_eq!(verify(&file, text).json()["accepted"], true);
    }
    verify(&file, format!("trust: {{revoked: [{subject}]}}\n")).fails_json(4, "E_REVOKED");
    verify(&unsigned, "name: t\n".to_owned()).fails_json(4, "E_UNSIGNED");
    let admitted = verify(&unsigned, "trust: {unsigned: allow}\n".to_owned());
    assert!(admitted.stderr.contains("for development only"), "{}", admitted.stderr);
    let admitted = admitted.json();
    assert_eq!((&admitted["accepted"], &admitted["issuer"]), (&true.into(), &().into()));
}

#[test]
fn an_older_revision_is_found_before_it_is_put_in_place() {
    let sandbox = Sandbox::new();
    let old = sandbox.signed("echo", &guest::module(), &["--rev", "1"]);
    let new = sandbox.write("new.wasm", guest::module());
    sandbox.run(&["sign", arg(&new), "-d", arg(&new), "-n", "echo", "--rev", "2"]).ok();
    sandbox.run(&["verify", arg(&new), "--replaces", arg(&old)]).ok();
    sandbox.run(&["verify", arg(&old)]).ok();
    let ran = sandbox.run(&["verify", arg(&old), "--replaces", arg(&new)]);
    let told = ran.fails(4, "E_REVISION");
    assert!(told.contains("`--rev 2`"), "{told}");
    let other = sandbox.signed("other", &guest::module(), &[]);
    sandbox.run(&["verify", arg(&other), "--replaces", arg(&new)]).fails(4, "E_ACTOR_KEY");
    let plain = sandbox.write("plain.wasm", guest::module());
    sandbox.run(&["verify", arg(&new), "--replaces", arg(&plain)]).fails(4, "E_UNSIGNED");
}

#[test]
fn an_unsigned_module_can_be_revoked_by_the_key_it_goes_by() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("echo.wasm", guest::module());
    let seen = sandbox.run(&["inspect", arg(&file), "-o", "json"]).json();
    let key = seen["unsignedKey"].as_str().expect("it has no claims");
    assert!(sandbox.run(&["inspect", arg(&file)]).ok().contains(key));
    let args = ["call", arg(&file), "Echo", "--allow-unsigned"];
    sandbox.run(&args).ok();
    let trust = sandbox.write("trust.yaml", format!("actors: []\ntrust: {{revoked: [{key}]}}\n"));
    let args = [args.as_slice(), &["--trust", arg(&trust)]].concat();
    sandbox.run(&args).fails(4, "E_REVOKED");
    let signed = sandbox.signed("echo", &guest::module(), &[]);
    let seen = sandbox.run(&["inspect", arg(&signed), "-o", "json"]).json();
    assert!(seen.get("unsignedKey").is_none(), "{seen}");
}

#[test]
fn a_changed_byte_is_found() {
    let sandbox = Sandbox::new();
    let file = sandbox.signed("echo", &guest::module(), &[]);
    let mut bytes = std::fs::read(&file).expect("signed");
    let place = bytes.windows(9).position(|w| w == b"wascc:key").expect("the data segment");
    bytes[place] ^= 1;
    let tampered = sandbox.write("tampered.wasm", &bytes);
    sandbox.run(&["verify", arg(&tampered)]).fails(4, "E_HASH");
    sandbox.run(&["call", arg(&tampered), "Echo"]).fails(4, "E_HASH");
    sandbox.run(&["call", arg(&tampered), "Echo", "--allow-unsigned"]).fails(4, "E_HASH");
    let seen = sandbox.run(&["inspect", arg(&tampered), "-o", "json"]).json();
    assert_eq!(seen["state"], "E_HASH");
    assert_eq!(
        (&seen["checks"]["signature"], &seen["checks"]["hash"]),
        (&"passed".into(), &"failed".into())
    );
    let cut = sandbox.write("cut.wasm", &bytes[..bytes.len() / 2]);
    sandbox.run(&["verify", arg(&cut)]).fails(6, "E_MODULE_INVALID");
}

#[test]
fn unsigned_expired_and_early_modules_are_refused() {
    let sandbox = Sandbox::new();
    let unsigned = sandbox.write("unsigned.wasm", guest::module());
    sandbox.run(&["verify", arg(&unsigned)]).fails(4, "E_UNSIGNED");
    let early = sandbox.signed("early", &guest::module(), &["-b", "2"]);
    sandbox.run(&["verify", arg(&early)]).fails(4, "E_NOT_YET");

    let (issuer, subject) =
        (KeyPair::generate(KeyKind::Account), KeyPair::generate(KeyKind::Module));
    let draft =
        ClaimsDraft { expires: Some(1_000_000), ..ClaimsDraft::new(subject.public().clone()) };
    let long_ago = FixedClock::at(999_000);
    let module = trellis_claims::sign(&guest::module(), &draft, &issuer, &long_ago);
    let expired = sandbox.write("expired.wasm", module.expect("it was fine then"));
    let args = ["verify", arg(&expired), "--issuer", issuer.public().as_str()];
    sandbox.run(&args).fails(4, "E_EXPIRED");
    sandbox.run(&["call", arg(&expired), "Echo"]).fails(4, "E_EXPIRED");
    let seen = sandbox.run(&["inspect", arg(&expired), "-o", "json"]).json();
    assert_eq!((&seen["state"], &seen["checks"]["time"]), (&"E_EXPIRED".into(), &"failed".into()));
    assert!(seen["claims"]["expiresHuman"].as_str().is_some_and(|text| text.ends_with("days ago")));
}
