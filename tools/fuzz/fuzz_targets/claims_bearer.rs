//! Bearer tokens: no panic, and only what the user signed, for this host, is taken.
//!
//! The text is taken twice: as a whole token, and as header and claims in two lines, which the user
//! then signs, because a fuzzer does not find signatures. `USER` and `HOST` in it stand for keys.
#![no_main]

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use trellis_claims::{
    Bearer, BearerRules, ClaimsError, FixedClock, KeyKind, KeyPair, PublicKey, Scope, check_bearer,
};

const NOW: u64 = 1_700_000_000;

static USER: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeyKind::User));
static HOST: LazyLock<PublicKey> =
    LazyLock::new(|| KeyPair::generate(KeyKind::Server).public().clone());

fn check(token: &str) -> Result<Bearer, ClaimsError> {
    let rules = BearerRules { audience: &HOST, life_s_max: 86_400, life_limit: "life" };
    let allowed = |key: &PublicKey| (key == USER.public()).then_some(Scope::Operate);
    check_bearer(token, &rules, allowed, &FixedClock::at(NOW))
}

fuzz_target!(|text: &str| {
    assert!(check(text).is_err(), "nobody else has this user's key");
    let text = text.replace("USER", USER.public().as_str()).replace("HOST", HOST.as_str());
    let (header, claims) = text.split_once('\n').unwrap_or((r#"{"alg":"EdDSA"}"#, text.as_str()));
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(USER.sign(signed.as_bytes()));
    if let Ok(bearer) = check(&format!("{signed}.{signature}")) {
        assert_eq!(bearer.user(), USER.public());
        assert!(bearer.scope() <= Scope::Operate);
    }
});
