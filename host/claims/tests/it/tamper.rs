//! Threat B2: no changed byte is accepted. And nothing a file can hold makes the crate panic.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use trellis_claims::{ActorClaims, ClaimsDraft, KeyPair, PublicKey, inspect, sign};

use crate::golden::{WASCAP_0_8, WASCAP_0_15};
use crate::support::{
    account, check, clock, draft, good_token, module_key, other_module_key, plain, wat, with_token,
};

#[test]
fn flipping_any_byte_is_refused() {
    let signed = |wasm: &[u8]| sign(wasm, &draft(), &account(), &clock()).expect("a module");
    let large = format!(r#"(module (memory 1) (data (i32.const 0) "{}"))"#, "x".repeat(400));
    let mut accepted = Vec::new();
    for module in [
        signed(&plain()),
        signed(&wat(&large)),
        with_token(&plain(), "jwt", &good_token(&plain())),
        WASCAP_0_8.to_vec(),
        WASCAP_0_15.to_vec(),
    ] {
        assert!(check(&module).is_ok());
        for offset in 0..module.len() {
            for flip in [0x01, 0x20, 0x80] {
                let mut changed = module.clone();
                changed[offset] ^= flip;
                if check(&changed).is_ok() {
                    accepted.push((offset, flip));
                }
            }
        }
    }
    assert_eq!(accepted, []);
}

#[test]
fn no_prefix_of_a_module_is_accepted() {
    let signed = sign(&plain(), &draft(), &account(), &clock()).expect("a module");
    for end in 0..signed.len() {
        assert!(check(&signed[..end]).is_err(), "{end} bytes");
    }
}

fn any_draft() -> impl Strategy<Value = ClaimsDraft> {
    let clean = || "[a-z0-9:_é]{1,12}";
    let lists = (vec(clean(), 0..4), vec(clean(), 0..4), vec("[a-z0-9_]{1,12}", 0..4));
    let texts = (option::of(clean()), option::of(clean()), option::of("[a-z0-9_]{1,12}"));
    let grants = btree_map(clean(), vec(clean(), 0..3), 0..3);
    let times = (option::of(0..1_000_u64), option::of(4_000_000_000..u64::MAX));
    let rest = (any::<Option<i32>>(), any::<bool>(), any::<bool>());
    (lists, texts, grants, times, rest).prop_map(
        |((mut caps, tags, calls), (name, version, call_alias), grants, times, rest)| {
            caps.extend(grants.keys().cloned());
            let key = if rest.2 { module_key() } else { other_module_key() };
            let mut draft = ClaimsDraft::new(key.public().clone());
            (draft.caps, draft.tags, draft.calls) = (caps, tags, calls);
            (draft.name, draft.version, draft.call_alias) = (name, version, call_alias);
            (draft.not_before, draft.expires) = times;
            (draft.revision, draft.provider, draft.grants) = (rest.0, rest.1, grants);
            draft
        },
    )
}

fn read_back(claims: &ActorClaims) -> ClaimsDraft {
    let claims = claims.clone();
    ClaimsDraft {
        subject: claims.subject,
        name: claims.name,
        caps: claims.caps,
        tags: claims.tags,
        revision: claims.revision,
        version: claims.version,
        call_alias: claims.call_alias,
        provider: claims.provider,
        grants: claims.grants,
        calls: claims.calls,
        expires: claims.expires,
        not_before: claims.not_before,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_signed_is_what_is_verified(draft in any_draft()) {
        let signed = sign(&plain(), &draft, &account(), &clock()).expect("a sound draft");
        let verified = check(&signed).expect("just signed");
        prop_assert_eq!(read_back(verified.claims()), draft);
        prop_assert!(!verified.is_unsigned());
    }

    #[test]
    fn arbitrary_text_is_no_key_and_no_token(text in ".{0,80}") {
        prop_assert!(PublicKey::parse(&text).is_err());
        prop_assert!(KeyPair::from_seed(&text).is_err());
        prop_assert!(ActorClaims::decode(&text).is_err());
    }

    #[test]
    fn arbitrary_sections_never_panic(bytes in vec(any::<u8>(), 0..200), component: bool) {
        let header: &[u8] = if component { b"\0asm\x0d\0\x01\0" } else { b"\0asm\x01\0\0\0" };
        let module = [header, &bytes].concat();
        prop_assert!(check(&module).is_err());
        prop_assert!(inspect(&module).claims.is_none());
    }
}
