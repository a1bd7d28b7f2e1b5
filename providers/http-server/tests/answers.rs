//! What well-behaved clients get.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Client, bind, encoded, exchange, mirror, provider_raw, serve};
use trellis_capabilities_http_server::Response;
use trellis_core::{CallError, Code, Trace};

#[tokio::test]
async fn a_request_reaches_the_actor_whole() {
    let (_provider, address) = serve(&[], mirror).await;
    let got = exchange(
        address,
        b"PUT /a%20b/c?q=1&r HTTP/1.1\r\nHost: example.com\r\nX-Two: a\r\nCookie: k=1\r\n\
          Connection: keep-alive, x-two\r\nX-Two: b\r\nCookie: l=2\r\nX-Raw: \xe9\r\n\
          Content-Length: 5\r\n\r\nhello",
    )
    .await;
    assert_eq!(got.status, 200);
    assert_eq!(got.field("content-type"), Some("text/plain; charset=utf-8"));
    let mut lines: Vec<_> = got.body.lines().collect();
    lines.sort_unstable();
    let expected = [
        "PUT /a%20b/c?q=1&r",
        "body hello",
        "content-length: 5",
        "cookie: k=1; l=2",
        "host: example.com",
        "x-raw: \u{fffd}",
        "x-two: a, b",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn bodies_of_every_framing_arrive() {
    let (_provider, address) = serve(&[], mirror).await;
    let mut client = Client::new(address).await;
    client
        .send(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
             3;ext=\"x\"\r\nhel\r\n2\r\nlo\r\n0\r\nX-Trailer: gone\r\n\r\n",
        )
        .await;
    assert!(client.answer().await.body.ends_with("body hello\n"));
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n").await;
    for _ in 0..10 {
        client.send("x".repeat(10_000)).await;
    }
    let body = client.answer().await.body;
    assert!(body.ends_with(&format!("body {}\n", "x".repeat(100_000))));
    client.send("POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi").await;
    assert!(client.answer().await.body.ends_with("body hi\n"));
    assert!(client.closed().await, "HTTP/1.0 without keep-alive");
}

#[tokio::test]
async fn expect_continue_is_honored() {
    let (_provider, address) = serve(&[("BODY_BYTES_MAX", "5")], mirror).await;
    let mut client = Client::new(address).await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n";
    client.send(format!("{head}Content-Length: 5\r\n\r\n")).await;
    assert_eq!(client.answer().await.status, 100);
    client.send("hello").await;
    assert!(client.answer().await.body.ends_with("body hello\n"));
    client.send(format!("{head}Content-Length: 6\r\n\r\n")).await;
    assert_eq!(client.answer().await.status, 413);
    assert!(client.closed().await);
}

#[tokio::test]
async fn connections_are_kept_and_pipelines_answered_in_order() {
    let (_provider, address) = serve(&[], mirror).await;
    let mut client = Client::new(address).await;
    let requests: String =
        (0..100).map(|n| format!("GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
    client.send(requests).await;
    for n in 0..100 {
        assert!(client.answer().await.body.starts_with(&format!("GET /{n}?\n")));
    }
    // The answer to a whole request does not wait for the rest of the next one.
    client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTT").await;
    assert!(client.answer().await.body.starts_with("GET /a?"));
    client.send("P/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(client.answer().await.body.starts_with("GET /b?"));
    assert!(client.closed().await);
}

#[tokio::test]
async fn an_answer_reaches_the_client_without_what_is_ours() {
    let (_provider, address) = serve(&[], |_, _| async {
        let mut answer = Response::new(201, "made");
        for (name, value) in [
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2"),
            ("Connection", "close"),
            ("Keep-Alive", "timeout=1"),
            ("Transfer-Encoding", "chunked"),
            ("Content-Length", "99"),
            ("Trailer", "x"),
            ("Upgrade", "h2c"),
        ] {
            answer.header.push(name, value);
        }
        Ok(answer)
    })
    .await;
    let mut client = Client::new(address).await;
    for _ in 0..2 {
        let got = client.get("/").await;
        assert_eq!((got.status, got.body.as_str()), (201, "made"));
        let mut names: Vec<_> = got.fields.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-length", "date", "set-cookie", "set-cookie"]);
    }
}

#[tokio::test]
async fn answers_without_a_body_have_none() {
    let (_provider, address) = serve(&[], |_, request| async move {
        let status = request.path.trim_start_matches('/').parse().expect("a status");
        Ok(Response::new(status, "hello"))
    })
    .await;
    let mut client = Client::new(address).await;
    for status in [204, 304] {
        let got = client.get(&format!("/{status}")).await;
        assert_eq!((got.status, got.field("content-length")), (status, None));
        assert_eq!(got.field("transfer-encoding"), None);
    }
    client.send("HEAD /200 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let got = client.answer_to_head().await;
    assert_eq!((got.status, got.field("content-length")), (200, Some("5")));
    assert_eq!(client.get("/200").await.body, "hello");
}

#[tokio::test]
async fn failed_calls_become_statuses_without_internals() {
    let (provider, address) = serve(&[], |_, request| async move {
        let code = Code::parse(request.path.trim_start_matches('/')).expect("a code");
        Err(CallError::new(code, "internal detail"))
    })
    .await;
    let mut client = Client::new(address).await;
    for (code, status) in [
        (Code::Denied, 403),
        (Code::Expired, 403),
        (Code::NotFound, 404),
        (Code::Busy, 503),
        (Code::Stopping, 503),
        (Code::Timeout, 504),
        (Code::Guest, 502),
        (Code::Trap, 502),
        (Code::Memory, 502),
        (Code::Message, 502),
        (Code::TooLarge, 502),
        (Code::Provider, 503),
        (Code::Internal, 500),
    ] {
        let got = client.get(&format!("/{code}")).await;
        assert_eq!((got.status, got.code()), (status, code.as_str().to_owned()));
        assert_eq!(got.field("retry-after").is_some(), status == 503, "{code}");
        assert!(!got.body.contains("internal detail"));
    }
    let metrics = common::metrics(&provider);
    for line in ["status=\"4xx\"} 3\n", "status=\"5xx\"} 10\n"] {
        let line = format!("http_requests_total{{actor=\"actor-1\",{line}");
        assert!(metrics.contains(&line), "{line} not in {metrics}");
    }
    assert!(metrics.contains("http_connections 1\n"), "{metrics}");
}

#[tokio::test]
async fn nonsense_from_an_actor_is_a_bad_gateway() {
    let replies = [
        bytes::Bytes::new(),
        bytes::Bytes::from_static(b"\xc1"),
        encoded(&Response::new(99, "")),
        encoded(&Response::new(101, "")),
        encoded(&Response::new(1_000, "")),
        encoded(&Response::text("").with_header("a", "b\r\nset-cookie: x")),
        encoded(&Response::text("").with_header("a\r\nb", "c")),
    ];
    let count = replies.len();
    let next = AtomicUsize::new(0);
    let provider = provider_raw(move |_, _| {
        let reply = replies[next.fetch_add(1, Ordering::Relaxed)].clone();
        async move { Ok(reply) }
    })
    .await;
    let address = bind(&provider, 1, &[]).await;
    let mut client = Client::new(address).await;
    for n in 0..count {
        let got = client.get("/").await;
        assert_eq!((got.status, got.code().as_str()), (502, "E_MESSAGE"), "reply {n}");
        assert_eq!(got.field("set-cookie"), None);
    }
}

#[tokio::test]
async fn methods_are_let_through_or_named() {
    let (provider, address) = serve(&[("METHODS", "GET,PURGE")], mirror).await;
    let mut client = Client::new(address).await;
    assert_eq!(client.get("/").await.status, 200);
    client.send("PURGE / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 200);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").await;
    let got = client.answer().await;
    assert_eq!((got.status, got.field("allow")), (405, Some("GET, PURGE")));
    assert_eq!(got.field("connection"), None, "nothing was left unread");
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello").await;
    let got = client.answer().await;
    assert_eq!((got.status, got.field("connection")), (405, Some("close")));
    assert!(client.closed().await);

    let open = bind(&provider, 2, &[]).await;
    let got = exchange(open, "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n").await;
    assert_eq!(got.status, 405);
}

#[tokio::test]
async fn a_trace_goes_with_the_call_and_comes_back() {
    let (_provider, address) = serve(&[], |invoke, _| async move {
        Ok(Response::text(invoke.trace.map(Trace::to_traceparent).unwrap_or_default()))
    })
    .await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let got =
        exchange(address, format!("GET / HTTP/1.1\r\nHost: a\r\ntraceparent: {trace}\r\n\r\n"))
            .await;
    assert_eq!((got.body.as_str(), got.field("traceparent")), (trace, Some(trace)));
    let got = exchange(address, "GET / HTTP/1.1\r\nHost: a\r\ntraceparent: x\r\n\r\n").await;
    assert_eq!((got.body.as_str(), got.field("traceparent")), ("", None));
}

#[tokio::test]
async fn an_actor_that_never_answers_is_given_up() {
    let (_provider, address) = serve(
        &[("REQUEST_TIME_MAX", "50ms"), ("IDLE_TIME_MAX", "100ms")],
        |invoke, _| async move {
            assert!(invoke.patience.is_some());
            std::future::pending().await
        },
    )
    .await;
    let got = exchange(address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!((got.status, got.code().as_str()), (504, "E_TIMEOUT"));
}

#[tokio::test]
async fn a_client_that_ends_its_own_direction_gets_its_answers() {
    let (called, mut calls) = tokio::sync::mpsc::channel(16);
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let inner = std::sync::Arc::clone(&gate);
    let (_provider, address) = serve(&[], move |_, request| {
        let (called, gate) = (called.clone(), std::sync::Arc::clone(&inner));
        async move {
            if request.path == "/slow" {
                called.send(()).await.expect("the test waits");
                gate.acquire().await.expect("open").forget();
            }
            Ok(Response::text(request.path))
        }
    })
    .await;
    // The end arrives together with the request, or while the actor is at work.
    for n in 0..200 {
        let mut quick = Client::new(address).await;
        quick.send(format!("GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        quick.finish().await;
        assert_eq!(quick.answer().await.body, format!("/{n}"));
        assert!(quick.closed().await);
    }
    let mut slow = Client::new(address).await;
    slow.send("POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi").await;
    calls.recv().await.expect("called");
    slow.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    slow.finish().await;
    gate.add_permits(1);
    assert_eq!(slow.answer().await.body, "/slow");
    calls.recv().await.expect("called for the request behind it");
    gate.add_permits(1);
    assert_eq!(slow.answer().await.body, "/slow");
    assert!(slow.closed().await);
    // Half a request is none.
    let mut half = Client::new(address).await;
    half.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhi").await;
    half.finish().await;
    assert!(half.try_answer().await.is_none_or(|got| got.status == 400));
}

#[tokio::test]
async fn a_target_that_is_no_path_never_reaches_an_actor() {
    let (_provider, address) = serve(&[("PATH", "/")], mirror).await;
    let mut client = Client::new(address).await;
    client.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let got = client.answer().await;
    assert_eq!((got.status, got.body.as_str()), (204, ""));
    assert!(got.field("allow").is_some_and(|allow| allow.contains("OPTIONS")), "{got:?}");
    client.send("OPTIONS /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(client.answer().await.body.starts_with("OPTIONS /a?"));
    for target in ["*", "a.test", "a.test:80"] {
        let got = exchange(address, format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        assert_eq!((got.status, got.code().as_str()), (400, "E_MESSAGE"), "{target}");
    }
}

#[tokio::test]
async fn the_largest_body_is_the_one_that_is_promised() {
    let (provider, address) =
        serve(&[], |_, request| async move { Ok(Response::text(request.body.len().to_string())) })
            .await;
    let post = |bytes: usize, more: &str| {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{more}Content-Length: {bytes}\r\n\r\n");
        [head.into_bytes(), vec![b'x'; bytes]].concat()
    };
    let most = 16 << 20;
    let got = exchange(address, post(most, "")).await;
    assert_eq!((got.status, got.body), (200, most.to_string()));
    let mut client = Client::new(address).await;
    client.try_send(post(most + 1, "")).await;
    let got = client.answer().await;
    assert_eq!(got.status, 413);
    assert!(got.body.contains("BODY_BYTES_MAX"), "{got:?}");

    // The actor's own limit is the narrower one.
    let small = |id, pairs: &[(&str, &str)]| {
        let payload_bytes_max = 64 << 10;
        trellis_providers_sdk::Binding { payload_bytes_max, ..common::binding(id, pairs) }
    };
    provider.bind(small(2, &[])).await.expect("nothing was promised");
    let listening = provider.addresses();
    let address = listening.last().expect("bound").address;
    assert_eq!(exchange(address, post(60 << 10, "")).await.status, 200);
    for bytes in [64 << 10, 60 << 10] {
        let header = format!("x: {}\r\n", "y".repeat(8 << 10));
        let mut client = Client::new(address).await;
        client.try_send(post(bytes, &header)).await;
        let got = client.answer().await;
        assert_eq!(got.status, 413, "{bytes}");
        assert!(got.body.contains("payload_bytes_max"), "{got:?}");
    }
    let metrics = common::metrics(&provider);
    for line in ["http_body_bytes_max\"} 1\n", "payload_bytes_max\"} 2\n"] {
        let line = format!("http_rejected_total{{limit=\"{line}");
        assert!(metrics.contains(&line), "{line} not in {metrics}");
    }
}
