//! Inspection shows what verification decides on, and never fails.

use std::error::Error as _;

use trellis_claims::{inspect, sign, verify};
use trellis_core::Code;

use crate::support::{
    HEADER, account, check, claims_for, clock, draft, good_token, other_account, plain, section,
    token, trust, with_token,
};

#[test]
fn a_sound_module() {
    let signed = sign(&plain(), &draft(), &account(), &clock()).expect("a module");
    let seen = inspect(&signed);
    assert_eq!(seen.section_name, Some("wasmcloud_jwt"));
    assert!([&seen.section, &seen.form, &seen.signature, &seen.hash].iter().all(|c| c.passed()));
    assert!(seen.problem().is_none() && !seen.is_unsigned());
    let verified = check(&signed).expect("just signed");
    assert_eq!(seen.claims.as_ref(), Some(verified.claims().as_ref()));
    assert_eq!(&seen.digest, verified.digest());
    let raw = seen.raw_claims.expect("claims");
    assert_eq!(raw["iss"], account().public().as_str());
    let json = serde_json::to_value(seen.claims).expect("claims are JSON");
    assert_eq!(json["subject"], raw["sub"]);
    assert_eq!(json["wascapRevision"], 3);
}

#[test]
fn what_is_wrong_stands_in_its_check() {
    let states = |module: &[u8]| {
        let seen = inspect(module);
        let states = [&seen.section, &seen.form, &seen.signature, &seen.hash];
        (states.map(|check| check.as_str()), seen.problem().map(|error| error.code()))
    };
    let unsigned = plain();
    assert_eq!(states(&unsigned), (["passed", "skipped", "skipped", "skipped"], None));
    assert!(inspect(&unsigned).is_unsigned());
    let early = [&plain(), &section("jwt", good_token(&plain()).as_bytes())[..], b"\0\0"].concat();
    let expected = (["failed", "skipped", "skipped", "skipped"], Some(Code::Section));
    assert_eq!(states(&early), expected);
    let expected = (["failed", "skipped", "skipped", "skipped"], Some(Code::ModuleInvalid));
    assert_eq!(states(b"text"), expected);
    let malformed = with_token(&plain(), "jwt", "a.b");
    let expected = (["passed", "failed", "skipped", "skipped"], Some(Code::Token));
    assert_eq!(states(&malformed), expected);
    let mut claims = claims_for(b"another module");
    let grafted = token(HEADER, &claims.to_string(), &account());
    let expected = (["passed", "passed", "passed", "failed"], Some(Code::Hash));
    assert_eq!(states(&with_token(&plain(), "jwt", &grafted)), expected);
    claims = claims_for(&plain());
    let forged = with_token(&plain(), "jwt", &token(HEADER, &claims.to_string(), &other_account()));
    let expected = (["passed", "passed", "failed", "passed"], Some(Code::Signature));
    assert_eq!(states(&forged), expected);
    let seen = inspect(&forged);
    assert_eq!(seen.claims.and_then(|claims| claims.name).as_deref(), Some("Echo"));
}

#[test]
fn claims_that_do_not_fit_are_still_shown_raw() {
    let mut claims = claims_for(&plain());
    claims["sub"] = "no key".into();
    let module = with_token(&plain(), "jwt", &token(HEADER, &claims.to_string(), &account()));
    let seen = inspect(&module);
    assert!(seen.claims.is_none());
    assert_eq!(seen.raw_claims, Some(claims));
    assert_eq!(seen.problem().map(|error| error.code()), Some(Code::Key));
}

#[test]
fn an_error_names_its_cause_once() {
    let cut = &plain()[..plain().len() - 1];
    let error = verify(cut, &trust(), &clock()).expect_err("no module");
    let source = error.source().expect("the parser's error").to_string();
    assert!(!error.to_string().contains(&source), "{error} / {source}");
    assert!(error.to_string().starts_with("E_MODULE_INVALID: "));
    let message = error.message();
    assert!(message.starts_with("not a well-formed WebAssembly module at byte "), "{error}");
}

#[test]
fn a_file_of_another_kind_is_called_that() {
    for (file, says) in [
        (&b""[..], "empty"),
        (b"#!/bin/sh", "does not begin with `\\0asm`"),
        (b"\x7fELF\x02", "does not begin with `\\0asm`"),
        (b"\n  (module)", "in text form"),
        (b";; a comment\n(module)", "in text form"),
    ] {
        let error = verify(file, &trust(), &clock()).expect_err("no module");
        assert!(error.message().contains(says) && error.source().is_none(), "{error}");
    }
    let error = verify(b"\0as", &trust(), &clock()).expect_err("cut");
    assert!(error.message().contains("at byte"), "{error}");
}
