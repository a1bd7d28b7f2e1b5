//! `trellis sign` and `trellis inspect`.

use trellis_claims::{Clock, SystemClock};

use crate::guest;
use crate::sandbox::{Sandbox, arg};

#[test]
fn signing_makes_keys_says_which_and_where() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("echo.wasm", guest::module());
    let ran = sandbox.run(&["sign", arg(&file), "-o", "json"]);
    for made in ["made the account key `default`", "made the module key `echo`"] {
        assert!(ran.stderr.contains(made), "{ran:?}");
    }
    let signed = ran.json();
    let destination = sandbox.path("echo_s.wasm");
    assert_eq!(signed["destination"], arg(&destination));
    assert_eq!(signed["result"], "signed");
    assert_eq!(
        (signed["name"].as_str(), signed["issuerKey"].as_str()),
        (Some("echo"), Some("default"))
    );
    let size = std::fs::metadata(&destination).expect("it was written").len();
    assert_eq!(signed["sizeBytes"], size);

    let seen = sandbox.run(&["inspect", arg(&destination), "-o", "json"]).json();
    assert_eq!(seen["state"], "valid");
    assert_eq!(seen["claims"]["issuer"], signed["issuer"]);
    assert_eq!(seen["claims"]["subject"], signed["module"]);
    assert_eq!(seen["claims"]["hash"], signed["hash"]);
    assert_eq!(seen["claims"]["expiresHuman"], "never");

    let before = std::fs::read(&destination).expect("it was written");
    let again = sandbox.run(&["sign", arg(&file), "-o", "json"]).json();
    assert_eq!(again["result"], "unchanged");
    assert_eq!(std::fs::read(&destination).expect("it is there"), before);
    let changed = sandbox.run(&["sign", arg(&file), "-k", "-o", "json"]).json();
    assert_eq!(changed["result"], "signed");
    assert_eq!(changed["grants"], serde_json::json!({}));
    let text = sandbox.run(&["sign", arg(&file), "--quiet"]);
    assert_eq!(text.stderr, "", "--quiet means quiet");
    assert!(text.ok().contains("default"), "it says which key signed");
}

#[test]
fn every_option_reaches_the_claims() {
    let sandbox = Sandbox::new();
    let other = sandbox.run(&["keys", "gen", "module", "pong", "-o", "json"]).json();
    let other = other["publicKey"].as_str().expect("a key");
    let options = [
        "-n",
        "Counter",
        "-k",
        "-q",
        "--http-client",
        "-c",
        "acme:x,acme:y",
        "-t",
        "a",
        "-t",
        "b",
        "-r",
        "7",
        "-v",
        "1.2.3",
        "-a",
        "The-Counter",
        "-x",
        "30",
        "-b",
        "0",
        "--grant",
        "wascc:logging=WriteLog",
        "--grant",
        "wascc:keyvalue=Get,Add",
        "--calls",
        other,
        "--calls",
        "Other-Alias",
    ];
    let file = sandbox.signed("counter", &guest::module(), &options);
    let seen = sandbox.run(&["inspect", arg(&file), "-o", "json"]).json();
    let claims = &seen["claims"];
    let caps = serde_json::json!([
        "wascc:keyvalue",
        "wascc:http_server",
        "wascc:http_client",
        "acme:x",
        "acme:y",
        "wascc:logging"
    ]);
    assert_eq!(claims["caps"], caps);
    assert_eq!(claims["name"], "Counter");
    assert_eq!(claims["tags"], serde_json::json!(["a", "b"]));
    assert_eq!((claims["revision"].as_i64(), claims["version"].as_str()), (Some(7), Some("1.2.3")));
    assert_eq!(claims["callAlias"], "the_counter");
    assert_eq!(claims["grants"]["wascc:keyvalue"], serde_json::json!(["Get", "Add"]));
    assert_eq!(claims["calls"], serde_json::json!([other, "other_alias"]));
    assert!(claims["expiresHuman"].as_str().is_some_and(|text| text.contains("days")), "{claims}");
    let text = sandbox.run(&["inspect", arg(&file)]).ok();
    for shown in
        ["Counter", "wascc:keyvalue", "wapc.__host_call", "__guest_call", "wapc, host call"]
    {
        assert!(text.contains(shown), "{shown}: {text}");
    }
}

#[test]
fn what_was_granted_is_shown_in_either_form() {
    let sandbox = Sandbox::new();
    sandbox.run(&["keys", "gen", "module", "audit"]).ok();
    let file = sandbox.write("echo.wasm", guest::module());
    let args = ["sign", arg(&file), "--grant", "wascc:keyvalue=Get,Add", "--calls", "Audit"];
    let signed = sandbox.run(&[args.as_slice(), &["-o", "json"]].concat()).json();
    assert_eq!(signed["grants"], serde_json::json!({"wascc:keyvalue": ["Get", "Add"]}));
    assert_eq!(signed["calls"], serde_json::json!(["audit"]));
    assert_eq!(signed["warnings"], serde_json::json!([]));
    let text = sandbox.run(&args).ok();
    assert!(text.contains("only   wascc:keyvalue: Get, Add"), "{text}");
    assert!(text.contains("may call audit"), "{text}");
}

#[test]
fn claims_that_end_are_the_same_all_day() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("echo.wasm", guest::module());
    let today = || SystemClock.now_unix_s() / 86_400;
    // Midnight may pass between two signatures, but not twice.
    for _ in 0..2 {
        let day = today();
        let args = ["sign", arg(&file), "--expires", "90", "--nbf", "0", "-o", "json"];
        let first = sandbox.run(&args).json();
        let second = sandbox.run(&args).json();
        if today() != day {
            continue;
        }
        assert_eq!(first["expires"], (day + 91) * 86_400, "the end of the ninetieth day");
        assert_eq!(first["notBefore"], day * 86_400);
        assert_eq!(first["expiresHuman"], "in 90 days");
        assert!(first["notBeforeHuman"].as_str().is_some_and(|at| at != "immediately"));
        assert_eq!(second["result"], "unchanged", "{second}");
        return;
    }
    panic!("midnight passed twice");
}

#[test]
fn when_claims_begin_is_shown() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("echo.wasm", guest::module());
    let text = sandbox.run(&["sign", arg(&file), "--nbf", "3"]).ok();
    let begins = text.lines().find_map(|line| line.strip_prefix("  begins   "));
    let (date, when) = begins.and_then(|at| at.split_once(" 00:00:00 UTC ")).expect("midnight");
    assert!(date.starts_with('2') && date.len() == "2026-11-29".len(), "{text}");
    assert!(["(in 2 days)", "(in 3 days)"].contains(&when), "{text}");
    assert!(!sandbox.run(&["sign", arg(&file)]).ok().contains("begins"), "at once");
    let json = sandbox.run(&["sign", arg(&file), "-o", "json"]).json();
    assert_eq!(json["notBeforeHuman"], "immediately");
}

#[test]
fn a_window_that_never_opens_is_refused() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("echo.wasm", guest::module());
    let said =
        sandbox.run(&["sign", arg(&file), "--expires", "3", "--nbf", "5"]).fails(2, "E_USAGE");
    assert!(said.contains("--nbf 5 begins after --expires 3 has ended"), "{said}");
    let ran = sandbox.run(&["sign", arg(&file), "--expires", "0"]);
    assert!(ran.code == 2 && ran.stderr.contains("leave --expires out"), "{ran:?}");
    sandbox.run(&["sign", arg(&file), "--expires", "3", "--nbf", "3"]).ok();
}

#[test]
fn keys_can_be_chosen_and_not_made() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("echo.wasm", guest::module());
    let said = sandbox.run(&["sign", arg(&file), "--disable-keygen"]).fails(3, "E_NOT_FOUND");
    assert!(said.contains("keys gen account"), "{said}");
    assert!(!sandbox.keys().exists(), "nothing was made");

    sandbox.run(&["keys", "gen", "account", "work"]).ok();
    let subject = sandbox.run(&["keys", "gen", "module", "known", "-o", "json"]).json();
    let subject = subject["publicKey"].as_str().expect("a key").to_owned();
    let out = sandbox.path("out.wasm");
    let signed = sandbox
        .run(&[
            "sign",
            arg(&file),
            "-i",
            "wor",
            "-s",
            &subject,
            "-d",
            arg(&out),
            "--disable-keygen",
            "-o",
            "json",
        ])
        .json();
    let module = subject.as_str().into();
    assert_eq!((&signed["issuerKey"], &signed["module"]), (&"work".into(), &module));
    let seed_file = sandbox.keys().join("work_account.nk");
    let by_file =
        ["sign", arg(&file), "-i", arg(&seed_file), "-s", &subject, "-d", arg(&out), "-o", "json"];
    assert_eq!(sandbox.run(&by_file).json()["issuer"], signed["issuer"]);
    let seed = sandbox.seeds().into_iter().find(|seed| seed.starts_with("SA")).expect("an account");
    let by_pipe = ["sign", arg(&file), "-i", "-", "-s", "known", "-d", arg(&out), "-o", "json"];
    assert_eq!(sandbox.run_with(&by_pipe, seed.as_bytes()).json()["issuer"], signed["issuer"]);
    let said = sandbox.run(&["sign", arg(&file), "-i", &seed]).fails(2, "E_KEYSTORE");
    assert!(said.contains("never taken from the command line"), "{said}");
    let module_key = sandbox.keys().join("known_module.nk");
    sandbox.run(&["sign", arg(&file), "-i", arg(&module_key)]).fails(2, "E_USAGE");
}

#[test]
fn what_cannot_be_signed_is_left_alone() {
    let sandbox = Sandbox::new();
    let text = sandbox.write("notes.txt", "not a module");
    sandbox.run(&["sign", arg(&text)]).fails(6, "E_MODULE_INVALID");
    assert!(!sandbox.keys().exists(), "no key for it either");
    let said = sandbox.run(&["sign", "missing.wasm"]).fails(3, "E_NOT_FOUND");
    assert!(said.contains("missing.wasm") && said.contains("cargo build"), "{said}");
    let file = sandbox.write("echo.wasm", guest::module());
    sandbox.run(&["sign", arg(&file), "-d", arg(&text)]).fails(2, "E_USAGE");
    assert_eq!(std::fs::read(&text).expect("still there"), b"not a module");
    sandbox.run(&["sign", arg(&file), "-d", "no/such/folder/x.wasm"]).fails(3, "E_NOT_FOUND");
    sandbox.run(&["sign", arg(&file), "--calls", "…"]).fails(6, "E_CONFIG");
    for command in ["inspect", "verify", "sign"] {
        let said = sandbox.run(&[command, arg(&text)]).fails(6, "E_MODULE_INVALID");
        assert!(said.contains("notes.txt: the file is not WebAssembly"), "{said}");
        assert!(!said.contains("because"), "nothing of a parser: {said}");
    }
    sandbox.run(&["inspect", arg(&text), "-o", "json"]).fails_json(6, "E_MODULE_INVALID");
    let unsigned = sandbox.run(&["inspect", arg(&file), "-o", "json"]).json();
    assert_eq!((&unsigned["state"], &unsigned["signed"]), (&"unsigned".into(), &false.into()));
}

#[test]
fn the_file_that_may_be_meant_is_named() {
    let sandbox = Sandbox::new();
    sandbox.write("echo.wasm", guest::module());
    let near = sandbox.run(&["sign", arg(&sandbox.path("ech.wasm"))]).fails(3, "E_NOT_FOUND");
    assert!(near.contains("Did you mean") && near.contains("echo.wasm?"), "{near}");
    let folder = sandbox.run(&["sign", arg(&sandbox.path(""))]).fails(1, "E_STORAGE");
    assert!(folder.contains("is a folder; in it are") && folder.contains("echo.wasm"), "{folder}");
}
