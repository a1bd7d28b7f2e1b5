//! Tokens: no panic, and only what the issuer signed is read.
//!
//! The bytes are taken twice: as a whole token, and as claims that a known key then signs, because
//! a fuzzer does not find signatures.
#![no_main]

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use trellis_claims::token::{Account, Host, Invocation, Provider, Token};
use trellis_claims::{ActorClaims, KeyPair};

/// The key of the seeds in `seeds/claims_token`.
static ACCOUNT: LazyLock<KeyPair> = LazyLock::new(|| {
    KeyPair::from_seed("SAAECQKBIFAUCQKBIFAUCQKBIFAUCQKBIFAUCQKBIFAUCQKBIFAUCQMMIU")
        .expect("a fixed seed")
});

fn decode(token: &str) {
    if let Ok(claims) = ActorClaims::decode(token) {
        assert!(claims.caps.iter().all(|cap| !cap.is_empty()));
        assert_eq!(claims.hash.len(), 64);
    }
    let _ = Token::<Account>::decode(token);
    let _ = Token::<Host>::decode(token);
    let _ = Token::<Invocation>::decode(token);
    let _ = Token::<Provider>::decode(token);
}

fuzz_target!(|text: &str| {
    decode(text);
    let header = URL_SAFE_NO_PAD.encode(r#"{"typ":"jwt","alg":"Ed25519"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(text));
    let signature = URL_SAFE_NO_PAD.encode(ACCOUNT.sign(signed.as_bytes()));
    decode(&format!("{signed}.{signature}"));
});
