//! The memory for the bodies of requests and answers, those of all connections together.

mod common;

use std::sync::Arc;

use common::{Client, bind, exchange, metrics, mirror, provider_with, until};
use trellis_capabilities_http_server::{Request, Response};
use trellis_providers_sdk::Provider;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// What is not counted of a body.
const FREE: usize = 16 * KIB;

fn post(length: usize) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")
}

fn whole(length: usize) -> Vec<u8> {
    [post(length).into_bytes(), vec![b'x'; length]].concat()
}

fn chunked(length: usize) -> Vec<u8> {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let body = "x".repeat(length);
    format!("{head}{length:x}\r\n{body}\r\n0\r\n\r\n").into_bytes()
}

async fn until_held(provider: &Arc<dyn Provider>, bytes: usize) {
    let line = format!("http_bodies_bytes {bytes}\n");
    until(|| metrics(provider).contains(&line)).await;
}

#[tokio::test]
async fn bodies_that_find_no_memory_are_refused_and_small_ones_go_on() {
    let provider = provider_with(&[("BODIES_BYTES_MAX", "1MiB")], mirror).await;
    let address = bind(&provider, 1, &[]).await;
    // A word about a length takes no memory.
    let mut announced = Client::new(address).await;
    announced.send(post(MIB)).await;
    announced.send("x").await;
    let mut slow = Client::new(address).await;
    slow.send(post(MIB)).await;
    slow.send(vec![b'x'; MIB - 1]).await;
    until_held(&provider, MIB - FREE).await;
    for large in [whole(100 * KIB), chunked(100 * KIB)] {
        let got = exchange(address, large).await;
        assert_eq!((got.status, got.code().as_str()), (503, "E_BUSY"));
        assert_eq!(got.field("retry-after"), Some("1"));
        assert_eq!(got.field("connection"), Some("close"), "nobody reads the rest");
        until_held(&provider, MIB - FREE).await;
    }
    assert!(
        metrics(&provider).contains("http_rejected_total{limit=\"http_bodies_bytes_max\"} 2\n")
    );
    for small in [whole(FREE), chunked(FREE)] {
        assert_eq!(exchange(address, small).await.status, 200);
    }
    slow.send("x").await;
    assert_eq!(slow.answer().await.status, 200, "what has its memory is served");
    until_held(&provider, 0).await;
    for large in [whole(100 * KIB), chunked(100 * KIB)] {
        assert_eq!(exchange(address, large).await.status, 200, "there is memory again");
    }
}

#[tokio::test]
async fn a_body_is_counted_until_its_call_has_ended() {
    let (called, mut calls) = tokio::sync::mpsc::channel(1);
    let provider = provider_with(&[], move |invoke, _| {
        let called = called.clone();
        async move {
            let _payload = invoke.payload;
            called.send(()).await.expect("the test waits");
            std::future::pending().await
        }
    })
    .await;
    let address = bind(&provider, 1, &[]).await;
    let mut client = Client::new(address).await;
    client.send(whole(100 * KIB)).await;
    calls.recv().await.expect("the actor has it");
    until_held(&provider, 100 * KIB - FREE).await;
    client.reset();
    until_held(&provider, 0).await;
}

#[tokio::test]
async fn answers_that_find_no_memory_are_dropped_and_small_ones_go_on() {
    let actor = |_, request: Request| async move {
        let length: usize = request.path.trim_start_matches('/').parse().expect("a length");
        Ok(Response::text("x".repeat(length)))
    };
    let provider = provider_with(&[("ANSWERS_BYTES_MAX", "2MiB")], actor).await;
    let address = bind(&provider, 1, &[]).await;
    let get = |length: usize| format!("GET /{length} HTTP/1.1\r\nHost: a\r\n\r\n");
    let held = |least: usize| {
        let metrics = metrics(&provider);
        let line = metrics.lines().find_map(|line| line.strip_prefix("http_answers_bytes "));
        let bytes: usize = line.and_then(|bytes| bytes.parse().ok()).expect("a number");
        (least == 0 && bytes == 0) || (least > 0 && bytes >= least)
    };
    // Takes nothing of it, which is more than the buffers between the two.
    let mut slow = Client::new(address).await;
    slow.send(get(2 * MIB)).await;
    until(|| held(2 * MIB - FREE)).await;
    let got = exchange(address, get(100 * KIB)).await;
    assert_eq!((got.status, got.code().as_str()), (503, "E_PROVIDER"));
    assert_eq!(got.field("retry-after"), Some("1"));
    assert!(
        metrics(&provider).contains("http_rejected_total{limit=\"http_answers_bytes_max\"} 1\n")
    );
    assert_eq!(exchange(address, get(8 * KIB)).await.status, 200);
    assert_eq!(slow.answer().await.body.len(), 2 * MIB, "what has its memory is sent");
    until(|| held(0)).await;
    assert_eq!(exchange(address, get(100 * KIB)).await.status, 200, "there is memory again");
    // A client may have all of an answer before its memory is given back.
    until(|| held(0)).await;
    slow.send(get(2 * MIB)).await;
    until(|| held(2 * MIB - FREE)).await;
    slow.reset();
    until(|| held(0)).await;
    assert_eq!(exchange(address, get(3 * MIB)).await.status, 503, "it is too large for ever");
}
