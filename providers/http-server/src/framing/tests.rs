use std::cell::Cell;
use std::convert::Infallible;

use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

fn fed(bytes: &[u8]) -> Framing {
    let mut framing = Framing::new();
    framing.feed(bytes);
    framing
}

/// The first request that is suspect, which must not depend on the size of the pieces.
fn first_suspect(bytes: &[u8]) -> Option<u64> {
    let whole = fed(bytes);
    for size in 1..bytes.len() {
        let mut pieces = Framing::new();
        bytes.chunks(size).for_each(|piece| pieces.feed(piece));
        assert_eq!(pieces, whole, "pieces of {size}");
    }
    whole.suspect_from
}

#[test]
fn plain_requests_are_followed() {
    let stream = b"\r\nGET / HTTP/1.1\r\nHost: a\r\nCookie: c\r\nTE: trailers\r\n\r\n\
        POST / HTTP/1.1\r\nContent-Length: \t5 \r\nContent-Type: t\r\n\r\nhello\
        POST / HTTP/1.1\ntransfer-encoding: Chunked\n\n\
        5;ext=1\r\nhello\r\n000A \r\n0123456789\r\n0\r\nContent-Length: 3\r\n\r\n\
        GET / HTTP/1.1\r\n\r\n";
    assert_eq!(first_suspect(stream), None);
    let framing = fed(stream);
    assert_eq!((framing.heads, framing.state), (4, State::BetweenRequests));
}

#[test]
fn a_body_that_looks_like_smuggling_is_a_body() {
    let inner = "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let sized = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{inner}", inner.len());
    assert_eq!(first_suspect(sized.as_bytes()), None);
    let chunked = format!(
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{inner}\r\n0\r\n\r\n",
        inner.len()
    );
    assert_eq!(first_suspect(chunked.as_bytes()), None);
}

#[test]
fn contradictions_are_suspect() {
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "transfer-encoding:chunked\r\nX: y\r\ncontent-length:5",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 5",
        "Content-Length: 5 5",
        "Content-Length: +5",
        "Content-Length: 5\r5",
        "Content-Length: \u{b}5",
        "Content-Length:",
        "Content-Length: 99999999999999999999999",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunke",
        "Transfer-Encoding:",
    ] {
        let stream =
            format!("GET / HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\nhello");
        assert_eq!(first_suspect(stream.as_bytes()), Some(2), "{fields}");
    }
}

/// The start of a body in chunks.
const CHUNKED_POST: &str = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
/// A request that says two lengths.
const CONTRADICTORY: &str =
    "POST / HTTP/1.1\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";

#[test]
fn a_long_chunk_size_hides_nothing_however_it_is_cut() {
    let zeros = "0".repeat(80);
    let stream =
        format!("{CHUNKED_POST}{zeros}14\r\n{}\r\n0\r\n\r\n{CONTRADICTORY}", "x".repeat(20));
    assert_eq!(first_suspect(stream.as_bytes()), Some(2));
}

#[test]
fn lenient_line_ends_hide_nothing() {
    // hyper takes all of this, up to the last line, for one trailer.
    let hidden = format!("{CHUNKED_POST}0\r\nX: a\n\nGET / HTTP/1.1\n\r\n\r\n{CONTRADICTORY}");
    assert_eq!(first_suspect(hidden.as_bytes()), Some(2));
    for size in ["zz\r\n", "\r\n", ";x\r\n", "5\n", "5;x\n", "5\rx", "fffffffffffffffff\r\n"] {
        assert_eq!(first_suspect(format!("{CHUNKED_POST}{size}").as_bytes()), Some(2), "{size:?}");
    }
}

#[test]
fn a_head_begins_with_its_first_byte() {
    let mut framing = Framing::new();
    for (bytes, inside) in [
        ("\r\n\r", false),
        ("\nG", true),
        ("ET / HTTP/1.1\r\n", true),
        ("Content-Length", true),
        (": ", true),
        ("3\r\n\r", true),
        ("\n", false),
        ("abc", false),
    ] {
        framing.feed(bytes.as_bytes());
        assert_eq!(framing.inside_head(), inside, "{bytes:?}");
    }
    assert_eq!((framing.heads(), framing.inside_request()), (1, false));
}

/// What a hostile client would put together.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        10 => prop::sample::select(vec![
            "GET / HTTP/1.1\r\nHost: a\r\n", "POST / HTTP/1.1\r\nHost: a\r\n", "\r\n", "\n", "\r",
            "Content-Length: 3\r\n", "content-length:5\n", "Content-Length: 3 \r\n", "abc", "hello",
            "Transfer-Encoding: chunked\r\n", "tRANSFER-eNCODING:\tchunked \r\n",
            "X: y\r\n", "T: c\r\n", "Content-Type: x\r\n", "0\r\n\r\n", "3\r\nabc\r\n",
            "000000000000000000000003;x=y\r\nabc\r\n", "0\r\nX: y\r\n\r\n", "0\r\nX: a\n\nb\r\n\r\n",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

/// How many requests hyper reads from the stream, and whether it went through to the end.
async fn served_by_hyper(stream: &[u8]) -> (u64, bool) {
    let (mut client, server) = tokio::io::duplex(1 << 20);
    client.write_all(stream).await.expect("there is room");
    client.shutdown().await.expect("it is open");
    let (begun, whole) = (Cell::new(0_u64), Cell::new(0_u64));
    let service = service_fn(|request: http::Request<Incoming>| {
        begun.set(begun.get() + 1);
        let whole = &whole;
        async move {
            if request.into_body().collect().await.is_ok() {
                whole.set(whole.get() + 1);
            }
            Ok::<_, Infallible>(http::Response::new(Empty::<bytes::Bytes>::new()))
        }
    });
    let connection =
        http1::Builder::new().half_close(true).serve_connection(TokioIo::new(server), service);
    let ended = connection.await;
    let mut answers = Vec::new();
    client.read_to_end(&mut answers).await.expect("the server is done");
    (begun.get(), ended.is_ok() && begun == whole)
}

proptest! {
    #[test]
    fn any_split_gives_the_same_verdict(
        stream in stream(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.push(stream.len());
        cuts.sort_unstable();
        let mut pieces = Framing::new();
        let mut from = 0;
        for cut in cuts {
            pieces.feed(&stream[from..cut]);
            from = cut;
        }
        prop_assert_eq!(pieces, fed(&stream));
    }

    /// A stream that both read to its end without complaint holds the same requests for both: a
    /// request that hyper sees and this reading does not would never be looked at.
    #[test]
    fn hyper_sees_the_same_requests(stream in stream()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (begun, whole) = runtime.block_on(served_by_hyper(&stream));
        let framing = fed(&stream);
        if framing.suspect_from.is_none() {
            prop_assert!(begun <= framing.heads, "{begun} > {}", framing.heads);
            if whole && !framing.inside_request() {
                prop_assert_eq!(begun, framing.heads);
            }
        }
    }
}
