//! What hostile and hopeless clients get.

mod common;

use std::time::{Duration, Instant};

use common::{Client, bind, encoded, exchange, metrics, mirror, provider_raw_with, serve};
use trellis_capabilities_http_server::Response;

/// Sent whole, each must be answered with the status, and the connection closed. Nothing of it may
/// reach the actor.
const REFUSED: &[(&str, u16, &str)] = &[
    ("not HTTP", 400, "\x16\x03\x01 hello\r\n\r\n"),
    ("HTTP/2 without asking", 400, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("no version", 400, "GET /\r\n\r\n"),
    ("a wrong version", 400, "GET / HTTP/3.0\r\nHost: a\r\n\r\n"),
    ("a bad method", 400, "G\x01T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a bad target", 400, "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a space in the target", 400, "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("no host", 400, "GET / HTTP/1.1\r\n\r\n"),
    ("two hosts", 400, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    ("a malformed host", 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    ("a host with a user", 400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
    ("a folded line", 400, "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n"),
    ("a folded first line", 400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    ("a space before the colon", 400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
    ("no colon", 400, "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n"),
    ("an empty name", 400, "GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n"),
    ("a NUL in a value", 400, "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n"),
    ("a bare CR in a value", 400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n"),
    (
        "length and chunked",
        400,
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n\
         0\r\n\r\nX",
    ),
    (
        "chunked and length",
        400,
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n\
         0\r\n\r\nX",
    ),
    (
        "two lengths",
        400,
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    ),
    (
        "a length twice",
        400,
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    ),
    ("a list of lengths", 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello"),
    ("a signed length", 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello"),
    ("a negative length", 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
    ("a hexadecimal length", 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello"),
    (
        "a length beyond u64",
        400,
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n",
    ),
    (
        "an unknown coding",
        400,
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "a coding under chunked",
        400,
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "chunked not last",
        400,
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    ),
    (
        "chunked twice",
        400,
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\
         \r\n\r\n0\r\n\r\n",
    ),
    ("chunked in HTTP/1.0", 400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    (
        "a chunk size that is none",
        400,
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
    ),
    (
        "a chunk longer than said",
        400,
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
    ),
    (
        "a chunk size beyond u64",
        400,
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
         fffffffffffffffff\r\nhello\r\n",
    ),
    ("a body over the limit", 413, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n"),
];

#[tokio::test]
async fn malformed_requests_are_refused_and_closed() {
    let (provider, address) = serve(&[("BODY_BYTES_MAX", "100")], |_, request| async move {
        panic!("{request:?} reached the actor")
    })
    .await;
    for (what, status, bytes) in REFUSED {
        let mut client = Client::new(address).await;
        client.send(bytes).await;
        let got = client.try_answer().await.unwrap_or_else(|| panic!("{what}: closed in silence"));
        assert_eq!(got.status, *status, "{what}");
        assert_eq!(got.field("connection"), Some("close"), "{what}");
        let code = if *status == 413 { "E_TOO_LARGE" } else { "E_MESSAGE" };
        assert_eq!(got.code(), code, "{what}");
        client.finish().await;
        assert!(client.closed().await, "{what}: more than one answer");
    }
    assert!(metrics(&provider).contains("http_rejected_total{limit=\"http_malformed\"}"));
}

#[tokio::test]
async fn a_smuggled_request_is_not_served() {
    let (_provider, address) = serve(&[], mirror).await;
    let mut client = Client::new(address).await;
    client
        .send(
            "GET /first HTTP/1.1\r\nHost: a\r\n\r\n\
             POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n\
             0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
        )
        .await;
    assert!(client.answer().await.body.starts_with("GET /first?"));
    assert_eq!(client.answer().await.status, 400);
    client.finish().await;
    assert!(client.closed().await);
}

#[tokio::test]
async fn a_chunk_size_in_two_segments_smuggles_nothing() {
    let (_provider, address) = serve(&[], mirror).await;
    let mut client = Client::new(address).await;
    client.send("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    client.send("0".repeat(80)).await;
    // Read apart from what follows: the next client's answer comes after.
    assert_eq!(Client::new(address).await.get("/").await.status, 200);
    client
        .send(
            "14\r\naaaaaaaaaaaaaaaaaaaa\r\n0\r\n\r\n\
             POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n\
             0\r\n\r\n",
        )
        .await;
    assert!(client.answer().await.body.ends_with("body aaaaaaaaaaaaaaaaaaaa\n"));
    assert_eq!(client.answer().await.status, 400);
}

#[tokio::test]
async fn a_target_over_64_kib_has_a_status_of_its_own() {
    let (provider, address) = serve(&[("HEADER_BYTES_MAX", "1MiB")], mirror).await;
    let got = exchange(address, format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "y".repeat(70_000)));
    let got = got.await;
    assert_eq!((got.status, got.code().as_str()), (414, "E_TOO_LARGE"));
    let metrics = metrics(&provider);
    assert!(metrics.contains("http_requests_total{status=\"4xx\"} 1\n"), "{metrics}");
}

#[tokio::test]
async fn large_heads_are_refused() {
    let limits = [("HEADER_COUNT_MAX", "10"), ("HEADER_BYTES_MAX", "4KiB")];
    let (provider, address) = serve(&limits, mirror).await;
    let many: String = (0..10).map(|n| format!("x-{n}: y\r\n")).collect();
    for (what, bytes) in [
        ("many fields", format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n")),
        ("a long field", format!("GET / HTTP/1.1\r\nHost: a\r\nx: {}\r\n\r\n", "y".repeat(4_096))),
        ("a long target", format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "y".repeat(4_096))),
        ("a line of 1 MiB", format!("GET /{}", "y".repeat(1 << 20))),
        ("100,000 fields", format!("GET / HTTP/1.1\r\n{}", "a: b\r\n".repeat(100_000))),
    ] {
        let mut client = Client::new(address).await;
        client.try_send(bytes).await;
        let got = client.answer().await;
        assert_eq!((got.status, got.code().as_str()), (431, "E_TOO_LARGE"), "{what}");
    }
    let exactly: String = (0..9).map(|n| format!("x-{n}: y\r\n")).collect();
    let got = exchange(address, format!("GET / HTTP/1.1\r\nHost: a\r\n{exactly}\r\n")).await;
    assert_eq!(got.status, 200);
    assert!(metrics(&provider).contains("http_rejected_total{limit=\"http_header_max\"} 5\n"));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_however_it_comes() {
    let (provider, address) = serve(&[("BODY_BYTES_MAX", "64KiB")], mirror).await;
    let mut sized = Client::new(address).await;
    sized.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n").await;
    sized.try_send("x".repeat(1_000_000)).await;
    let got = sized.answer().await;
    assert_eq!((got.status, got.code().as_str()), (413, "E_TOO_LARGE"));
    let mut chunked = Client::new(address).await;
    chunked.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    for _ in 0..20 {
        chunked.try_send(format!("1000\r\n{}\r\n", "x".repeat(0x1000))).await;
    }
    assert_eq!(chunked.answer().await.status, 413);
    let fits = "x".repeat(64 << 10);
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", fits.len());
    assert_eq!(exchange(address, head + &fits).await.status, 200);
    assert!(metrics(&provider).contains("http_rejected_total{limit=\"http_body_bytes_max\"} 2\n"));
}

const HASTE: [(&str, &str); 4] = [
    ("HEADER_TIME_MAX", "60ms"),
    ("TRANSFER_GRACE", "60ms"),
    ("TRANSFER_RATE_MIN", "1MiB"),
    ("IDLE_TIME_MAX", "10s"),
];

#[tokio::test]
async fn slow_headers_and_bodies_time_out() {
    let (provider, address) = serve(&HASTE, mirror).await;
    let mut header = Client::new(address).await;
    header.send("GET / HTTP/1.1\r\nHost: a\r\nX-Slow:").await;
    let mut second = Client::new(address).await;
    assert_eq!(second.get("/").await.status, 200);
    second.send("GE").await;
    let mut body = Client::new(address).await;
    body.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhel").await;
    for (what, client) in [("header", &mut header), ("second", &mut second), ("body", &mut body)] {
        let got = client.answer().await;
        assert_eq!((got.status, got.code().as_str()), (408, "E_TIMEOUT"), "{what}");
        assert_eq!(got.field("connection"), Some("close"));
        client.finish().await;
        assert!(client.closed().await, "{what}");
    }
    let metrics = metrics(&provider);
    for line in [
        "http_rejected_total{limit=\"http_header_time_max\"} 2\n",
        "http_rejected_total{limit=\"http_transfer_rate_min\"} 1\n",
    ] {
        assert!(metrics.contains(line), "{line} not in {metrics}");
    }
}

#[tokio::test]
async fn dripping_a_header_does_not_help() {
    let (provider, address) = serve(&HASTE, mirror).await;
    let mut client = Client::new(address).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n").await;
    let dripping = async {
        let mut drops = tokio::time::interval(Duration::from_millis(5));
        while client.try_send("x: y\r\n").await {
            drops.tick().await;
        }
    };
    tokio::time::timeout(common::PATIENCE, dripping).await.expect("it is cut off");
    let limit = "http_rejected_total{limit=\"http_header_time_max\"} 1\n";
    assert!(metrics(&provider).contains(limit));
    let metrics = metrics(&provider);
    assert!(
        metrics.contains("http_requests_total{actor=\"actor-1\",status=\"2xx\"} 0\n"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_body_that_was_fast_and_stops_is_cut_like_any_other() {
    let (provider, address) = serve(&HASTE, mirror).await;
    let mut client = Client::new(address).await;
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 16 << 20);
    client.send(head).await;
    // At the slowest rate this would pay for 15 seconds.
    client.send(vec![b'x'; 15 << 20]).await;
    let started = Instant::now();
    assert_eq!(client.answer().await.status, 408);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert!(
        metrics(&provider).contains("http_rejected_total{limit=\"http_transfer_rate_min\"} 1\n")
    );
}

#[tokio::test]
async fn a_client_that_takes_no_answer_is_cut() {
    let (provider, address) =
        serve(&HASTE, |_, _| async { Ok(Response::new(200, vec![b'x'; 32 << 20])) }).await;
    let mut client = Client::new(address).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let cut = "http_rejected_total{limit=\"http_transfer_rate_min\"} 1\n";
    common::until(|| metrics(&provider).contains(cut)).await;
    common::until(|| metrics(&provider).contains("http_connections 0\n")).await;
}

#[tokio::test]
async fn many_clients_that_never_read_are_cut_and_starve_nobody() {
    let large = encoded(&Response::new(200, vec![b'x'; 32 << 20]));
    let small = encoded(&Response::text("small"));
    // Its rate is what bounds them here.
    let provider = provider_raw_with(&[("ANSWERS_BYTES_MAX", "8GiB")], move |_, request| {
        let answer = if request.path == "/large" { large.clone() } else { small.clone() };
        async move { Ok(answer) }
    })
    .await;
    let address = bind(&provider, 1, &HASTE).await;
    let mut greedy = Vec::new();
    for n in 0..100 {
        let mut client = Client::new(address).await;
        client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await;
        // Half of them read fast first: that pays for nothing later.
        if n % 2 == 0 {
            client.take(1 << 20).await;
        }
        greedy.push(client);
        assert_eq!(exchange(address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 200);
    }
    let cut = "http_rejected_total{limit=\"http_transfer_rate_min\"} 100\n";
    common::until(|| metrics(&provider).contains(cut)).await;
    common::until(|| metrics(&provider).contains("http_connections 0\n")).await;
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let (_provider, address) = serve(&[("IDLE_TIME_MAX", "50ms")], mirror).await;
    let mut silent = Client::new(address).await;
    let mut kept = Client::new(address).await;
    assert_eq!(kept.get("/").await.status, 200);
    let mut blank = Client::new(address).await;
    blank.send("\r\n\r\n").await;
    assert!(silent.closed().await && kept.closed().await && blank.closed().await);
}

#[tokio::test]
async fn connections_over_the_limit_are_told_so() {
    let (provider, address) = serve(&[("CONNECTIONS_MAX", "3")], mirror).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = Client::new(address).await;
        assert_eq!(client.get("/").await.status, 200);
        clients.push(client);
    }
    let mut refused = Client::new(address).await;
    let got = refused.answer().await;
    assert_eq!((got.status, got.code().as_str()), (503, "E_BUSY"));
    assert_eq!(got.field("retry-after"), Some("1"));
    drop(refused);
    // More, one after another, than may be refused at once, however many workers share them.
    for number in 0..128 * std::thread::available_parallelism().map_or(1, usize::from) + 64 {
        let got = Client::new(address).await.try_answer().await;
        assert_eq!(got.map(|got| got.status), Some(503), "refusal {number}");
    }
    assert_eq!(clients[0].get("/").await.status, 200, "the others are served on");
    clients.pop();
    common::until(|| metrics(&provider).contains("http_connections 2\n")).await;
    assert_eq!(Client::new(address).await.get("/").await.status, 200);
}

#[tokio::test]
async fn a_client_that_resets_its_connection_cancels_its_call() {
    struct Left(tokio::sync::mpsc::Sender<()>);
    impl Drop for Left {
        fn drop(&mut self) {
            let _ = self.0.try_send(());
        }
    }
    let (left, mut gone) = tokio::sync::mpsc::channel(1);
    let (called, mut calls) = tokio::sync::mpsc::channel(1);
    let (_provider, address) = serve(&[], move |_, _| {
        let guard = Left(left.clone());
        let called = called.clone();
        async move {
            let _guard = guard;
            called.send(()).await.expect("the test waits");
            std::future::pending().await
        }
    })
    .await;
    let mut client = Client::new(address).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    calls.recv().await.expect("called");
    client.reset();
    let gone = tokio::time::timeout(common::PATIENCE, gone.recv()).await;
    gone.expect("before the actor's time is up").expect("cancelled");
}
