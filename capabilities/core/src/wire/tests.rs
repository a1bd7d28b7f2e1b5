use serde::{Deserialize, Serialize};

use super::*;

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Sample {
    #[serde(rename = "statusCode", alias = "status_code")]
    status_code: u32,
    body: Blob,
}

fn sample() -> Sample {
    Sample { status_code: 200, body: Blob::from("ok") }
}

#[test]
fn encodes_maps_with_camel_case_keys_and_bin() {
    let expected = b"\x82\xaastatusCode\xcc\xc8\xa4body\xc4\x02ok";
    assert_eq!(encode(&sample()).expect("encodes"), expected);
}

#[test]
fn decodes_what_the_originals_sent() {
    let forms: [&[u8]; 6] = [
        b"\x82\xaastatusCode\xcc\xc8\xa4body\xc4\x02ok", // exact
        b"\x82\xabstatus_code\xcc\xc8\xa4body\xc4\x02ok", // snake_case
        b"\x92\xcc\xc8\xc4\x02ok",                       // array in field order
        b"\x92\xcc\xc8\x92\x6f\x6b",                     // bytes as integers
        b"\x82\xaastatusCode\xcc\xc8\xa4body\xa2ok",     // bytes as str
        b"\x82\xaastatusCode\xcc\xc8\xa4body\xc4\x02ok\x00", // trailing NUL
    ];
    for form in forms {
        assert_eq!(decode::<Sample>(form).expect("tolerated"), sample(), "{form:02x?}");
    }
}

#[test]
fn a_float_is_read_from_every_number() {
    let forms: [(&[u8], f64); 6] = [
        (b"\xcb\x40\x4a\x00\x00\x00\x00\x00\x00", 52.0),
        (b"\xca\x42\x50\x00\x00", 52.0),
        (b"\x34", 52.0),
        (b"\xff", -1.0),
        (b"\xcd\x01\x00", 256.0),
        (b"\xd1\xff\x00", -256.0),
    ];
    for (form, value) in forms {
        assert_eq!(reader::Reader::new(form).float().ok(), Some(value), "{form:02x?}");
    }
    for form in [&b"\xa252"[..], b"\xc0", b"\xcb\x40", b""] {
        assert!(reader::Reader::new(form).float().is_err(), "{form:02x?}");
    }
}

#[test]
fn pairs_keep_order_and_repetition() {
    let pairs: Pairs<String> = [("b", "1"), ("a", "2"), ("b", "3")].into_iter().collect();
    let bytes = encode(&pairs).expect("encodes");
    assert_eq!(bytes, b"\x83\xa1b\xa11\xa1a\xa12\xa1b\xa13");
    assert_eq!(decode::<Pairs<String>>(&bytes).expect("decodes"), pairs);
}

#[test]
fn pairs_accept_lists_of_values() {
    let pairs: Pairs<String> = decode(b"\x81\xa1b\x92\xa11\xa13").expect("G5 headers");
    assert_eq!(pairs, [("b", "1"), ("b", "3")].into_iter().collect());
}

#[test]
fn pairs_hold_any_kind_of_value() {
    let numbers: Pairs<u32> = decode(b"\x82\xa1a\x01\xa1b\x92\xcd\x01\x00\x02").expect("numbers");
    assert_eq!(numbers, [("a", 1_u32), ("b", 256), ("b", 2)].into_iter().collect());
    let records: Pairs<Sample> =
        decode(b"\x81\xa1a\x82\xaastatusCode\xcc\xc8\xa4body\xc4\x02ok").expect("a record");
    assert_eq!(records.get("a"), Some(&sample()));
    let bytes: Pairs<Blob> = decode(b"\x82\xa1a\xc4\x01x\xa1b\xc0").expect("bytes and nil");
    assert_eq!(bytes, [("a", "x"), ("b", "")].into_iter().collect());
    let none: Pairs<String> = decode(b"\x81\xa1a\x90").expect("an empty list");
    assert!(none.is_empty());
}

#[test]
fn deep_nesting_and_lying_lengths_are_errors() {
    let deep = vec![0x91_u8; 100_000];
    assert_eq!(decode::<Blob>(&deep).expect_err("too deep").code(), Code::Message);
    let lying = [0xdd, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert_eq!(decode::<Blob>(&lying).expect_err("4 G elements").code(), Code::Message);
    assert_eq!(decode::<Pairs<Blob>>(&lying).expect_err("4 G entries").code(), Code::Message);
}

#[test]
fn values_are_counted_with_all_that_is_in_them() {
    // A map of a text and a list of two.
    let bytes = b"\x82\xa1a\xa1b\xa1c\x92\x01\x02";
    let counts = |most| reader::Reader::new(bytes).skip_of(most);
    assert!(counts(7).is_ok());
    assert_eq!(counts(6).expect_err("there are seven").to_string(), "expected fewer values");
    let promised = b"\xdd\xff\xff\xff\xff";
    let error = reader::Reader::new(promised).skip_of(7).expect_err("they are not there");
    assert!(error.to_string().contains("ends early"), "{error}");
}
