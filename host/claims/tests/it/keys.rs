//! Threat B8: what is not exactly an nkey is `E_KEY`, and a signature holds strictly or not.

use std::collections::BTreeSet;

use trellis_claims::{KeyKind, KeyPair, PublicKey};
use trellis_core::Code;

use crate::support::account;

/// An encoder of its own, so that the tests do not ask the code under test.
fn encode(prefix: &[u8], key: &[u8], crc_xor: u16) -> String {
    let mut raw = [prefix, key].concat();
    let crc = raw.iter().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
        })
    });
    raw.extend_from_slice(&(crc ^ crc_xor).to_le_bytes());
    let bit = |i: usize| raw.get(i / 8).map_or(0, |byte| byte >> (7 - i % 8) & 1);
    (0..(raw.len() * 8).div_ceil(5))
        .map(|group| (0..5).fold(0, |value, i| value << 1 | bit(group * 5 + i)))
        .map(|value| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[usize::from(value)]))
        .collect()
}

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    let digits = |i: usize| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hex");
    std::array::from_fn(digits)
}

fn prefix(kind: KeyKind) -> u8 {
    (kind.letter() as u8 - b'A') << 3
}

fn seed_prefix(kind: KeyKind) -> [u8; 2] {
    [18 << 3 | prefix(kind) >> 5, prefix(kind) << 3]
}

fn code(text: &str) -> Option<Code> {
    PublicKey::parse(text).err().map(|error| error.code())
}

/// RFC 8032 section 7.1, test 1.
const SECRET: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
const PUBLIC: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
const SIGNATURE: &str = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555\
                         fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";

#[test]
fn known_answers() {
    for kind in KeyKind::ALL {
        let pair = KeyPair::from_seed(&encode(&seed_prefix(kind), &bytes::<32>(SECRET), 0));
        let pair = pair.expect("a seed");
        let text = encode(&[prefix(kind)], &bytes::<32>(PUBLIC), 0);
        assert_eq!(pair.public().as_str(), text);
        assert!(text.starts_with(kind.letter()));
        assert_eq!(pair.public(), &text.parse::<PublicKey>().expect("a key"));
        assert_eq!(pair.public().kind(), kind);
        assert_eq!(pair.sign(b""), bytes(SIGNATURE));
        assert!(pair.public().verify_strict(b"", &bytes(SIGNATURE)).is_ok());
    }
}

#[test]
fn fresh_keys_differ_and_come_back_from_their_seeds() {
    let mut seen = BTreeSet::new();
    for kind in KeyKind::ALL {
        let pair = KeyPair::generate(kind);
        let again = KeyPair::from_seed(pair.seed().expose()).expect("our own seed");
        assert_eq!(again.public(), pair.public());
        assert_eq!(PublicKey::parse_kind(pair.public().as_str(), kind).ok().as_ref(), {
            Some(pair.public())
        });
        assert!(seen.insert(pair.public().clone()));
        assert_eq!(KeyKind::parse(kind.as_str()), Some(kind));
    }
    let account = account();
    let error = PublicKey::parse_kind(account.public().as_str(), KeyKind::Module);
    assert_eq!(error.expect_err("an account").code(), Code::Key);
    assert_eq!(KeyKind::parse("Account"), None);
}

#[test]
fn malformed_public_keys() {
    let good = account().public().to_string();
    assert_eq!(code(&good), None);
    let key = bytes::<32>(PUBLIC);
    let mut bad = vec![
        String::new(),
        "A".into(),
        good[..55].into(),
        format!("{good}A"),
        good.to_lowercase(),
        format!(" {}", &good[1..]),
        format!("{}=", &good[..55]),
        format!("{}1", &good[..55]),
        format!("{}é", &good[..54]),
        format!("M{}", &good[1..]),
        account().seed().expose().into(),
        encode(&[prefix(KeyKind::Account)], &key, 1),
        encode(&[prefix(KeyKind::Account)], &key, 0x8000),
        encode(&[prefix(KeyKind::Account)], &key[..31], 0),
        encode(&[prefix(KeyKind::Account)], &[&key[..], b"x"].concat(), 0),
        "A".repeat(56),
        "A".repeat(100_000),
    ];
    let of_kinds: BTreeSet<u8> = KeyKind::ALL.into_iter().map(prefix).collect();
    let others = (0..=u8::MAX).filter(|byte| !of_kinds.contains(byte));
    bad.extend(others.map(|byte| encode(&[byte], &key, 0)));
    for text in bad {
        assert_eq!(code(&text), Some(Code::Key), "{}", &text[..text.len().min(80)]);
    }
}

#[test]
fn every_changed_letter_breaks_the_checksum() {
    let good = account().public().to_string();
    for (at, letter) in good.char_indices() {
        for other in ('A'..='Z').chain('2'..='7').filter(|other| *other != letter) {
            let changed = format!("{}{other}{}", &good[..at], &good[at + 1..]);
            assert_eq!(code(&changed), Some(Code::Key), "{changed}");
        }
    }
}

#[test]
fn points_nobody_can_own() {
    // The eight points of low order, in every encoding that decompresses to one of them.
    let low_order = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    ];
    for hex in low_order {
        let text = encode(&[prefix(KeyKind::Account)], &bytes::<32>(hex), 0);
        assert_eq!(code(&text), Some(Code::Key), "{hex}");
    }
    // y coordinates from p to 2^255 - 1: second encodings of 0 to 18.
    for low in 0xed..=0xff {
        for high in [0x7f, 0xff] {
            let mut point = [0xff; 32];
            (point[0], point[31]) = (low, high);
            let text = encode(&[prefix(KeyKind::Account)], &point, 0);
            assert_eq!(code(&text), Some(Code::Key), "{low:x} {high:x}");
        }
    }
    // y = 2 is on no point of the curve.
    let mut off_curve = [0; 32];
    off_curve[0] = 2;
    assert_eq!(code(&encode(&[0], &off_curve, 0)), Some(Code::Key));
}

#[test]
fn malformed_seeds_are_refused_and_never_repeated() {
    let seed = account().seed();
    let good = seed.expose();
    let secret = bytes::<32>(SECRET);
    let stray_bits = [seed_prefix(KeyKind::Account)[0], seed_prefix(KeyKind::Account)[1] | 1];
    for bad in [
        String::new(),
        good[..57].into(),
        format!("{good}A"),
        good.to_lowercase(),
        format!("{}é", &good[..56]),
        format!("T{}", &good[1..]),
        account().public().to_string(),
        encode(&seed_prefix(KeyKind::Account), &secret, 1),
        encode(&[15 << 3, 0], &secret, 0),
        encode(&stray_bits, &secret, 0),
        encode(&[18 << 3 | 5, 0xb8], &secret, 0),
        encode(&[18 << 3, 3 << 3], &secret, 0),
    ] {
        let error = KeyPair::from_seed(&bad).expect_err(&bad);
        assert_eq!(error.code(), Code::Key);
        assert!(bad.is_empty() || !format!("{error} {error:?}").contains(&bad));
    }
}

#[test]
fn secrets_are_not_shown() {
    let pair = account();
    assert_eq!(format!("{:?}", pair.seed()), "Seed(redacted)");
    let shown = format!("{pair:?}");
    assert_eq!(shown, format!("KeyPair({})", pair.public()));
    assert!(!shown.contains(pair.seed().expose()));
}

#[test]
fn signatures_hold_strictly() {
    let pair = account();
    let signature = pair.sign(b"message");
    assert!(pair.public().verify_strict(b"message", &signature).is_ok());
    let refused = |message: &[u8], signature: &[u8; 64]| {
        pair.public().verify_strict(message, signature).err().map(|error| error.code())
    };
    assert_eq!(refused(b"Message", &signature), Some(Code::Signature));
    assert_eq!(refused(b"message", &[0; 64]), Some(Code::Signature));
    // S + L verifies where malleability is not checked (RFC 8032 section 5.1.7).
    let order = bytes::<32>("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut malleable = signature;
    let mut carry = 0_u16;
    for (digit, add) in malleable[32..].iter_mut().zip(order) {
        let sum = u16::from(*digit) + u16::from(add) + carry;
        (*digit, carry) = ((sum & 0xff) as u8, sum >> 8);
    }
    assert_eq!(refused(b"message", &malleable), Some(Code::Signature));
    // R of low order.
    let mut low_order_r = signature;
    low_order_r[..32].fill(0);
    low_order_r[0] = 1;
    assert_eq!(refused(b"message", &low_order_r), Some(Code::Signature));
}
