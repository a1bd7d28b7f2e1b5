//! Instances that take one another's place at the same address, while clients go on.

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use common::load::Load;
use common::{Client, PATIENCE, binding, encoded, exchange, provider_of};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use trellis_capabilities_http_server::Response;
use trellis_core::Code;
use trellis_providers_sdk::{Binding, BindingId, Provider};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// An instance whose actors answer with its name.
async fn instance(lineage: &str, name: &str) -> Arc<dyn Provider> {
    let answer = encoded(&Response::text(name));
    provider_of(lineage, move |_, _| {
        let answer = answer.clone();
        async move { Ok(answer) }
    })
    .await
}

/// A binding of the one actor, under an id of its own.
fn of_actor(id: u64, pairs: &[(&str, &str)]) -> Binding {
    let of_first = binding(1, pairs);
    Binding { id: BindingId(id), ..of_first }
}

/// Binds the one actor and tells where.
async fn bind(provider: &Arc<dyn Provider>, id: u64, pairs: &[(&str, &str)]) -> SocketAddr {
    provider.bind(of_actor(id, pairs)).await.expect("binds");
    let addresses = provider.addresses();
    addresses.iter().find(|at| at.binding == BindingId(id)).expect("listens").address
}

/// The same on at most so many of the cores this thread may use.
async fn instance_on(cores: usize, lineage: &str, name: &str) -> Arc<dyn Provider> {
    let all = sched_getaffinity(None).expect("the cores of this thread");
    let mut few = CpuSet::new();
    let known = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
    known.take(cores).for_each(|core| few.set(core));
    sched_setaffinity(None, &few).expect("fewer are always allowed");
    let instance = instance(lineage, name).await;
    sched_setaffinity(None, &all).expect("they were allowed before");
    instance
}

async fn who(address: SocketAddr) -> String {
    exchange(address, GET).await.body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_successor_takes_over_without_a_lost_request() {
    let rounds = if std::env::var_os("TRELLIS_THOROUGH").is_some() { 500 } else { 25 };
    let mut current = instance("load", "0").await;
    let address = bind(&current, 0, &[]).await;
    let load = Load::on(address);
    for round in 1..=rounds {
        let next = instance("load", &round.to_string()).await;
        assert_eq!(bind(&next, round, &[]).await, address, "the port chosen before");
        load.go_on().await;
        let old = std::mem::replace(&mut current, next);
        if round % 2 == 0 {
            old.unbind(BindingId(round - 1)).await;
        }
        old.shutdown(PATIENCE).await;
        assert_eq!(who(address).await, round.to_string());
        load.go_on().await;
    }
    load.end().await;
}

/// Before it has finished what it has: whoever comes meets its successor.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_left_takes_no_connection_any_more() {
    let mut current = instance("left", "0").await;
    let address = bind(&current, 0, &[]).await;
    let load = Load::on(address);
    for round in 1..=25 {
        let next = instance("left", &round.to_string()).await;
        assert_eq!(bind(&next, round, &[]).await, address);
        let old = std::mem::replace(&mut current, next);
        old.leave(PATIENCE).await;
        assert_eq!(who(address).await, round.to_string());
        old.shutdown(PATIENCE).await;
    }
    load.end().await;
}

#[tokio::test]
async fn a_kept_connection_goes_to_the_successor() {
    let old = instance("kept", "old").await;
    let address = bind(&old, 1, &[]).await;
    let (mut used, mut fresh) = (Client::new(address).await, Client::new(address).await);
    assert_eq!(used.get("/").await.body, "old");
    let new = instance("kept", "new").await;
    assert_eq!(bind(&new, 2, &[]).await, address);
    assert_eq!(used.get("/").await.body, "old", "it accepts until it is told to stop");
    old.shutdown(PATIENCE).await;
    drop(old);
    assert_eq!((used.get("/").await.body, fresh.get("/").await.body), ("new".into(), "new".into()));
    let metrics = common::metrics(&new);
    assert!(metrics.contains("http_connections 2\n"), "{metrics}");
}

#[tokio::test]
async fn a_kept_connection_without_a_place_is_closed_without_an_answer() {
    let old = instance("full", "old").await;
    let address = bind(&old, 1, &[]).await;
    let mut clients = [Client::new(address).await, Client::new(address).await];
    for client in &mut clients {
        assert_eq!(client.get("/").await.body, "old");
    }
    let new = instance("full", "new").await;
    assert_eq!(bind(&new, 2, &[("CONNECTIONS_MAX", "1")]).await, address);
    old.shutdown(PATIENCE).await;
    drop(old);
    let full = "http_rejected_total{limit=\"http_connections_max\"} 1\n";
    common::until(|| common::metrics(&new).contains(full)).await;
    let [mut first, mut second] = clients;
    let closed = tokio::select! {
        closed = first.closed() => closed,
        closed = second.closed() => closed,
    };
    assert!(closed, "nobody asked for the answer it got");
}

#[tokio::test]
async fn a_silent_client_does_not_keep_the_port_from_the_successor() {
    let old = instance("silent", "old").await;
    let address = bind(&old, 1, &[("TRANSFER_GRACE", "1h"), ("REQUEST_TIME_MAX", "1h")]).await;
    let mut silent = Client::new(address).await;
    silent.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhel").await;
    common::until(|| common::metrics(&old).contains("http_connections 1\n")).await;
    let new = instance("silent", "new").await;
    bind(&new, 2, &[]).await;
    let stopping = tokio::spawn({
        let old = Arc::clone(&old);
        async move { old.shutdown(Duration::from_secs(3_600)).await }
    });
    common::until_async(|| async { who(address).await == "new" }).await;
    assert!(!stopping.is_finished(), "the old one still waits for it");
    silent.send("lo world").await;
    assert_eq!(silent.answer().await.body, "new", "only it is told of bindings");
    silent.finish().await;
    stopping.await.expect("ends");
}

#[tokio::test]
async fn requests_that_only_the_successor_knows_are_answered_by_it() {
    let old = instance("routes", "old").await;
    let address = bind(&old, 1, &[("PATH", "/old")]).await;
    let mut client = Client::new(address).await;
    assert_eq!(client.get("/new").await.status, 404);
    let new = instance("routes", "new").await;
    bind(&new, 2, &[("PATH", "/new")]).await;
    assert_eq!(client.get("/old").await.body, "old");
    assert_eq!(client.get("/new").await.body, "new");
    old.unbind(BindingId(1)).await;
    assert_eq!(client.get("/old").await.status, 404);
    assert_eq!(client.get("/new").await.body, "new");
}

#[tokio::test]
async fn who_gives_up_waiting_or_dies_leaves_the_port_to_the_others() {
    let first = instance("line", "first").await;
    let address = bind(&first, 1, &[]).await;
    let (second, third) = (instance("line", "second").await, instance("line", "third").await);
    bind(&second, 2, &[]).await;
    bind(&third, 3, &[]).await;
    second.shutdown(PATIENCE).await;
    assert_eq!(who(address).await, "first");
    drop(first);
    assert_eq!(who(address).await, "third");
    third.unbind(BindingId(3)).await;
    let free = std::net::TcpListener::bind(address);
    drop(free.expect("the last one closed the port"));
    drop(second);
}

#[tokio::test]
async fn only_instances_of_one_lineage_share() {
    let ours = instance("ours", "ours").await;
    let port = bind(&ours, 1, &[]).await.port().to_string();
    for lineage in ["theirs", ""] {
        let other = instance(lineage, "other").await;
        let error = other.bind(of_actor(2, &[("PORT", &port)])).await.expect_err("in use");
        assert_eq!(error.code(), Code::Address);
    }
    let heir = instance("ours", "heir").await;
    heir.bind(of_actor(2, &[("PORT", &port)])).await.expect("the same lineage");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_may_change_to_one_that_overlaps() {
    let provider = instance("", "here").await;
    let everywhere = bind(&provider, 1, &[("ADDRESS", "0.0.0.0")]).await;
    let port = everywhere.port().to_string();
    let loopback = SocketAddr::from(([127, 0, 0, 1], everywhere.port()));
    for address in ["127.0.0.1", "0.0.0.0", "127.0.0.1"] {
        bind(&provider, 1, &[("ADDRESS", address), ("PORT", &port)]).await;
        // Who is caught by the socket that closes is told to come again, not that there is nothing.
        // The kernel resets a connection that this socket has not accepted by then.
        common::until_async(|| async {
            let Some(mut client) = Client::new_if_open(loopback).await else { return false };
            if !client.try_send(GET).await {
                return false;
            }
            let Some(got) = client.try_answer().await else { return false };
            assert!([200, 503].contains(&got.status), "{address}: {got:?}");
            got.status == 200
        })
        .await;
    }
}

/// Enough connections for each worker to have some.
const CLIENTS: usize = 16;

#[tokio::test]
async fn every_connection_has_a_worker_whatever_the_number_of_cores_was_and_is() {
    // Per core it was allowed, an instance has a worker and, when it opens the address, a socket.
    for (before, now) in [(2, 1), (1, 2)] {
        let lineage = format!("cores {before} {now}");
        let old = instance_on(before, &lineage, "old").await;
        let address = bind(&old, 1, &[("REQUEST_TIME_MAX", "1h")]).await;
        let (mut kept, mut busy) = (Vec::new(), Vec::new());
        for _ in 0..CLIENTS {
            let mut client = Client::new(address).await;
            assert_eq!(client.get("/").await.body, "old");
            kept.push(client);
            let mut client = Client::new(address).await;
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhel").await;
            busy.push(client);
        }
        let open = format!("http_connections {}\n", 2 * CLIENTS);
        common::until(|| common::metrics(&old).contains(&open)).await;
        let new = instance_on(now, &lineage, "new").await;
        assert_eq!(bind(&new, 2, &[]).await, address);
        let stopping = tokio::spawn({
            let old = Arc::clone(&old);
            async move { old.shutdown(PATIENCE).await }
        });
        common::until_async(|| async { who(address).await == "new" }).await;
        for _ in 0..CLIENTS {
            assert_eq!(who(address).await, "new", "{lineage}");
        }
        // Their requests came to the workers of the old one, and are for the actors of the new one.
        for client in &mut busy {
            client.send("lo world").await;
            assert_eq!(client.answer().await.body, "new", "{lineage}");
        }
        for client in &mut kept {
            assert_eq!(client.get("/").await.body, "new", "{lineage}");
        }
        drop(busy);
        stopping.await.expect("ends");
    }
}
