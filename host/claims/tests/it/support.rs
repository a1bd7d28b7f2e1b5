//! Keys, modules and tokens made by hand, so that a test can make them wrong.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use trellis_claims::{ClaimsDraft, ClaimsError, FixedClock, KeyPair, TrustList, Verified, verify};
use trellis_core::Code;

/// The time all tests live at.
pub(crate) const NOW: u64 = 1_700_000_000;

const ACCOUNT: &str = "SAAECQKBIFAUCQKBIFAUCQKBIFAUCQKBIFAUCQKBIFAUCQKBIFAUCQMMIU";
const OTHER_ACCOUNT: &str = "SAAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4HYMHI";
const MODULE: &str = "SMAE2TKNJVGU2TKNJVGU2TKNJVGU2TKNJVGU2TKNJVGU2TKNJVGU2TOG5Y";
const OTHER_MODULE: &str = "SMACAIJCEMSCKJRHFAUSUKZMFUXC6MBRGIZTINJWG44DSOR3HQ6T4P5C3E";

pub(crate) const HEADER: &str = r#"{"typ":"jwt","alg":"Ed25519"}"#;

pub(crate) fn account() -> KeyPair {
    KeyPair::from_seed(ACCOUNT).expect("a fixed seed")
}

pub(crate) fn other_account() -> KeyPair {
    KeyPair::from_seed(OTHER_ACCOUNT).expect("a fixed seed")
}

pub(crate) fn module_key() -> KeyPair {
    KeyPair::from_seed(MODULE).expect("a fixed seed")
}

pub(crate) fn other_module_key() -> KeyPair {
    KeyPair::from_seed(OTHER_MODULE).expect("a fixed seed")
}

pub(crate) fn trust() -> TrustList {
    TrustList::new(1).trust(account().public()).expect("an account key")
}

pub(crate) fn clock() -> FixedClock {
    FixedClock::at(NOW)
}

pub(crate) fn draft() -> ClaimsDraft {
    let mut draft = ClaimsDraft::new(module_key().public().clone());
    draft.name = Some("Echo".into());
    draft.caps = vec!["wascc:http_server".into(), "wascc:keyvalue".into()];
    draft
}

pub(crate) fn check(module: &[u8]) -> Result<Verified, ClaimsError> {
    verify(module, &trust(), &clock())
}

pub(crate) fn refusal(module: &[u8]) -> Option<Code> {
    check(module).err().map(|error| error.code())
}

pub(crate) fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the test's own module")
}

pub(crate) fn plain() -> Vec<u8> {
    wat(r#"(module
        (import "wapc" "__guest_response" (func (param i32 i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "hello")
        (func (export "__guest_call") (param i32 i32) (result i32) i32.const 1))"#)
}

/// The claims of an actor as JSON, to be bent.
pub(crate) fn claims_for(module: &[u8]) -> Value {
    let hash: String = Sha256::digest(module).iter().map(|byte| format!("{byte:02X}")).collect();
    json!({
        "jti": "id",
        "iat": NOW,
        "iss": account().public().as_str(),
        "sub": module_key().public().as_str(),
        "wascap": {"name": "Echo", "hash": hash, "prov": false},
        "wascap_revision": 3,
    })
}

/// A token with any header and claims, signed by `issuer`.
pub(crate) fn token(header: &str, claims: &str, issuer: &KeyPair) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(issuer.sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// A well-made token over `module`.
pub(crate) fn good_token(module: &[u8]) -> String {
    token(HEADER, &claims_for(module).to_string(), &account())
}

/// A custom section with id, size and name.
pub(crate) fn section(name: &str, contents: &[u8]) -> Vec<u8> {
    let mut body = leb(name.len());
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(contents);
    raw_section(0, &body)
}

pub(crate) fn raw_section(id: u8, body: &[u8]) -> Vec<u8> {
    [vec![id], leb(body.len()), body.to_vec()].concat()
}

/// `module` with `token` in a section at its end.
pub(crate) fn with_token(module: &[u8], name: &str, token: &str) -> Vec<u8> {
    [module.to_vec(), section(name, token.as_bytes())].concat()
}

pub(crate) fn leb(length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = length;
    loop {
        let low = (rest & 0x7f) as u8;
        rest >>= 7;
        if rest == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
