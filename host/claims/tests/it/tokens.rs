//! Threat B3: every token that is not exactly right is refused, whoever signed it.

use serde_json::{Value, json};
use trellis_claims::ActorClaims;
use trellis_claims::token::{self as kinds, Kind, Terms, Token, issue};
use trellis_claims::{KeyKind, KeyPair};
use trellis_core::Code;

use crate::support::{
    HEADER, NOW, account, claims_for, good_token, module_key, other_account, plain, token,
};

fn refusal(token: &str) -> Option<Code> {
    ActorClaims::decode(token).err().map(|error| error.code())
}

fn with_claims(bend: impl FnOnce(&mut Value)) -> String {
    let mut claims = claims_for(&plain());
    bend(&mut claims);
    token(HEADER, &claims.to_string(), &account())
}

#[test]
fn both_names_of_the_algorithm_are_read() {
    for alg in ["Ed25519", "EdDSA"] {
        let header = format!(r#"{{"alg":"{alg}","typ":"jwt"}}"#);
        let token = token(&header, &claims_for(&plain()).to_string(), &account());
        assert_eq!(refusal(&token), None, "{alg}");
    }
}

#[test]
fn every_other_header_is_refused() {
    let claims = claims_for(&plain()).to_string();
    for header in [
        r#"{"typ":"jwt","alg":"none"}"#,
        r#"{"typ":"jwt","alg":"None"}"#,
        r#"{"typ":"jwt","alg":""}"#,
        r#"{"typ":"jwt","alg":"HS256"}"#,
        r#"{"typ":"jwt","alg":"RS256"}"#,
        r#"{"typ":"jwt","alg":"ES256"}"#,
        r#"{"typ":"jwt","alg":"ed25519"}"#,
        r#"{"typ":"jwt","alg":"ED25519"}"#,
        r#"{"typ":"jwt","alg":"eddsa"}"#,
        r#"{"typ":"jwt","alg":"Ed25519 "}"#,
        r#"{"typ":"jwt","alg":"Ed25519\u0000"}"#,
        r#"{"typ":"jwt","alg":null}"#,
        r#"{"typ":"jwt","alg":["Ed25519"]}"#,
        r#"{"typ":"jwt"}"#,
        r#"{"alg":"Ed25519"}"#,
        r#"{"typ":"JWT","alg":"Ed25519"}"#,
        r#"{"typ":"","alg":"Ed25519"}"#,
        r#"{"Typ":"jwt","Alg":"Ed25519"}"#,
        r#"{"typ":"jwt","alg":"Ed25519","alg":"Ed25519"}"#,
        r#"{"typ":"jwt","alg":"none","alg":"Ed25519"}"#,
        r#"{"typ":"jwt","alg":"Ed25519","kid":"x"}"#,
        r#"{"typ":"jwt","alg":"Ed25519","crit":["b64"],"b64":false}"#,
        r#"["jwt","Ed25519"]"#,
        r#"{"typ":"jwt","alg":"Ed25519"}{}"#,
        "",
    ] {
        assert_eq!(refusal(&token(header, &claims, &account())), Some(Code::Token), "{header}");
    }
}

#[test]
fn segments_and_their_encoding_are_exact() {
    let good = good_token(&plain());
    let [header, claims, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!("three segments");
    };
    let padded_header = format!("{header}=");
    let stray_bits = format!("{}B", &signature[..signature.len() - 1]);
    for bad in [
        String::new(),
        ".".into(),
        "..".into(),
        format!("{header}.{claims}"),
        format!("{header}.{claims}."),
        format!("{header}.{claims}.{signature}."),
        format!("{header}.{claims}.{signature}.{signature}"),
        format!(".{header}.{claims}.{signature}"),
        format!("{padded_header}.{claims}.{signature}"),
        format!("{header}.{claims}=.{signature}"),
        format!("{header}.{claims}.{signature}=="),
        format!("{header}.{claims}.{stray_bits}"),
        format!("{header}.{claims}.{}", &signature[..40]),
        format!("{header}.{claims}.{signature}AA"),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{good}\0"),
        good.replace('.', ".."),
        good.replacen('e', "+", 1),
    ] {
        assert_eq!(refusal(&bad), Some(Code::Token), "{bad}");
    }
    let long = format!("{header}.{}.{signature}", "A".repeat(kinds::TOKEN_BYTES_MAX));
    assert_eq!(refusal(&long), Some(Code::Token));
}

#[test]
fn required_claims_are_there_and_of_their_type() {
    let set = |key: &'static str, value: Value| with_claims(|claims| claims[key] = value);
    let without = |key: &'static str| {
        with_claims(|claims| drop(claims.as_object_mut().expect("an object").remove(key)))
    };
    for key in ["iss", "sub", "jti"] {
        for bad in [json!(""), json!(null), json!(7), json!(["x"])] {
            assert_eq!(refusal(&set(key, bad.clone())), Some(Code::Token), "{key} = {bad}");
        }
    }
    for key in ["iss", "sub", "jti", "iat", "wascap"] {
        assert_eq!(refusal(&without(key)), Some(Code::Token), "without {key}");
    }
    for key in ["iat", "exp", "nbf"] {
        for bad in [json!(-1), json!(1.5), json!("1"), json!(1e30), json!({})] {
            assert_eq!(refusal(&set(key, bad.clone())), Some(Code::Token), "{key} = {bad}");
        }
    }
    for bad in [json!(-1), json!(4_294_967_296_u64), json!("3")] {
        assert_eq!(refusal(&set("wascap_revision", bad)), Some(Code::Token));
    }
    for bad in [json!(null), json!([]), json!("x")] {
        assert_eq!(refusal(&set("wascap", bad)), Some(Code::Token));
    }
}

#[test]
fn a_body_is_of_its_type_and_clean_text() {
    let body = |key: &'static str, value: Value| {
        refusal(&with_claims(|claims| claims["wascap"][key] = value))
    };
    for (key, bad) in [
        ("hash", json!("")),
        ("hash", json!("ab".repeat(32))),
        ("hash", json!("A".repeat(63))),
        ("hash", json!("G".repeat(64))),
        ("rev", json!(2_147_483_648_u64)),
        ("rev", json!("1")),
        ("prov", json!("true")),
        ("prov", json!(1)),
        ("caps", json!("wascc:keyvalue")),
        ("caps", json!([1])),
        ("grants", json!([])),
        ("grants", json!({"wascc:keyvalue": "Get"})),
        ("calls", json!({})),
        ("name", json!("a\nb")),
        ("name", json!("\u{1b}[31mred")),
        ("ver", json!("1\r")),
        ("tags", json!(["\u{7f}"])),
        ("caps", json!(["a\u{85}b"])),
        ("calls", json!(["a\tb"])),
        ("grants", json!({"a\n": []})),
        ("grants", json!({"a": ["\0"]})),
    ] {
        assert_eq!(body(key, bad.clone()), Some(Code::Token), "{key} = {bad}");
    }
}

#[test]
fn a_key_that_stands_twice_is_refused_at_every_depth() {
    let good = claims_for(&plain()).to_string();
    let twice = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        refusal(&token(HEADER, &good.replacen(from, to, 1), &account()))
    };
    let subject = format!(r#""sub":"{}""#, module_key().public());
    assert_eq!(twice(&subject, &format!("{subject},{subject}")), Some(Code::Token));
    assert_eq!(twice(r#""jti":"id""#, r#""jti":"id","\u006ati":"id""#), Some(Code::Token));
    assert_eq!(twice(r#""prov":false"#, r#""prov":false,"prov":true"#), Some(Code::Token));
    assert_eq!(twice(r#""prov":false"#, r#""x":1,"x":1"#), Some(Code::Token));
    assert_eq!(twice(r#""prov":false"#, r#""x":[{"y":1,"y":1}]"#), Some(Code::Token));
}

#[test]
fn unknown_claims_are_left_alone() {
    let token = with_claims(|claims| {
        claims["aud"] = json!("x");
        claims["wascap"]["later"] = json!({"a": 1});
    });
    assert_eq!(refusal(&token), None);
}

#[test]
fn keys_must_be_of_the_right_kind() {
    let user = KeyPair::generate(KeyKind::User);
    let by = |claims: &Value, pair: &KeyPair| token(HEADER, &claims.to_string(), pair);
    let mut claims = claims_for(&plain());
    for kind in KeyKind::ALL.into_iter().filter(|kind| *kind != KeyKind::Account) {
        let pair = KeyPair::generate(kind);
        claims["iss"] = json!(pair.public().as_str());
        assert_eq!(refusal(&by(&claims, &pair)), Some(Code::Key), "issuer {kind}");
    }
    claims = claims_for(&plain());
    for subject in [user.public().as_str(), account().public().as_str(), "test.wasm"] {
        claims["sub"] = json!(subject);
        assert_eq!(refusal(&by(&claims, &account())), Some(Code::Key), "subject {subject}");
    }
    claims["iss"] = json!("ADKINDOFKEY");
    assert_eq!(refusal(&by(&claims, &account())), Some(Code::Key));
}

#[test]
fn the_signature_is_the_issuers_own() {
    let claims = claims_for(&plain()).to_string();
    assert_eq!(refusal(&token(HEADER, &claims, &other_account())), Some(Code::Signature));
    let good = good_token(&plain());
    let other = with_claims(|claims| claims["wascap"]["prov"] = json!(true));
    let (_, signature) = good.rsplit_once('.').expect("three segments");
    let (signed, _) = other.rsplit_once('.').expect("three segments");
    assert_eq!(refusal(&format!("{signed}.{signature}")), Some(Code::Signature));
}

#[test]
fn claims_are_read_as_they_mean() {
    let callee = other_account().public().to_string();
    let token = with_claims(|claims| {
        claims["exp"] = json!(u64::MAX);
        claims["wascap"] = json!({
            "hash": "0".repeat(64), "caps": ["", "wascc:keyvalue", ""], "tags": ["a"],
            "rev": -3, "ver": "1.2", "call_alias": " My-Échо Actor.v2 ",
            "grants": {"wascc:keyvalue": ["Get"]}, "calls": [callee, "Some-Actor", "é"],
        });
    });
    let claims = ActorClaims::decode(&token).expect("a good token");
    assert_eq!(claims.caps, ["wascc:keyvalue"]);
    assert_eq!(claims.tags, ["a"]);
    assert_eq!(claims.revision, Some(-3));
    assert_eq!(claims.call_alias.as_deref(), Some("my_ch_actor_v2"));
    assert_eq!(claims.grants["wascc:keyvalue"], ["Get"]);
    assert_eq!(claims.calls, [callee.as_str(), "some_actor"]);
    assert_eq!(claims.display_name(), claims.subject.as_str());
    assert_eq!(claims.expires_at(), Some(u64::MAX));
    assert!(!claims.provider);
}

fn round_trip<K: Kind + PartialEq + std::fmt::Debug>(issuer: KeyKind, subject: &str, body: &K) {
    let issuer = KeyPair::generate(issuer);
    let terms = Terms {
        subject: subject.into(),
        issued_at: NOW,
        expires: Some(NOW + 1),
        not_before: Some(NOW),
    };
    let text = issue(&terms, body, &issuer).expect("a sound body");
    let read: Token<K> = Token::decode(&text).expect("our own token");
    assert_eq!(&read.body, body);
    assert_eq!(read.standard.subject, subject);
    assert_eq!(read.standard.revision, Some(3));
    assert_eq!(&read.standard.issuer, issuer.public());
    assert_eq!(refusal(&text), Some(Code::Key), "no actor");
}

#[test]
fn every_kind_of_token_round_trips() {
    let key = |kind| KeyPair::generate(kind).public().to_string();
    let name = Some("n".to_owned());
    let signers = Some(vec![key(KeyKind::Account)]);
    let provider = kinds::Provider {
        name: name.clone(),
        contract: Some("wascc:keyvalue".into()),
        vendor: "us".into(),
        revision: Some(1),
        version: None,
        target_hashes: [("x86_64-linux".to_owned(), "0".repeat(64))].into(),
        config_schema: Some(json!({"type": "object"})),
    };
    round_trip(KeyKind::Account, &key(KeyKind::Service), &provider);
    let account = kinds::Account { name: name.clone(), valid_signers: signers.clone() };
    round_trip(KeyKind::Operator, &key(KeyKind::Account), &account);
    let operator = kinds::Operator { name: name.clone(), valid_signers: signers.clone() };
    round_trip(KeyKind::Operator, &key(KeyKind::Operator), &operator);
    let cluster = kinds::Cluster { name: name.clone(), valid_signers: signers };
    round_trip(KeyKind::Operator, &key(KeyKind::Cluster), &cluster);
    let host = kinds::Host { name, labels: Some([("a".to_owned(), "b".to_owned())].into()) };
    round_trip(KeyKind::Cluster, &key(KeyKind::Server), &host);
    let invocation = kinds::Invocation {
        target_url: "wasmbus://M/Get".into(),
        origin_url: "wasmbus://M".into(),
        hash: "0".repeat(64),
    };
    round_trip(KeyKind::Server, "an id", &invocation);
}

#[test]
fn nothing_is_issued_that_would_not_be_read_back() {
    let operator = KeyPair::generate(KeyKind::Operator);
    let subject = KeyPair::generate(KeyKind::Account).public().to_string();
    let body = kinds::Account { name: None, valid_signers: None };
    let terms = Terms { subject, issued_at: NOW, expires: None, not_before: None };
    let code = |terms: &Terms, issuer: &KeyPair| {
        issue(terms, &body, issuer).err().map(|error| error.code())
    };
    assert_eq!(code(&terms, &operator), None);
    assert_eq!(code(&terms, &account()), Some(Code::Key));
    let wrong_subject = Terms { subject: "me".into(), ..terms.clone() };
    assert_eq!(code(&wrong_subject, &operator), Some(Code::Key));
    let never = Terms { expires: Some(5), not_before: Some(5), ..terms };
    assert_eq!(code(&never, &operator), Some(Code::Config));
    let long = kinds::Account { name: Some("x".repeat(kinds::TOKEN_BYTES_MAX)), ..body.clone() };
    let terms = Terms { expires: None, not_before: None, ..never };
    assert_eq!(issue(&terms, &long, &operator).err().map(|error| error.code()), Some(Code::Token));
}
