//! Archives as they should be, and every way in which they should not.

use std::collections::BTreeMap;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};
use trellis_archive::{Form, Target, Verified, inspect, seal, take_apart, verify};
use trellis_claims::token::{Provider, Terms};
use trellis_claims::{FixedClock, KeyKind, KeyPair, TrustList};
use trellis_core::{CallError, Code};

/// The time all tests live at.
const NOW: u64 = 1_700_000_000;
const ACCOUNT: &str = "SAAECQKBIFAUCQKBIFAUCQKBIFAUCQKBIFAUCQKBIFAUCQKBIFAUCQMMIU";
const OTHER_ACCOUNT: &str = "SAAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4HYMHI";
/// The provider of the golden archive.
const SUBJECT: &str = include_str!("golden.key");
/// `trellis par` of this version made it.
const GOLDEN: &[u8] = include_bytes!("golden.par");

fn account() -> KeyPair {
    KeyPair::from_seed(ACCOUNT).expect("a fixed seed")
}

fn trust() -> TrustList {
    TrustList::new(1).trust(account().public()).expect("an account")
}

fn here() -> Target {
    Target::parse("x86_64-linux").expect("a platform")
}

fn terms() -> Terms {
    let subject = SUBJECT.trim().to_owned();
    Terms { subject, issued_at: NOW, expires: None, not_before: None }
}

fn claims() -> Provider {
    Provider {
        name: Some("echo".to_owned()),
        contract: Some("demo:echo".to_owned()),
        vendor: "Acme".to_owned(),
        revision: Some(3),
        version: Some("1.2.0".to_owned()),
        target_hashes: BTreeMap::new(),
        config_schema: None,
    }
}

fn programs() -> BTreeMap<Target, Vec<u8>> {
    let other = Target::parse("aarch64-macos").expect("a platform");
    [(here(), b"#!/bin/sh\necho linux\n".to_vec()), (other, b"#!/bin/sh\necho mac\n".to_vec())]
        .into()
}

fn sealed(form: Form) -> Vec<u8> {
    seal((&terms(), claims()), &programs(), &account(), form).expect("it is right")
}

fn check(archive: &[u8]) -> Result<Verified, CallError> {
    verify(archive, &here(), &trust(), &FixedClock::at(NOW))
}

#[track_caller]
fn refused(archive: &[u8], code: Code, says: &str) {
    let error = check(archive).expect_err(says);
    assert_eq!(error.code(), code, "{error}");
    assert!(error.message().contains(says), "{error}");
}

/// An entry that is to be packed.
type Packed<'a> = (&'a str, EntryType, &'a [u8]);

const PLAIN: EntryType = EntryType::Regular;

/// Packs entries as they are, right or wrong.
fn pack(entries: &[Packed<'_>]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (name, kind, content) in entries {
        let mut header = Header::new_gnu();
        // As bytes: `set_path` refuses what is to be tried.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(content.len() as u64);
        header.set_entry_type(*kind);
        header.set_cksum();
        tar.append(&header, *content).expect("memory");
    }
    tar.into_inner().expect("memory")
}

fn token() -> Vec<u8> {
    // The first entry of an archive: a header, and the token.
    let archive = sealed(Form::Plain);
    let bytes = Header::from_byte_slice(&archive[..512]).entry_size().expect("a size");
    archive[512..512 + usize::try_from(bytes).expect("it is short")].to_vec()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(bytes).expect("memory");
    packed.finish().expect("memory")
}

#[test]
fn the_same_content_gives_the_same_bytes() {
    assert!(sealed(Form::Plain) == GOLDEN, "archives that were made before would change");
    let packed = sealed(Form::Gzip);
    assert_eq!(packed, sealed(Form::Gzip));
    assert_eq!(packed[4..8], [0; 4], "no time is in it");
    assert!(packed.len() < GOLDEN.len());
}

#[test]
fn an_archive_is_verified_whole() {
    for archive in [sealed(Form::Plain), sealed(Form::Gzip)] {
        let verified = check(&archive).expect("it is right");
        assert_eq!(verified.program(), programs()[&here()]);
        assert_eq!(verified.claims().subject().as_str(), SUBJECT.trim());
        assert_eq!(verified.claims().body().contract.as_deref(), Some("demo:echo"));
        assert_eq!(verified.programs().len(), 2);
        let (token, content) = take_apart(&archive).expect("it is right");
        assert_eq!((token.body.vendor.as_str(), content), ("Acme", programs()));
    }
}

#[test]
fn whom_nobody_trusts_and_what_has_ended_is_refused() {
    let archive = sealed(Form::Plain);
    let code = |list: &TrustList, now| {
        let checked = verify(&archive, &here(), list, &FixedClock::at(now));
        checked.err().map(|error| error.code())
    };
    assert_eq!(code(&TrustList::new(1), NOW), Some(Code::Issuer));
    let subject = SUBJECT.trim().parse().expect("a key");
    let revoked = |key| trust().revoke(key).expect("it may be revoked");
    assert_eq!(code(&revoked(&subject), NOW), Some(Code::Revoked));
    assert_eq!(code(&revoked(account().public()), NOW), Some(Code::Revoked));
    assert_eq!(code(&trust(), NOW), None);

    let ends = Terms { expires: Some(NOW + 100), not_before: Some(NOW), ..terms() };
    let archive = seal((&ends, claims()), &programs(), &account(), Form::Plain).expect("right");
    let at = |now| verify(&archive, &here(), &trust(), &FixedClock::at(now)).map(drop);
    assert_eq!(at(NOW), Ok(()));
    assert_eq!(at(NOW + 200).map_err(|error| error.code()), Err(Code::Expired));
    assert_eq!(at(NOW - 200).map_err(|error| error.code()), Err(Code::NotYet));
}

#[test]
fn a_key_of_another_kind_signs_no_archive() {
    let module = KeyPair::generate(KeyKind::Module);
    let sealed = seal((&terms(), claims()), &programs(), &module, Form::Plain);
    assert_eq!(sealed.map_err(|error| error.code()), Err(Code::Key));
    let subject = module.public().to_string();
    let actor = Terms { subject, ..terms() };
    let sealed = seal((&actor, claims()), &programs(), &account(), Form::Plain);
    assert_eq!(sealed.map_err(|error| error.code()), Err(Code::Key));
}

#[test]
fn a_token_of_somebody_else_vouches_for_nothing() {
    let other = KeyPair::from_seed(OTHER_ACCOUNT).expect("a fixed seed");
    let archive = seal((&terms(), claims()), &programs(), &other, Form::Plain).expect("right");
    refused(&archive, Code::Issuer, "is not in the trust list");
    let mut text = String::from_utf8(token()).expect("it is text");
    // The last character carries bits that are no part of the signature.
    let last = text.len() - 5;
    let changed = if &text[last..=last] == "A" { "B" } else { "A" };
    text.replace_range(last..=last, changed);
    let archive = pack(&[
        ("claims.jwt", PLAIN, text.as_bytes()),
        ("x86_64-linux.bin", PLAIN, &programs()[&here()]),
    ]);
    refused(&archive, Code::Signature, "");
}

#[test]
fn a_program_that_was_not_signed_is_refused() {
    let token = token();
    let program = &programs()[&here()];
    let with = |name, content: &[u8]| {
        pack(&[
            ("claims.jwt", PLAIN, &token),
            ("x86_64-linux.bin", PLAIN, program),
            (name, PLAIN, content),
        ])
    };
    check(&pack(&[("claims.jwt", PLAIN, &token), ("x86_64-linux.bin", PLAIN, program)]))
        .expect("a part of what was signed is right");
    refused(&with("aarch64-macos.bin", b"other"), Code::Hash, "aarch64-macos is not the one");
    refused(&with("mips-linux.bin", b"x"), Code::Hash, "name no program for mips-linux");
    let changed = pack(&[("claims.jwt", PLAIN, &token), ("x86_64-linux.bin", PLAIN, b"evil")]);
    refused(&changed, Code::Hash, "x86_64-linux is not the one that was signed");
    let seen = inspect(&changed).expect("it is an archive");
    assert!(seen.token.signature.passed(), "the token holds");
    assert!(take_apart(&changed).is_err(), "nobody signs it again by accident");
}

#[test]
fn a_platform_without_a_program_is_told_those_there_are() {
    let riscv = Target::parse("riscv64-linux").expect("a platform");
    let error = verify(&sealed(Form::Plain), &riscv, &trust(), &FixedClock::at(NOW))
        .expect_err("there is none");
    assert_eq!(error.code(), Code::NotFound);
    assert!(error.message().contains("it has: aarch64-macos, x86_64-linux"), "{error}");
}

#[test]
fn only_plain_entries_of_known_names_are_read_and_each_once() {
    let token = token();
    let program = &programs()[&here()];
    let good: Packed<'_> = ("claims.jwt", PLAIN, &token);
    let bin: Packed<'_> = ("x86_64-linux.bin", PLAIN, program);
    let link = EntryType::Symlink;
    let stray = "is neither the token nor a program";
    for (entries, says) in [
        (vec![good, bin, ("../x86_64-linux.bin", PLAIN, program)], stray),
        (vec![good, bin, ("/x86_64-linux.bin", PLAIN, program)], stray),
        (vec![good, bin, ("a/x86_64-linux.bin", PLAIN, program)], stray),
        (vec![good, bin, ("world.wasm", PLAIN, b"")], stray),
        (vec![good, bin, ("x86_64-linux", PLAIN, program)], stray),
        (vec![good, ("aarch64-macos.bin", link, b""), bin], "is no plain file but a Symlink"),
        (vec![good, ("aarch64-macos.bin", EntryType::Link, b""), bin], "but a Link"),
        (vec![good, ("aarch64-macos.bin", EntryType::Char, b""), bin], "but a Char"),
        (vec![good, ("aarch64-macos.bin", EntryType::Fifo, b""), bin], "but a Fifo"),
        (vec![good, ("folder", EntryType::Directory, b""), bin], "but a Directory"),
        (vec![good, ("x", EntryType::GNUSparse, b""), bin], "but a GNUSparse"),
        (vec![good, ("x", EntryType::GNULongName, b"x86_64-linux.bin"), bin], "GNULongName"),
        (vec![good, ("x", EntryType::XHeader, b"18 path=../x\n"), bin], "but a XHeader"),
        (vec![good, ("x", EntryType::XGlobalHeader, b""), bin], "but a XGlobalHeader"),
        (vec![good, bin, bin], "\"x86_64-linux.bin\" is there twice"),
        (vec![good, good, bin], "is a second token"),
        (vec![bin, good], "its first entry is not `claims.jwt`"),
        (vec![("claims.jwt", link, b""), bin], "is no plain file"),
        (vec![good], "it holds no program"),
    ] {
        refused(&pack(&entries), Code::Archive, says);
        refused(&gzip(&pack(&entries)), Code::Archive, says);
    }
    refused(&pack(&[bin]), Code::Archive, "its first entry is not");
}

#[test]
fn an_archive_ends_where_it_says() {
    let whole = sealed(Form::Plain);
    for cut in [0, 1, 511, 512, 600, whole.len() - 1024, whole.len() - 512, whole.len() - 1] {
        let error = check(&whole[..cut]).expect_err("it is cut");
        assert_eq!(error.code(), Code::Archive, "{cut}: {error}");
    }
    let padded = [whole.clone(), vec![0; 8192]].concat();
    check(&padded).expect("tar pads with zeros");
    refused(&[&whole[..], b"x"].concat(), Code::Archive, "something follows its end");
    refused(&[&whole[..], &whole].concat(), Code::Archive, "something follows its end");

    let packed = sealed(Form::Gzip);
    for cut in [3, 20, packed.len() / 2, packed.len() - 1] {
        refused(&packed[..cut], Code::Archive, "it ends too early");
    }
    let twice = [packed.clone(), gzip(b"")].concat();
    refused(&twice, Code::Archive, "something follows its compressed part");
    refused(&[&packed[..], b"x"].concat(), Code::Archive, "something follows its compressed part");
    let mut broken = packed.clone();
    let sum = broken.len() - 8;
    broken[sum] ^= 1;
    refused(&broken, Code::Archive, "its compression is broken");
    refused(&gzip(&packed), Code::Archive, "it is not a provider archive");
    refused(b"\0asm\x01\0\0\0", Code::Archive, "it ends too early");
    refused(&[b'x'; 4096], Code::Archive, "it is not a provider archive");
}

#[test]
fn a_changed_header_is_noticed() {
    let whole = sealed(Form::Plain);
    for place in [0, 100, 124, 300] {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        refused(&changed, Code::Archive, "it is not a provider archive");
    }
}

#[test]
fn a_bomb_is_refused_before_it_goes_off() {
    let zeros = vec![0; 64 << 20];
    let bomb = gzip(&pack(&[("claims.jwt", PLAIN, &token()), ("x86_64-linux.bin", PLAIN, &zeros)]));
    assert!(bomb.len() < 100_000);
    refused(&bomb, Code::Archive, "archive_ratio_max");
    let sealed = seal((&terms(), claims()), &[(here(), zeros)].into(), &account(), Form::Gzip);
    let error = sealed.expect_err("nothing is written that would not be read back");
    assert!(error.message().contains("archive_ratio_max"), "{error}");
}
