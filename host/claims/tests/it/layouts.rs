//! Threats B1, B4 and B5: where the claims stand, and what their hash covers.

use serde_json::json;
use trellis_claims::{ClaimsDraft, section as claims_section, sign};
use trellis_core::Code;

use crate::support::{
    HEADER, account, check, claims_for, clock, draft, good_token, module_key, plain, raw_section,
    refusal, section, token, wat, with_token,
};

/// A component around one core module, which is a section with id 1.
fn component(module: &[u8]) -> Vec<u8> {
    [b"\0asm\x0d\0\x01\0".to_vec(), raw_section(1, module)].concat()
}

/// Where the code section starts in [`plain`].
fn before_code(module: &[u8]) -> usize {
    module.windows(2).rposition(|pair| pair == [0x0a, 0x06]).expect("a code section of 6 bytes")
}

#[test]
fn section_layouts() {
    let plain = plain();
    let claims = section("jwt", good_token(&plain).as_bytes());
    let new_claims = section("wasmcloud_jwt", good_token(&plain).as_bytes());
    let join = |parts: &[&[u8]]| parts.concat();
    let code = before_code(&plain);
    let bare = component(&plain);
    let over_bare = section("wasmcloud_jwt", good_token(&bare).as_bytes());
    let holding = component(&join(&[&plain, &claims]));
    let over_holding = section("wasmcloud_jwt", good_token(&holding).as_bytes());
    let hidden = wat(r#"(module (memory 1) (data (i32.const 0) "\00\08\03jwta.b.c"))"#);
    let layouts: [(&str, Vec<u8>, Option<Code>); 21] = [
        ("old name, last", join(&[&plain, &claims]), None),
        ("new name, last", join(&[&plain, &new_claims]), None),
        ("over a component", join(&[&bare, &over_bare]), None),
        ("none", plain.clone(), Some(Code::Unsigned)),
        ("twice", join(&[&plain, &claims, &claims]), Some(Code::Section)),
        ("once under each name", join(&[&plain, &claims, &new_claims]), Some(Code::Section)),
        ("first", join(&[&plain[..8], &claims, &plain[8..]]), Some(Code::Section)),
        ("before the code", join(&[&plain[..code], &claims, &plain[code..]]), Some(Code::Section)),
        (
            "first and last",
            join(&[&plain[..8], &claims, &plain[8..], &claims]),
            Some(Code::Section),
        ),
        ("before a name section", join(&[&plain, &claims, &section("name", b"")]), {
            Some(Code::Section)
        }),
        ("before an empty section", join(&[&plain, &claims, b"\0\0"]), Some(Code::Section)),
        ("before one byte", join(&[&plain, &claims, b"\0"]), Some(Code::Section)),
        ("before garbage", join(&[&plain, &claims, b"garbage"]), Some(Code::Section)),
        ("before a whole module", join(&[&plain, &claims, &plain]), Some(Code::Section)),
        ("nested", holding.clone(), Some(Code::Section)),
        ("nested and last", join(&[&holding, &over_holding]), Some(Code::Section)),
        ("empty", join(&[&plain, &section("jwt", b"")]), Some(Code::Token)),
        ("in a data segment", hidden, Some(Code::Unsigned)),
        ("another case", with_token(&plain, "JWT", &good_token(&plain)), Some(Code::Unsigned)),
        ("a longer name", with_token(&plain, "jwt\0", &good_token(&plain)), Some(Code::Unsigned)),
        ("not text", join(&[&plain, &section("jwt", b"\xff.\xff.\xff")]), Some(Code::Token)),
    ];
    for (name, module, expected) in layouts {
        assert_eq!(refusal(&module), expected, "{name}");
    }
}

#[test]
fn bytes_that_are_no_module_are_named_as_such() {
    let signed = with_token(&plain(), "jwt", &good_token(&plain()));
    for module in [
        &b""[..],
        b"\0asm",
        b"MZ",
        b"\0asm\x02\0\0\0",
        b"\0asm\x01\0\0\0\x01\xff\xff\xff\xff\x7f",
        b"\0asm\x01\0\0\0\x01\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
        b"\0asm\x01\0\0\0\0\x05\x09jwt",
        b"\0asm\x01\0\0\0\0\x03\x02\xff\xff",
        b"\0asm\x0d\0\x01\0\x01\xff\x01\0asm\x01\0\0\0",
        &signed[..signed.len() - 1],
    ] {
        assert_eq!(refusal(module), Some(Code::ModuleInvalid), "{module:x?}");
    }
}

#[test]
fn nesting_is_bounded() {
    let mut nested = b"\0asm\x0d\0\x01\0".to_vec();
    for _ in 0..200 {
        nested = [b"\0asm\x0d\0\x01\0".to_vec(), raw_section(4, &nested)].concat();
    }
    assert_eq!(refusal(&nested), Some(Code::ModuleInvalid));
}

#[test]
fn signing_replaces_every_claims_section() {
    let plain = plain();
    let (old, new) = (section("jwt", b"a.b.c"), section("wasmcloud_jwt", b"d.e.f"));
    let first = sign(&plain, &draft(), &account(), &clock()).expect("a module");
    for cluttered in [
        [plain.clone(), old.clone()].concat(),
        [plain.clone(), new.clone(), old.clone()].concat(),
        [plain[..8].to_vec(), old.clone(), plain[8..].to_vec(), new].concat(),
        first.clone(),
    ] {
        let signed = sign(&cluttered, &draft(), &account(), &clock()).expect("a module");
        assert_eq!(signed, first);
    }
    assert!(check(&first).is_ok());
    let nested = component(&[plain, old].concat());
    let error = sign(&nested, &draft(), &account(), &clock()).expect_err("nested claims");
    assert_eq!(error.code(), Code::Section);
}

/// Every section's size written in five bytes, as some linkers do.
fn padded(module: &[u8]) -> Vec<u8> {
    let mut out = module[..8].to_vec();
    for payload in wasmparser::Parser::new(0).parse_all(module) {
        let payload = payload.expect("a sound module");
        if let Some((id, range)) = payload.as_section() {
            let size = range.end - range.start;
            out.push(id);
            out.extend((0..5).map(|i| (size >> (7 * i)) as u8 & 0x7f | u8::from(i < 4) << 7));
            out.extend_from_slice(&module[range]);
        }
    }
    out
}

#[test]
fn signing_writes_sizes_that_every_reader_hashes_alike() {
    let padded = padded(&plain());
    assert_ne!(padded, plain());
    let signed = sign(&padded, &draft(), &account(), &clock()).expect("a module");
    assert_eq!(signed, sign(&plain(), &draft(), &account(), &clock()).expect("a module"));
}

#[test]
fn the_reencoded_hash_counts_for_old_revisions_only() {
    let padded = padded(&plain());
    // wascap up to revision 2 hashed the shortest form and left the file as it was.
    for (revision, expected) in [
        (json!(null), None),
        (json!(0), None),
        (json!(1), None),
        (json!(2), None),
        (json!(3), Some(Code::Hash)),
        (json!(4), Some(Code::Hash)),
    ] {
        let mut claims = claims_for(&plain());
        claims["wascap_revision"] = revision.clone();
        let token = token(HEADER, &claims.to_string(), &account());
        assert_eq!(refusal(&with_token(&padded, "jwt", &token)), expected, "{revision}");
    }
    let over_padded = with_token(&padded, "jwt", &good_token(&padded));
    assert_eq!(refusal(&over_padded), None, "byte-exact");
}

#[test]
fn a_token_grafted_onto_other_code_is_refused_at_every_revision() {
    let other = wat(r#"(module (func (export "__guest_call") (result i32) i32.const 0))"#);
    for revision in [json!(null), json!(0), json!(2), json!(3), json!(u32::MAX)] {
        let mut claims = claims_for(&plain());
        claims["wascap_revision"] = revision.clone();
        let token = token(HEADER, &claims.to_string(), &account());
        assert_eq!(refusal(&with_token(&plain(), "jwt", &token)), None, "{revision}");
        assert_eq!(refusal(&with_token(&other, "jwt", &token)), Some(Code::Hash), "{revision}");
    }
}

#[test]
fn the_layout_of_2019_is_read() {
    let nested = claims_for(&plain());
    let mut flat = json!({
        "jti": "id", "iat": 1, "iss": nested["iss"], "sub": nested["sub"],
        "hash": nested["wascap"]["hash"], "tags": [], "caps": ["wascap:http_server", ""],
    });
    let module = with_token(&plain(), "jwt", &token(HEADER, &flat.to_string(), &account()));
    let claims = check(&module).expect("signed in 2019").claims().clone();
    assert_eq!(claims.caps, ["wascap:http_server"]);
    assert_eq!((claims.wascap_revision, claims.revision, claims.provider), (None, None, false));
    flat["wascap"] = nested["wascap"].clone();
    let both = with_token(&plain(), "jwt", &token(HEADER, &flat.to_string(), &account()));
    assert_eq!(refusal(&both), Some(Code::Token));
}

#[test]
fn a_located_section_says_where_it_is() {
    let plain = plain();
    let token = good_token(&plain);
    let module = with_token(&plain, "jwt", &token);
    let found = claims_section::locate(&module).expect("a module").expect("claims");
    assert_eq!((found.name, found.start, found.token), ("jwt", plain.len(), token.as_bytes()));
    assert_eq!(claims_section::locate(&plain).expect("a module"), None);
}

#[test]
fn drafts_that_make_no_sense_are_not_signed() {
    let code = |bend: &dyn Fn(&mut ClaimsDraft)| {
        let mut draft = draft();
        bend(&mut draft);
        sign(&plain(), &draft, &account(), &clock()).err().map(|error| error.code())
    };
    assert_eq!(code(&|_| ()), None);
    assert_eq!(code(&|draft| draft.calls = vec![account().public().to_string()]), None);
    assert_eq!(code(&|draft| draft.subject = account().public().clone()), Some(Code::Key));
    assert_eq!(code(&|draft| drop(draft.grants.insert("x".into(), vec![]))), Some(Code::Config));
    assert_eq!(code(&|draft| draft.call_alias = Some("é".into())), Some(Code::Config));
    assert_eq!(code(&|draft| draft.calls = vec![String::new()]), Some(Code::Config));
    assert_eq!(code(&|draft| draft.name = Some("a\nb".into())), Some(Code::Token));
    let signed = sign(&plain(), &draft(), &module_key(), &clock());
    assert_eq!(signed.expect_err("no account").code(), Code::Key);
}
