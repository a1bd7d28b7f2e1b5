//! Tokens of providers that come as archives: as strict as those of actors.

use serde_json::{Value, json};
use trellis_claims::clock::SKEW_S;
use trellis_claims::{FixedClock, KeyKind, KeyPair, TrustList, inspect_provider, verify_provider};
use trellis_core::Code;

use crate::support::{HEADER, NOW, account, clock, module_key, other_account, token, trust};

fn service() -> KeyPair {
    KeyPair::generate(KeyKind::Service)
}

fn claims(subject: &str) -> Value {
    json!({
        "jti": "id",
        "iat": NOW,
        "iss": account().public().as_str(),
        "sub": subject,
        "wascap": {
            "name": "echo",
            "capid": "demo:echo",
            "vendor": "Acme",
            "rev": 1,
            "ver": "0.1.0",
            "target_hashes": {"x86_64-linux": "0".repeat(64)},
        },
        "wascap_revision": 3,
    })
}

fn code(token: &str, trust: &TrustList) -> Option<Code> {
    verify_provider(token, trust, &clock()).err().map(|error| error.code())
}

#[test]
fn a_right_token_is_believed_and_checked_again() {
    let subject = service();
    let text = token(HEADER, &claims(subject.public().as_str()).to_string(), &account());
    let verified = verify_provider(&text, &trust(), &clock()).expect("it is right");
    assert_eq!(verified.subject(), subject.public());
    assert_eq!(verified.issuer(), account().public());
    assert_eq!(verified.body().contract.as_deref(), Some("demo:echo"));

    assert_eq!(code(&text, &TrustList::new(1)), Some(Code::Issuer));
    for key in [subject.public(), account().public()] {
        let revoked = trust().revoke(key).expect("it may be revoked");
        assert_eq!(code(&text, &revoked), Some(Code::Revoked));
        let error = verified.recheck(&revoked, &clock()).expect_err("it is revoked");
        assert!(error.message().contains(key.as_str()), "{error}");
    }
    let error = verified.recheck(&trust().revoke(subject.public()).expect("a key"), &clock());
    assert!(error.expect_err("it is revoked").message().starts_with("the provider V"));
    assert!(verified.recheck(&trust(), &clock()).is_ok());
}

#[test]
fn a_window_holds_for_providers_too() {
    let mut claims = claims(service().public().as_str());
    (claims["nbf"], claims["exp"]) = (json!(NOW), json!(NOW + 100));
    let text = token(HEADER, &claims.to_string(), &account());
    let at = |now| verify_provider(&text, &trust(), &FixedClock::at(now)).map(drop);
    assert!(at(NOW).is_ok());
    let code = |now| at(now).err().map(|error| error.code());
    assert_eq!(code(NOW + 100 + SKEW_S), Some(Code::Expired));
    assert_eq!(code(NOW - SKEW_S - 1), Some(Code::NotYet));
}

#[test]
fn what_is_wrong_with_a_token_is_told() {
    let subject = service();
    let subject = subject.public().as_str();
    let right = claims(subject);
    let signed = |claims: &Value| token(HEADER, &claims.to_string(), &account());
    let bent = |key: &str, value: Value| {
        let mut claims = right.clone();
        claims["wascap"][key] = value;
        signed(&claims)
    };
    let forged = token(HEADER, &right.to_string(), &other_account());
    let twice = right.to_string().replacen("{", "{\"iat\":1,", 1);
    let hash = "0".repeat(64);
    for (text, expected) in [
        (signed(&right), None),
        (forged, Some(Code::Signature)),
        (signed(&claims(module_key().public().as_str())), Some(Code::Key)),
        (signed(&claims("nobody")), Some(Code::Key)),
        (token(r#"{"typ":"jwt","alg":"none"}"#, &right.to_string(), &account()), Some(Code::Token)),
        (token(HEADER, &twice, &account()), Some(Code::Token)),
        (bent("target_hashes", json!({"x86_64-linux": "0"})), Some(Code::Token)),
        (bent("target_hashes", json!({"x86_64-linux": "g".repeat(64)})), Some(Code::Token)),
        (bent("target_hashes", json!({"a\nb": hash})), Some(Code::Token)),
        (bent("target_hashes", json!(null)), Some(Code::Token)),
        (bent("vendor", json!("\u{1b}[31m")), Some(Code::Token)),
        (bent("capid", json!("a\0")), Some(Code::Token)),
        (bent("name", json!("a\r")), Some(Code::Token)),
        (String::new(), Some(Code::Token)),
        ("x".repeat(100_000), Some(Code::Token)),
    ] {
        assert_eq!(code(&text, &trust()), expected, "{text:.200}");
    }
}

#[test]
fn an_inspection_judges_nothing() {
    let right = claims(service().public().as_str());
    let forged = inspect_provider(&token(HEADER, &right.to_string(), &other_account()));
    assert!(forged.form.passed() && forged.signature.error().is_some());
    assert!(forged.claims.is_some_and(|claims| claims.body.vendor == "Acme"));
    let nonsense = inspect_provider("a.b.c");
    assert!(nonsense.form.error().is_some() && nonsense.claims.is_none());
}
