//! What servers reserve before any of them lets go of anything, and what comes of it.

mod common;

use std::net::SocketAddr;
use std::sync::Arc;

use common::load::Load;
use common::moves::{bind, code, instead, of, server, who};
use common::{Client, until_async};
use trellis_core::{CallError, Code};
use trellis_providers_sdk::{BindingId, Newcomer, Provider};

/// What each of some servers is to take, as the host asks them.
type Asked<'a> = Vec<(&'a Arc<dyn Provider>, Vec<Newcomer>)>;

/// What goes elsewhere for what a server takes.
fn leaving(asked: &Asked<'_>, server: &Arc<dyn Provider>) -> Vec<BindingId> {
    let others = asked.iter().filter(|(other, _)| !Arc::ptr_eq(other, server));
    others.flat_map(|(_, newcomers)| newcomers).filter_map(|one| one.replaces).collect()
}

async fn reserve(asked: &Asked<'_>) {
    for (server, newcomers) in asked {
        let reserved = server.reserve_all(newcomers.clone(), leaving(asked, server)).await;
        assert!(reserved.iter().all(Result::is_ok), "{reserved:?}");
    }
}

async fn bind_each(asked: &Asked<'_>) {
    for (server, newcomers) in asked {
        let bound = server.bind_all(newcomers.clone(), leaving(asked, server)).await;
        assert!(bound.iter().all(Result::is_ok), "{bound:?}");
    }
}

/// Each of so many servers has an actor with a port; in each round all ports go round.
async fn ports_go_round(count: usize) {
    let mut servers = Vec::new();
    for number in 0..count {
        servers.push(server(&format!("ring-of-{count}/{number}")).await);
    }
    let mut ports = Vec::new();
    for (number, server) in servers.iter().enumerate() {
        let id = number as u64;
        ports.push(bind(server, of(id, id, 0)).await);
    }
    let loads: Vec<_> = ports.iter().map(|port| Load::on(*port)).collect();
    for round in 1..=40 {
        let (before, base) = (1_000 * (round as u64 - 1), 1_000 * round as u64);
        let asked: Asked<'_> = (servers.iter().enumerate())
            .map(|(number, server)| {
                let (actor, port) = (number as u64, ports[(number + round) % count].port());
                (server, vec![instead(before + actor, of(actor, base + actor, port))])
            })
            .collect();
        reserve(&asked).await;
        bind_each(&asked).await;
        for (number, port) in ports.iter().enumerate() {
            let actor = (number + count - round % count) % count;
            let expected = format!("ring-of-{count}/{actor} {}", base + actor as u64);
            assert_eq!(who(*port).await, expected, "round {round}");
        }
        for load in &loads {
            load.go_on().await;
        }
    }
    for load in loads {
        load.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_exchange_their_ports_without_a_lost_request() {
    ports_go_round(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_servers_pass_their_ports_on_without_a_lost_request() {
    ports_go_round(3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_goes_to_the_server_whose_actor_gives_up_its_own() {
    let (ours, theirs) = (server("chain/ours").await, server("chain/theirs").await);
    let (one, two) = (bind(&ours, of(1, 1, 0)).await, bind(&theirs, of(2, 2, 0)).await);
    let free = bind(&ours, of(3, 3, 0)).await;
    ours.unbind(BindingId(3)).await;
    let load = Load::on(two);
    // They give up the port before we are told that it is ours.
    let asked = vec![
        (&theirs, vec![instead(2, of(2, 5, free.port()))]),
        (&ours, vec![instead(1, of(1, 4, two.port()))]),
    ];
    reserve(&asked).await;
    bind_each(&asked).await;
    assert_eq!((who(two).await, who(free).await), ("chain/ours 4".into(), "chain/theirs 5".into()));
    load.go_on().await;
    load.end().await;
    until_async(|| async { Client::new_if_open(one).await.is_none() }).await;
}

/// A free port, a server that has one, and another that is to have both.
async fn stage(
    lineage: &str,
) -> (Arc<dyn Provider>, Arc<dyn Provider>, SocketAddr, [Newcomer; 2], SocketAddr) {
    let ours = server(&format!("{lineage}/ours")).await;
    let theirs = server(&format!("{lineage}/theirs")).await;
    let taken = bind(&theirs, common::binding(2, &[("PATH", "/below")])).await;
    let free = bind(&ours, of(3, 3, 0)).await;
    ours.unbind(BindingId(3)).await;
    let news = [of(1, 4, taken.port()), of(5, 5, free.port())].map(Newcomer::from);
    (ours, theirs, taken, news, free)
}

#[tokio::test]
async fn nobody_notices_what_is_reserved() {
    let (ours, theirs, taken, news, free) = stage("unnoticed").await;
    let mut kept = Client::new(taken).await;
    for _ in 0..3 {
        let reserved = ours.reserve_all(news.to_vec(), Vec::new()).await;
        let codes: Vec<_> = reserved.iter().map(code).collect();
        assert_eq!(codes, [Some(Code::Address), None], "the actor there stays");
        let reserved = ours.reserve_all(news.to_vec(), vec![BindingId(2)]).await;
        assert!(reserved.iter().all(Result::is_ok), "{reserved:?}");
        assert!(ours.addresses().is_empty());
        assert!(Client::new_if_open(free).await.is_none(), "nobody listens there");
        for client in [&mut kept, &mut Client::new(taken).await] {
            assert_eq!(client.get("/below").await.body, "unnoticed/theirs 2");
            assert_eq!(client.get("/").await.status, 404, "what is reserved serves nobody");
        }
        // Told again of what it has, as after a successor that came to nothing.
        let again = theirs.bind(common::binding(2, &[("PATH", "/below")])).await;
        assert_eq!(code(&again), None, "{again:?}");
    }
    ours.unbind_all(vec![BindingId(4), BindingId(5)]).await;
    let bound = theirs.bind(of(6, 6, free.port())).await;
    assert_eq!(code(&bound), None, "it was given back: {bound:?}");
    let bound = theirs.bind(of(7, 7, taken.port())).await;
    assert_eq!(code(&bound), None, "nobody else comes there: {bound:?}");
}

#[tokio::test]
async fn what_is_reserved_goes_to_nobody_else() {
    let (ours, theirs, taken, news, free) = stage("reserved").await;
    let third = server("reserved/third").await;
    let reserved = ours.reserve_all(news.to_vec(), vec![BindingId(2)]).await;
    assert!(reserved.iter().all(Result::is_ok), "{reserved:?}");
    let refused = |bound: Result<(), CallError>| {
        let error = bound.expect_err("another one is to have it");
        assert!(error.message().contains("another provider of this host"), "{error}");
    };
    refused(third.bind(of(8, 8, free.port())).await);
    let late = third.bind_all(vec![of(9, 9, taken.port()).into()], vec![BindingId(2)]).await;
    refused(late.into_iter().next().expect("one answer"));
    let stranger = std::net::TcpListener::bind(free);
    assert!(stranger.is_err(), "nor to another program");
    // Who was there may leave before the other one is told.
    theirs.unbind(BindingId(2)).await;
    assert_eq!(who(taken).await, "reserved/ours 4");
    let bound = ours.bind_all(news.to_vec(), Vec::new()).await;
    assert!(bound.iter().all(Result::is_ok), "{bound:?}");
    assert_eq!(
        (who(taken).await, who(free).await),
        ("reserved/ours 4".into(), "reserved/ours 5".into())
    );
}
