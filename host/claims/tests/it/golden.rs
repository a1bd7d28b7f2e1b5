//! Golden bytes: what this crate writes, and what wascap wrote, stay readable for good.
//!
//! `wascap-0.8.wasm` and `wascap-0.15.wasm` were signed by those versions of wascap with the keys
//! of these tests. `token.txt` and `signed.wasm` are ours; they change only with the format, on
//! purpose.

use trellis_claims::{ActorClaims, ClaimsDraft, sign};

use crate::support::{account, check, clock, module_key, other_account, plain};

pub(crate) const WASCAP_0_8: &[u8] = include_bytes!("../fixtures/wascap-0.8.wasm");
pub(crate) const WASCAP_0_15: &[u8] = include_bytes!("../fixtures/wascap-0.15.wasm");
const SIGNED: &[u8] = include_bytes!("../fixtures/signed.wasm");
const TOKEN: &str = include_str!("../fixtures/token.txt");

fn full_draft() -> ClaimsDraft {
    ClaimsDraft {
        subject: module_key().public().clone(),
        name: Some("Counter".into()),
        caps: vec!["wascc:http_server".into(), "wascc:keyvalue".into()],
        tags: vec!["demo".into()],
        revision: Some(2),
        version: Some("0.2.0".into()),
        call_alias: Some("My Counter".into()),
        provider: false,
        grants: [("wascc:keyvalue".to_owned(), vec!["Add".to_owned(), "Get".to_owned()])].into(),
        calls: vec![other_account().public().to_string(), "Ping-Pong".into()],
        expires: Some(4_000_000_000),
        not_before: Some(1_600_000_000),
    }
}

#[test]
fn our_bytes_stay_the_same() {
    let signed = sign(&plain(), &full_draft(), &account(), &clock()).expect("a module");
    assert_eq!(signed, SIGNED);
    assert!(signed.ends_with(TOKEN.trim_end().as_bytes()));
}

#[test]
fn our_old_bytes_still_verify() {
    let verified = check(SIGNED).expect("signed by an earlier build");
    let claims = verified.claims();
    assert_eq!(claims, &std::sync::Arc::new(ActorClaims::decode(TOKEN.trim_end()).expect("ours")));
    assert_eq!(claims.call_alias.as_deref(), Some("my_counter"));
    assert_eq!(claims.calls[1], "ping_pong");
    assert_eq!(claims.wascap_revision, Some(3));
}

#[test]
fn what_wascap_signed_verifies() {
    let old = check(WASCAP_0_8).expect("signed by wascap 0.8").claims().clone();
    assert_eq!(old.name.as_deref(), Some("Echo of 2021"));
    assert_eq!(old.caps, ["wascc:http_server"]);
    assert_eq!(old.call_alias.as_deref(), Some("echo_service_v1"));
    assert_eq!((old.revision, old.wascap_revision), (Some(4), None));
    let new = check(WASCAP_0_15).expect("signed by wascap 0.15").claims().clone();
    assert_eq!(new.name.as_deref(), Some("Echo of 2024"));
    assert_eq!(new.caps, Vec::<String>::new());
    assert_eq!((new.revision, new.wascap_revision), (Some(7), Some(3)));
    assert_eq!(&new.subject, module_key().public());
}
