//! Both roads, ours and the generated types', must agree to the byte.

use http::Request as HttpRequest;
use trellis_core::wire::{Blob, Pairs};

use super::*;
use crate::types::Request;

fn drafted(request: HttpRequest<()>, body: &[u8]) -> Vec<u8> {
    let (head, ()) = request.into_parts();
    let whole = RequestEncoder::new(&head).with_body(body);
    let mut streamed = RequestEncoder::new(&head).open_body();
    body.chunks(7_001).for_each(|piece| streamed.push(piece));
    assert_eq!(streamed.len(), body.len());
    assert_eq!(whole, streamed.close());
    whole
}

fn generated(
    method: &str,
    path: &str,
    query: &str,
    fields: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query_string: query.to_owned(),
        header: fields.iter().copied().collect::<Pairs<String>>(),
        body: Blob::from(body),
    };
    wire::encode(&request).expect("encodes")
}

#[test]
fn requests_are_written_as_the_generated_type_writes_them() {
    let long = "x".repeat(70_000);
    let segment = format!("/{}", "p".repeat(40));
    let many: Vec<(String, String)> =
        (0..40).map(|n| (format!("x-{n}"), "v".repeat(n * 10))).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let bodies: [&[u8]; 4] = [b"", b"hello", &[0xff; 300], long.as_bytes()];
    let headers: [&[(&str, &str)]; 4] =
        [&[], &[("host", "a")], &[("host", "a"), ("accept", "*/*"), ("x-empty", "")], &many];
    for (method, path, query) in [
        ("GET", "/", ""),
        ("POST", "/a/b", "q=1&r=%20"),
        ("PROPFIND", segment.as_str(), "x"),
        ("OPTIONS", "*", ""),
    ] {
        for body in bodies {
            for fields in headers {
                let target =
                    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
                let mut request = HttpRequest::builder().method(method).uri(target);
                for (name, value) in fields {
                    request = request.header(*name, *value);
                }
                let request = request.body(()).expect("legal");
                assert_eq!(drafted(request, body), generated(method, path, query, fields, body));
            }
        }
    }
}

#[test]
fn repeated_fields_are_joined_and_connection_fields_left_out() {
    let request = HttpRequest::get("/")
        .header("accept", "a")
        .header("cookie", "k=1")
        .header("connection", "keep-alive")
        .header("te", "trailers")
        .header("transfer-encoding", "chunked")
        .header("accept", "b")
        .header("cookie", "l=2")
        .header("accept", "c")
        .body(())
        .expect("legal");
    let fields = [("accept", "a, b, c"), ("cookie", "k=1; l=2")];
    assert_eq!(drafted(request, b""), generated("GET", "/", "", &fields, b""));
}

#[test]
fn bytes_that_are_not_utf8_are_replaced() {
    let request = HttpRequest::get("/")
        .header("x-latin", HeaderValue::from_bytes(b"caf\xe9").expect("obs-text"))
        .header("x-utf8", HeaderValue::from_bytes("café".as_bytes()).expect("obs-text"))
        .body(())
        .expect("legal");
    let fields = [("x-latin", "caf\u{fffd}"), ("x-utf8", "café")];
    assert_eq!(drafted(request, b""), generated("GET", "/", "", &fields, b""));
}

type Read = Result<(u16, Vec<(String, String)>, Vec<u8>), MalformedResponse>;

fn read_by(
    read: impl Fn(&Bytes, &mut HeaderMap) -> Result<DecodedResponse, MalformedResponse>,
    bytes: &[u8],
) -> Read {
    let mut header = HeaderMap::new();
    let answer = read(&Bytes::copy_from_slice(bytes), &mut header)?;
    let fields = header.iter().map(|(name, value)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    Ok((answer.status.as_u16(), fields.collect(), answer.body.to_vec()))
}

fn read(bytes: &[u8]) -> Read {
    read_by(decode_response, bytes)
}

fn answer(status_code: u32, fields: &[(&str, &str)], body: &[u8]) -> Response {
    Response {
        status_code,
        status: Some("OK".to_owned()),
        header: fields.iter().copied().collect(),
        body: Blob::from(body),
    }
}

#[test]
fn exact_answers_are_read_as_the_generated_type_reads_them() {
    let body = vec![b'x'; 70_000];
    let fields: [&[(&str, &str)]; 4] = [
        &[],
        &[("Content-Type", "text/plain")],
        &[("set-cookie", "a=1"), ("x", "y"), ("set-cookie", "b=2")],
        &[("Connection", "close"), ("Content-Length", "7"), ("x-é", "no")],
    ];
    for status in [200, 204, 404, 599, 0, 100, 101, 199, 600, 65_736] {
        for body in [&b""[..], b"hello", &body] {
            for fields in fields {
                let bytes = wire::encode(&answer(status, fields, body)).expect("encodes");
                let tolerant = read_by(read_tolerant, &bytes);
                assert_eq!(read(&bytes), tolerant, "{status} {fields:?}");
                let legal =
                    (200..600).contains(&status) && fields.iter().all(|(name, _)| name.is_ascii());
                assert_eq!(tolerant.is_ok(), legal);
            }
        }
    }
}

#[test]
fn tolerated_forms_are_read_too() {
    let expected = Ok((200, vec![("a".to_owned(), "b".to_owned())], b"ok".to_vec()));
    let forms: [&[u8]; 5] = [
        b"\x84\xaastatusCode\xcc\xc8\xa6status\xa2OK\xa6header\x81\xa1a\xa1b\xa4body\xc4\x02ok\x00",
        b"\x84\xabstatus_code\xcc\xc8\xa6status\xa2OK\xa6header\x81\xa1a\xa1b\xa4body\xc4\x02ok",
        b"\x84\xa4body\xc4\x02ok\xa6header\x81\xa1a\xa1b\xa6status\xa2OK\xaastatusCode\xcd\x00\xc8",
        b"\x94\xcc\xc8\xa2OK\x81\xa1a\xa1b\x92\x6f\x6b",
        b"\x84\xaastatusCode\xcc\xc8\xa6status\xa2OK\xa6header\x81\xa1a\x91\xa1b\xa4body\xa2ok",
    ];
    for form in forms {
        assert_eq!(read(form), expected, "{form:02x?}");
    }
}

#[test]
fn what_is_no_answer_is_malformed_and_never_a_panic() {
    let good = wire::encode(&answer(200, &[("a", "b"), ("c", "d")], b"hello")).expect("encodes");
    for end in 0..good.len() {
        assert!(read(&good[..end]).is_err(), "a prefix of {end}");
    }
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut flipped = good.clone();
            flipped[at] ^= 1 << bit;
            let _ = read(&flipped);
        }
    }
    for fields in [("a\r\nb", "c"), ("", "x"), ("a b", "c"), ("a", "b\r\nc: d"), ("a", "b\0")] {
        let bytes = wire::encode(&answer(200, &[fields], b"")).expect("encodes");
        assert!(read(&bytes).is_err(), "{fields:?}");
    }
    let names: Vec<String> = (0..40_000).map(|n| format!("x-{n}")).collect();
    let flood: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
    assert!(read(&wire::encode(&answer(200, &flood, b"")).expect("encodes")).is_err());
}
