//! `trellis par`: archives are made, completed, shown and checked by the same rules as modules.

use std::path::Path;

use crate::sandbox::{Sandbox, arg};

/// A program, as far as an archive is concerned.
const PROGRAM: &[u8] = b"#!/bin/sh\nexit 3\n";
const LINUX: [&str; 4] = ["--arch", "x86_64", "--os", "linux"];
const MAC: [&str; 4] = ["--arch", "aarch64", "--os", "macos"];

fn create(sandbox: &Sandbox, more: &[&str]) -> crate::sandbox::Ran {
    let program = sandbox.write("geo", PROGRAM);
    create_of(sandbox, &program, more)
}

fn create_of(sandbox: &Sandbox, program: &Path, more: &[&str]) -> crate::sandbox::Ran {
    let args = ["par", "create", arg(program), "--capability", "demo:geo", "--vendor", "Acme"];
    sandbox.run(&[&args[..], &LINUX, more].concat())
}

#[test]
fn an_archive_is_made_completed_and_accepted() {
    let sandbox = Sandbox::new();
    let made = create(&sandbox, &["--rev", "1"]).ok();
    assert!(made.starts_with("created ") && made.contains("serves    demo:geo"), "{made}");
    let archive = sandbox.path("geo.par");
    let par = arg(&archive);
    let seeds = std::fs::read_dir(sandbox.keys()).expect("a keystore").count();
    assert_eq!(seeds, 2, "an account key and a service key");

    let other = sandbox.write("geo-mac", b"another program");
    let mac = |more: &[&str]| {
        sandbox.run(&[&["par", "insert", par, arg(&other)], &MAC[..], more].concat())
    };
    let inserted = mac(&[]).ok();
    assert!(inserted.starts_with("inserted ") && inserted.contains("aarch64-macos"), "{inserted}");
    assert!(mac(&[]).ok().starts_with("unchanged "), "it says that already");
    sandbox.write("geo-mac", b"a third program");
    assert!(mac(&[]).fails(2, "E_USAGE").contains("another program for aarch64-macos"));
    mac(&["--force", "--rev", "2"]).ok();

    let seen = sandbox.run(&["-o", "json", "par", "inspect", par]).json();
    assert_eq!(seen["state"], "valid");
    assert_eq!(seen["claims"]["capability"], "demo:geo");
    assert_eq!(seen["claims"]["revision"], 2);
    assert_eq!(seen["programs"][1]["target"], "x86_64-linux");
    assert_eq!(seen["programs"][1]["sizeBytes"], PROGRAM.len());
    assert_eq!(seen["programs"][1]["state"], "signed");
    let verify = [&["-o", "json", "par", "verify", par], &LINUX[..]].concat();
    let accepted = sandbox.run(&verify).json();
    assert_eq!(accepted["accepted"], true);
    assert_eq!(accepted["targets"][0], "aarch64-macos");
    let riscv = ["par", "verify", par, "--arch", "riscv64", "--os", "linux"];
    assert!(sandbox.run(&riscv).fails(3, "E_NOT_FOUND").contains("it has: aarch64-macos"));
}

#[test]
fn the_same_again_changes_nothing_and_nothing_is_lost() {
    let sandbox = Sandbox::new();
    create(&sandbox, &[]).ok();
    let archive = sandbox.path("geo.par");
    let before = std::fs::read(&archive).expect("it was made");
    assert!(create(&sandbox, &[]).ok().starts_with("unchanged "));
    assert_eq!(std::fs::read(&archive).expect("it is there"), before);
    assert!(create(&sandbox, &["--rev", "2"]).ok().starts_with("created "), "it says more");

    let other = create(&sandbox, &["--name", "maps"]).fails(2, "E_USAGE");
    assert!(other.contains("is the archive of another provider, V"), "{other}");
    assert_eq!(std::fs::read_dir(sandbox.keys()).expect("a keystore").count(), 2, "no key is made");
    create(&sandbox, &["--name", "maps", "--force"]).ok();
    let program = sandbox.path("geo");
    sandbox.run(&[&["par", "insert", arg(&archive), arg(&program)], &MAC[..]].concat()).ok();
    let lost = create(&sandbox, &["--name", "maps"]).fails(2, "E_USAGE");
    assert!(lost.contains("also holds programs for aarch64-macos"), "{lost}");

    let file = sandbox.write("notes.txt", "mine");
    let args = ["--destination", arg(&file)];
    assert!(create(&sandbox, &args).fails(2, "E_USAGE").contains("is not an archive"));
    assert_eq!(std::fs::read(&file).expect("it is there"), b"mine");
}

#[test]
fn what_a_host_would_refuse_is_refused() {
    let sandbox = Sandbox::new();
    create(&sandbox, &["--compress"]).ok();
    let archive = sandbox.path("geo.par");
    let par = arg(&archive);
    let verify = |more: &[&str]| sandbox.run(&[&["par", "verify", par], &LINUX[..], more].concat());
    verify(&[]).ok();
    let stranger = sandbox.run(&["keys", "gen", "account", "stranger"]);
    stranger.ok();
    verify(&["--issuer", "stranger"]).fails(4, "E_ISSUER");

    let json = sandbox.run(&["-o", "json", "par", "inspect", par]).json();
    assert_eq!((&json["compressed"], &json["checks"]["hashes"]), (&true.into(), &"passed".into()));
    let key = json["claims"]["provider"].as_str().expect("a key").to_owned();
    let manifest = format!("actors: []\ntrust: {{revoked: [{key}]}}\n");
    let manifest = sandbox.write("manifest.yaml", manifest);
    verify(&["--trust", arg(&manifest)]).fails(4, "E_REVOKED");

    let mut bytes = std::fs::read(&archive).expect("it was made");
    let middle = bytes.len() / 2;
    bytes.truncate(middle);
    sandbox.write("geo.par", &bytes);
    verify(&[]).fails(6, "E_ARCHIVE");
    sandbox.run(&["par", "inspect", par]).fails(6, "E_ARCHIVE");
    let program = sandbox.path("geo");
    sandbox.run(&["par", "insert", par, arg(&program)]).fails(6, "E_ARCHIVE");
    let missing = sandbox.run(&["par", "verify", "geo.pat"]).fails(3, "E_NOT_FOUND");
    assert!(missing.contains("id you mean"), "{missing}");
}

#[test]
fn what_no_host_would_take_is_not_signed() {
    let sandbox = Sandbox::new();
    let program = sandbox.write("geo", PROGRAM);
    let make = |capability: &str, vendor: &str, more: &[&str]| {
        let args = ["par", "create", arg(&program), "-c", capability, "--vendor", vendor];
        sandbox.run(&[&args[..], more].concat())
    };
    let wrong = |ran: crate::sandbox::Ran, why: &str| {
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains(why), "{why}: {ran:?}");
    };
    for id in ["", "geo", "demo:", ":geo", "demo:g eo", "demo:geo\n"] {
        wrong(make(id, "Acme", &[]), "a namespace and a name");
    }
    for vendor in ["", "  ", "Acme\nInc", &"a".repeat(257)] {
        wrong(make("demo:geo", vendor, &[]), "one line of text");
    }
    wrong(make("demo:geo", "Acme", &["--name", ""]), "one line of text");
    wrong(make("demo:geo", "Acme", &["--ver", "1\n2"]), "one line of text");
    for (option, word, meant) in [
        ("--arch", "amd64", "x86_64"),
        ("--arch", "aarch46", "aarch64"),
        ("--os", "darwin", "macos"),
    ] {
        let failed = make("demo:geo", "Acme", &[option, word]).fails(2, "E_USAGE");
        assert!(failed.contains(&format!("mean `{meant}`")), "{word}: {failed}");
    }
    let plain = sandbox.write("geo", b"echo it runs\n");
    let failed = create_of(&sandbox, &plain, &[]).fails(2, "E_USAGE");
    assert!(failed.contains("neither an ELF program nor a script"), "{failed}");
    assert!(!sandbox.path("geo.par").exists() && !sandbox.keys().exists(), "nothing is left");
    sandbox.write("geo", PROGRAM);
    create(&sandbox, &[]).ok();
    sandbox.write("geo", b"echo it runs\n");
    let archive = sandbox.path("geo.par");
    let insert = [&["par", "insert", arg(&archive), arg(&plain), "--force"], &LINUX[..]].concat();
    let failed = sandbox.run(&insert).fails(2, "E_USAGE");
    assert!(failed.contains("neither an ELF program nor a script"), "{failed}");
}

#[test]
fn a_platform_is_named_in_plain_words() {
    let sandbox = Sandbox::new();
    let program = sandbox.write("geo", PROGRAM);
    let args = ["par", "create", arg(&program), "-c", "demo:geo", "--vendor", "A", "--arch"];
    let failed = sandbox.run(&[&args[..], &["x86_64-linux"]].concat()).fails(2, "E_USAGE");
    assert!(failed.contains("names no architecture or system"), "{failed}");
}
