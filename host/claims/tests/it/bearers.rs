//! Bearer tokens: what is taken, and every way to be refused.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use trellis_claims::{
    Bearer, BearerRules, BearerTerms, ClaimsError, FixedClock, KeyKind, KeyPair, PublicKey, Scope,
    check_bearer, issue_bearer,
};
use trellis_core::Code;

use crate::support::NOW;

const DAY_S: u64 = 86_400;
const HEADER: &str = r#"{"typ":"JWT","alg":"EdDSA"}"#;

/// A host, its one user, who may operate it, and somebody else.
struct Cast {
    host: PublicKey,
    user: KeyPair,
    stranger: KeyPair,
}

impl Cast {
    fn new() -> Self {
        let host = KeyPair::generate(KeyKind::Server).public().clone();
        let (user, stranger) = (KeyPair::generate(KeyKind::User), KeyPair::generate(KeyKind::User));
        Self { host, user, stranger }
    }

    fn claims(&self) -> Value {
        json!({
            "iss": self.user.public(), "aud": self.host, "scope": "operate",
            "iat": NOW, "exp": NOW + 3_600,
        })
    }

    /// The claims with one of them changed; null takes it away.
    fn with(&self, name: &str, value: Value) -> Value {
        let mut claims = self.claims();
        let map = claims.as_object_mut().expect("a map");
        match value {
            Value::Null => map.remove(name),
            value => map.insert(name.to_owned(), value),
        };
        claims
    }

    fn token(&self, claims: &Value) -> String {
        signed(HEADER, &claims.to_string(), &self.user)
    }

    fn check_at(&self, token: &str, now: u64) -> Result<Bearer, ClaimsError> {
        let rules = BearerRules { audience: &self.host, life_s_max: DAY_S, life_limit: "life_max" };
        let allowed = |key: &PublicKey| (key == self.user.public()).then_some(Scope::Operate);
        check_bearer(token, &rules, allowed, &FixedClock::at(now))
    }

    fn refusal(&self, token: &str) -> Option<Code> {
        self.check_at(token, NOW).err().map(|error| error.code())
    }
}

fn signed(header: &str, claims: &str, key: &KeyPair) -> String {
    let body = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(body.as_bytes()));
    format!("{body}.{signature}")
}

#[test]
fn a_token_shows_its_user_and_may_be_shown_again() {
    let cast = Cast::new();
    let terms = BearerTerms {
        audience: cast.host.clone(),
        scope: Scope::Read,
        issued_at: NOW,
        expires: NOW + DAY_S,
    };
    let token = issue_bearer(&terms, &cast.user).expect("it is signed");
    for now in [NOW - 20, NOW, NOW, NOW + DAY_S, NOW + DAY_S + 29] {
        let bearer = cast.check_at(&token, now).expect("it holds");
        assert_eq!((bearer.user(), bearer.scope()), (cast.user.public(), Scope::Read));
    }
    for claims in [
        cast.claims(),
        cast.with("aud", json!(["N", cast.host])),
        cast.with("nbf", json!(NOW)),
        cast.with("jti", json!("one of ours")),
        cast.with("scope", json!("read operate")),
    ] {
        assert_eq!(cast.refusal(&cast.token(&claims)), None, "{claims}");
    }
    let with_kid = r#"{"alg":"EdDSA","kid":"mine"}"#;
    let token = signed(with_kid, &cast.claims().to_string(), &cast.user);
    assert_eq!(cast.refusal(&token), None);
}

#[test]
fn a_token_holds_for_its_time_its_host_and_its_user_alone() {
    let cast = Cast::new();
    let other = KeyPair::generate(KeyKind::Server).public().clone();
    let account = KeyPair::generate(KeyKind::Account);
    for (name, value, code) in [
        ("exp", json!(NOW - 31), Code::Expired),
        ("exp", Value::Null, Code::Token),
        ("exp", json!("soon"), Code::Token),
        ("exp", json!(-1), Code::Token),
        ("exp", json!(1e300), Code::Token),
        ("exp", json!(u64::MAX), Code::Token),
        ("exp", json!(NOW + DAY_S + 1), Code::Token),
        ("nbf", json!(NOW + 60), Code::NotYet),
        ("iat", json!(NOW + 60), Code::NotYet),
        ("iat", Value::Null, Code::Token),
        ("aud", json!(other), Code::Token),
        ("aud", json!([other]), Code::Token),
        ("aud", json!([]), Code::Token),
        ("aud", json!(7), Code::Token),
        ("aud", Value::Null, Code::Token),
        ("iss", Value::Null, Code::Token),
        ("iss", json!([cast.user.public()]), Code::Token),
        ("iss", json!("somebody"), Code::Key),
        ("iss", json!(account.public()), Code::Key),
        ("iss", json!(cast.stranger.public()), Code::Issuer),
        ("scope", json!("admin"), Code::Denied),
        ("scope", json!("read admin"), Code::Denied),
        ("scope", json!("everything"), Code::Token),
        ("scope", json!(["read"]), Code::Token),
        ("scope", Value::Null, Code::Token),
    ] {
        let claims = cast.with(name, value);
        assert_eq!(cast.refusal(&cast.token(&claims)), Some(code), "{claims}");
    }
    let own = signed(HEADER, &cast.claims().to_string(), &cast.stranger);
    assert_eq!(cast.refusal(&own), Some(Code::Signature), "who signed it is not who it says");
}

#[test]
fn a_token_has_one_form_and_one_reading() {
    let cast = Cast::new();
    let claims = cast.claims().to_string();
    let good = cast.token(&cast.claims());
    let body = good.rsplit_once('.').expect("it has a signature").0;
    let tampered = cast.with("scope", json!("read")).to_string();
    let tampered = format!(
        "{}.{}.{}",
        URL_SAFE_NO_PAD.encode(HEADER),
        URL_SAFE_NO_PAD.encode(tampered),
        good.rsplit_once('.').expect("it has a signature").1
    );
    let headers = [
        r#"{"typ":"JWT","alg":"none"}"#,
        r#"{"typ":"JWT","alg":"HS256"}"#,
        r#"{"typ":"JWT","alg":"ES256"}"#,
        r#"{"typ":"JWT","alg":"eddsa"}"#,
        r#"{"typ":"JWT","alg":"EdDSA","alg":"EdDSA"}"#,
        r#"{"typ":"JWT","alg":"none","alg":"EdDSA"}"#,
        r#"{"typ":"JWT","alg":"EdDSA","crit":["b64"],"b64":false}"#,
        r#"{"typ":"JWT","alg":"EdDSA","jwk":{}}"#,
        r#"{"typ":"JWE","alg":"EdDSA"}"#,
        r#"{"typ":"JWT"}"#,
        "[]",
        "",
    ];
    let headers = headers.map(|header| signed(header, &claims, &cast.user));
    let twice = |more: &str| format!("{{{more},{}", &claims[1..]);
    let readings = [
        twice(r#""scope":"read""#),
        twice(r#""x":{"a":1,"a":2}"#),
        format!("{claims}{claims}"),
        "null".to_owned(),
    ];
    let readings = readings.map(|claims| signed(HEADER, &claims, &cast.user));
    let texts = [
        String::new(),
        "..".to_owned(),
        body.to_owned(),
        format!("{body}."),
        format!("{good}.{good}"),
        format!("{good}="),
        format!(" {good}"),
        good.replacen('.', "..", 1),
        format!("{good}.{}", good.rsplit_once('.').expect("it has a signature").1),
    ];
    for token in headers.iter().chain(&readings).chain(&texts) {
        assert!(matches!(cast.refusal(token), Some(Code::Token | Code::Signature)), "{token}");
    }
    assert_eq!(cast.refusal(&tampered), Some(Code::Signature));
    assert_eq!(cast.refusal(&good), None);
}

#[test]
fn only_users_sign_and_only_for_hosts() {
    let cast = Cast::new();
    let terms = BearerTerms {
        audience: cast.host.clone(),
        scope: Scope::Read,
        issued_at: NOW,
        expires: NOW + 1,
    };
    let refused = |terms: &BearerTerms, key: &KeyPair| {
        issue_bearer(terms, key).map(drop).map_err(|error| error.code())
    };
    assert_eq!(refused(&terms, &cast.user), Ok(()));
    assert_eq!(refused(&terms, &KeyPair::generate(KeyKind::Account)), Err(Code::Key));
    let for_a_user = BearerTerms { audience: cast.user.public().clone(), ..terms.clone() };
    assert_eq!(refused(&for_a_user, &cast.user), Err(Code::Key));
    let over = BearerTerms { expires: NOW, ..terms };
    assert_eq!(refused(&over, &cast.user), Err(Code::Config));
}
