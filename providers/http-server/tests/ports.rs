//! Bindings that come, share, move and go while requests are under way.

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use common::{Client, PATIENCE, bind, binding, mirror, provider, serve};
use tokio::sync::{Semaphore, mpsc};
use trellis_capabilities_http_server::Response;
use trellis_core::{BindingName, Code};
use trellis_providers_sdk::{BindingId, Provider};

/// Actors that answer with the number of their binding.
async fn numbered() -> Arc<dyn Provider> {
    provider(|invoke, _| async move { Ok(Response::text(invoke.binding.0.to_string())) }).await
}

/// Actors that tell when they are called and answer when they are let.
async fn held() -> (Arc<dyn Provider>, mpsc::Receiver<()>, Arc<Semaphore>) {
    let (called, calls) = mpsc::channel(16);
    let gate = Arc::new(Semaphore::new(0));
    let inner = Arc::clone(&gate);
    let provider = provider(move |_, _| {
        let (called, gate) = (called.clone(), Arc::clone(&inner));
        async move {
            called.send(()).await.expect("the test waits");
            gate.acquire().await.expect("open").forget();
            Ok(Response::text("done"))
        }
    })
    .await;
    (provider, calls, gate)
}

async fn who(address: SocketAddr, host: &str, path: &str) -> String {
    let mut client = Client::new(address).await;
    client.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
    let got = client.answer().await;
    if got.status == 200 { got.body } else { got.status.to_string() }
}

#[tokio::test]
async fn actors_share_a_port_by_host_and_path() {
    let provider = numbered().await;
    let address = bind(&provider, 1, &[("HOSTS", "a.test"), ("PATH", "/")]).await;
    let port = address.port().to_string();
    for (id, hosts, path) in
        [(2, "a.test", "/api"), (3, "*.test", "/"), (4, "", "/any"), (5, "b.test,c.test", "/")]
    {
        let values = [("PORT", port.as_str()), ("HOSTS", hosts), ("PATH", path)];
        assert_eq!(bind(&provider, id, &values).await, address);
    }
    for (host, path, expected) in [
        ("a.test", "/", "1"),
        ("A.test:80", "/apis", "1"),
        ("a.test", "/api/x?y", "2"),
        ("x.test", "/", "3"),
        ("c.test", "/any", "5"),
        ("other", "/any", "4"),
        ("other", "/", "404"),
    ] {
        assert_eq!(who(address, host, path).await, expected, "{host}{path}");
    }
    // The target in absolute form wins over the header.
    assert_eq!(who(address, "other", "http://b.test/").await, "5");
    let urls: Vec<_> = provider.addresses().into_iter().map(|at| at.url).collect();
    assert_eq!(urls[0], format!("http://a.test:{port}/"));
    assert_eq!(urls[3], format!("http://127.0.0.1:{port}/any"));
    bind(&provider, 6, &[("ADDRESS", "::1"), ("HOSTS", "::1")]).await;
    let ipv6 = provider.addresses().pop().expect("bound last");
    assert_eq!(ipv6.url, format!("http://[::1]:{}/", ipv6.address.port()));
}

#[tokio::test]
async fn each_actor_may_have_its_own_port() {
    let provider = numbered().await;
    let (one, two) = (bind(&provider, 1, &[]).await, bind(&provider, 2, &[]).await);
    assert_ne!(one, two);
    assert_eq!((who(one, "a", "/").await, who(two, "a", "/").await), ("1".into(), "2".into()));
}

#[tokio::test]
async fn conflicts_name_both_actors() {
    let provider = numbered().await;
    let address = bind(&provider, 1, &[]).await;
    let port = address.port().to_string();
    let port = port.as_str();
    for (values, named) in [
        (vec![("PORT", port)], "PATH"),
        (vec![("PORT", port), ("PATH", "/x"), ("IDLE_TIME_MAX", "1s")], "IDLE_TIME_MAX"),
    ] {
        let error = provider.bind(binding(2, &values)).await.expect_err("must be refused");
        assert_eq!(error.code(), Code::Config);
        for part in ["`actor-1`", "`actor-2`", port, named] {
            assert!(error.message().contains(part), "{part} not in {error}");
        }
    }
    assert_eq!(provider.addresses().len(), 1);
    assert_eq!(who(address, "a", "/").await, "1");
}

#[tokio::test]
async fn a_port_in_use_is_said_so() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = holder.local_addr().expect("bound").port().to_string();
    let first = numbered().await;
    let shared = bind(&first, 1, &[]).await.port().to_string();
    // Another host of the same user must not share the port either.
    for (provider, port) in [(&first, &taken), (&numbered().await, &shared)] {
        let values = [("PORT", port.as_str()), ("PATH", "/x"), ("IDLE_TIME_MAX", "60s")];
        let error = provider.bind(binding(7, &values)).await.expect_err("must be refused");
        assert_eq!(error.code(), Code::Address);
        for part in ["`actor-7`", "127.0.0.1", port, "in use", "PORT"] {
            assert!(error.message().contains(part), "{part} not in {error}");
        }
    }
    drop(holder);
    let values = [("PORT", taken.as_str())];
    assert_eq!(bind(&first, 7, &values).await.port().to_string(), taken);
}

#[tokio::test]
async fn a_change_that_cannot_be_made_changes_nothing() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = holder.local_addr().expect("bound").port().to_string();
    let provider = numbered().await;
    let address = bind(&provider, 1, &[("PATH", "/a")]).await;
    let other = bind(&provider, 2, &[]).await.port().to_string();
    let mut kept = Client::new(address).await;
    let before = provider.addresses();
    for values in [
        vec![("PORT", taken.as_str()), ("PATH", "/a")],
        vec![("PORT", other.as_str())],
        vec![("HOSTS", "http://wrong")],
        vec![("PATH", "wrong")],
        vec![("ADDRESS", "203.0.113.1")],
    ] {
        provider.bind(binding(1, &values)).await.expect_err("must be refused");
        assert_eq!(provider.addresses(), before, "{values:?}");
        assert_eq!(kept.get("/a").await.body, "1", "{values:?}");
        assert_eq!(who(address, "a", "/a").await, "1", "{values:?}");
    }
    drop(holder);
    let moved = bind(&provider, 1, &[("PORT", taken.as_str())]).await;
    assert_eq!((moved.port().to_string(), who(moved, "a", "/").await), (taken, "1".into()));
    // The former port is free again, once every worker has let go of it.
    common::until(|| std::net::TcpListener::bind(address).is_ok()).await;
}

#[tokio::test]
async fn unbinding_does_not_wait_for_silent_clients() {
    let slow = [("TRANSFER_GRACE", "1h"), ("HEADER_TIME_MAX", "1h"), ("REQUEST_TIME_MAX", "1h")];
    let (provider, address) = serve(&slow, mirror).await;
    let (mut head, mut body) = (Client::new(address).await, Client::new(address).await);
    head.send("GET / HTTP").await;
    body.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhel").await;
    common::until(|| common::metrics(&provider).contains("http_connections 2\n")).await;
    let gone = tokio::time::timeout(PATIENCE, provider.unbind(BindingId(1))).await;
    gone.expect("nobody calls the actor");
    drop(std::net::TcpListener::bind(address).expect("the port is free"));
    body.send("lo world").await;
    assert_eq!(body.answer().await.status, 503);
}

#[tokio::test]
async fn wrong_values_are_refused_at_bind() {
    let provider = numbered().await;
    for values in [[("PATH", "api")], [("ADDRESS", "nowhere")], [("HOSTS", "a b")]] {
        let error = provider.bind(binding(1, &values)).await.expect_err("must be refused");
        assert_eq!(error.code(), Code::Config);
    }
    let error = provider.bind(binding(1, &[("ADDRESS", "203.0.113.1")])).await;
    assert_eq!(error.expect_err("not ours").code(), Code::Address);
}

#[tokio::test]
async fn unbinding_waits_for_the_call_and_frees_the_port() {
    let (provider, mut calls, gate) = held().await;
    let address = bind(&provider, 1, &[]).await;
    let mut idle = Client::new(address).await;
    let mut client = Client::new(address).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    calls.recv().await.expect("called");
    let unbinding = tokio::spawn({
        let provider = Arc::clone(&provider);
        async move { provider.unbind(BindingId(1)).await }
    });
    common::until(|| provider.addresses().is_empty()).await;
    assert!(!unbinding.is_finished());
    gate.add_permits(1);
    let got = client.answer().await;
    assert_eq!((got.body.as_str(), got.field("connection")), ("done", Some("close")));
    client.finish().await;
    unbinding.await.expect("ends");
    assert!(idle.closed().await);
    let again = std::net::TcpListener::bind(address);
    drop(again.expect("the port is free"));
    provider.unbind(BindingId(1)).await;
}

#[tokio::test]
async fn new_values_keep_the_port_and_show_at_once() {
    let provider = numbered().await;
    let address = bind(&provider, 1, &[("PATH", "/a")]).await;
    let mut kept = Client::new(address).await;
    assert_eq!(kept.get("/a").await.status, 200);
    assert_eq!(bind(&provider, 1, &[("PATH", "/b")]).await, address);
    assert_eq!((kept.get("/a").await.status, kept.get("/b").await.status), (404, 200));
    // The same actor's binding under a new id takes over before the old one goes.
    let port = address.port().to_string();
    let mut successor = binding(2, &[("PORT", port.as_str()), ("PATH", "/b")]);
    // Another version may have another key.
    successor.actor_name = binding(1, &[]).actor_name;
    successor.name = BindingName::default();
    provider.bind(successor).await.expect("takes over");
    assert_eq!(kept.get("/b").await.body, "2");
    provider.unbind(BindingId(1)).await;
    assert_eq!(kept.get("/b").await.body, "2");
    // And moves away.
    assert_ne!(bind(&provider, 2, &[]).await, address);
    common::until_async(|| async { Client::new_if_open(address).await.is_none() }).await;
}

#[tokio::test]
async fn a_route_that_changes_under_a_body_is_asked_anew() {
    let values: [(&[(&str, &str)], _); 3] = [
        (&[("METHODS", "GET")], (405, "E_DENIED")),
        (&[("BODY_BYTES_MAX", "9")], (413, "E_TOO_LARGE")),
        (&[("BODY_BYTES_MAX", "10"), ("METHODS", "POST")], (200, "")),
    ];
    for (values, expected) in values {
        let provider = provider(mirror).await;
        let address = bind(&provider, 1, &[]).await;
        let mut client = Client::new(address).await;
        client
            .send(
                "POST / HTTP/1.1
Host: a
Expect: 100-continue
",
            )
            .await;
        client
            .send(
                "Content-Length: 10

",
            )
            .await;
        assert_eq!(client.answer_to_head().await.status, 100, "its body is being read");
        assert_eq!(bind(&provider, 1, values).await, address);
        client.send("0123456789").await;
        let got = client.answer().await;
        let code = if got.status == 200 { String::new() } else { got.code() };
        assert_eq!((got.status, code.as_str()), expected, "{values:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bindings_change_under_load_without_losing_a_request() {
    let provider = numbered().await;
    let address = bind(&provider, 1, &[]).await;
    let port = address.port().to_string();
    let stop = Arc::new(AtomicBool::new(false));
    let load = |path: &'static str, expected: &'static [&'static str]| {
        let (stop, answered) = (Arc::clone(&stop), Arc::new(AtomicU32::new(0)));
        let count = Arc::clone(&answered);
        let task = tokio::spawn(async move {
            let mut client = Client::new(address).await;
            while !stop.load(Ordering::Relaxed) {
                let got = client.get(path).await;
                assert!(got.status == 200 && expected.contains(&got.body.as_str()), "{got:?}");
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        (task, answered)
    };
    let loads =
        [load("/", &["1"]), load("/x/y", &["1", "2"]), load("/x", &["1", "2"]), load("/z", &["1"])];
    let busy = || loads.iter().all(|(_, answered)| answered.load(Ordering::Relaxed) > 100);
    let mut round = 0_u32;
    while round < 200 || !busy() {
        let path = if round.is_multiple_of(2) { "/x" } else { "/unused" };
        let values = [("PORT", port.as_str()), ("PATH", path)];
        provider.bind(binding(2, &values)).await.expect("binds");
        if round.is_multiple_of(3) {
            provider.unbind(BindingId(2)).await;
        }
        tokio::task::yield_now().await;
        round += 1;
    }
    stop.store(true, Ordering::Relaxed);
    for (load, _) in loads {
        load.await.expect("no request was lost");
    }
}

#[tokio::test]
async fn shutdown_finishes_what_is_under_way() {
    let (provider, mut calls, gate) = held().await;
    let address = bind(&provider, 1, &[]).await;
    let mut busy = Client::new(address).await;
    busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    calls.recv().await.expect("called");
    let stopping = tokio::spawn({
        let provider = Arc::clone(&provider);
        async move { provider.shutdown(PATIENCE).await }
    });
    common::until_async(|| async { Client::new_if_open(address).await.is_none() }).await;
    gate.add_permits(1);
    let got = busy.answer().await;
    assert_eq!((got.body.as_str(), got.field("connection")), ("done", Some("close")));
    assert!(busy.closed().await);
    drop(busy);
    stopping.await.expect("ends");
    let refused = provider.bind(binding(2, &[])).await.expect_err("stopping");
    assert_eq!(refused.code(), Code::Stopping);
    provider.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn shutdown_cuts_at_the_deadline() {
    let (provider, mut calls, _gate) = held().await;
    let address = bind(&provider, 1, &[]).await;
    let mut busy = Client::new(address).await;
    busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    calls.recv().await.expect("called");
    let started = Instant::now();
    provider.shutdown(Duration::from_millis(50)).await;
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(busy.closed().await);
}

#[tokio::test]
async fn a_dropped_provider_lets_go() {
    let (provider, address) = serve(&[], mirror).await;
    let mut client = Client::new(address).await;
    assert_eq!(client.get("/").await.status, 200);
    drop(provider);
    assert!(client.closed().await);
}
