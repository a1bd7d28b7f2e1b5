//! Addresses that change hands inside a host: between actors of one server, and between servers.

mod common;

use std::net::SocketAddr;
use std::sync::Arc;

use common::load::Load;
use common::{Client, PATIENCE, binding, encoded, exchange, provider_of};
use trellis_capabilities_http_server::Response;
use trellis_core::{CallError, Code};
use trellis_providers_sdk::{Binding, BindingId, Provider};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A server whose actors answer with its name and the number of their binding.
async fn server(lineage: &str) -> Arc<dyn Provider> {
    let name = lineage.to_owned();
    provider_of(lineage, move |invoke, _| {
        let answer = encoded(&Response::text(format!("{name} {}", invoke.binding.0)));
        async move { Ok(answer) }
    })
    .await
}

/// A binding of an actor, under an id of its own.
fn of(actor: u64, id: u64, port: u16) -> Binding {
    let port = port.to_string();
    Binding { id: BindingId(id), ..binding(actor, &[("PORT", &port)]) }
}

async fn bind(server: &Arc<dyn Provider>, binding: Binding) -> SocketAddr {
    let id = binding.id;
    server.bind(binding).await.expect("binds");
    let addresses = server.addresses();
    addresses.iter().find(|at| at.binding == id).expect("listens").address
}

async fn who(address: SocketAddr) -> String {
    exchange(address, GET).await.body
}

fn code(bound: &Result<(), CallError>) -> Option<Code> {
    bound.as_ref().err().map(CallError::code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_actors_exchange_their_ports_without_a_lost_request() {
    let server = server("").await;
    let (one, two) = (bind(&server, of(1, 1, 0)).await, bind(&server, of(2, 2, 0)).await);
    let loads = [Load::on(one), Load::on(two)];
    for round in 1..=25 {
        let (first, second) = if round % 2 == 1 { (two, one) } else { (one, two) };
        let (a, b) = (10 * round + 1, 10 * round + 2);
        let both = vec![of(1, a, first.port()), of(2, b, second.port())];
        let bound = server.bind_all(both, Vec::new()).await;
        assert!(bound.iter().all(Result::is_ok), "{bound:?}");
        assert_eq!(who(first).await, format!(" {a}"));
        assert_eq!(who(second).await, format!(" {b}"));
        for load in &loads {
            load.go_on().await;
        }
    }
    for load in loads {
        load.end().await;
    }
    assert_eq!(server.addresses().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_somebody_else_wants_at_once_does_not_close() {
    let server = server("").await;
    let (one, two) = (bind(&server, of(1, 1, 0)).await, bind(&server, of(2, 2, 0)).await);
    let free = bind(&server, of(3, 3, 0)).await;
    server.unbind(BindingId(3)).await;
    let load = Load::on(two);
    // The first one is told first, though the second has to go before it.
    let both = vec![of(1, 4, two.port()), of(2, 5, free.port())];
    let bound = server.bind_all(both, Vec::new()).await;
    assert!(bound.iter().all(Result::is_ok), "{bound:?}");
    assert_eq!((who(two).await, who(free).await), (" 4".to_owned(), " 5".to_owned()));
    load.go_on().await;
    load.end().await;
    common::until_async(|| async { Client::new_if_open(one).await.is_none() }).await;
}

#[tokio::test]
async fn who_cannot_move_keeps_its_place_and_so_does_who_wanted_that() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = holder.local_addr().expect("bound").port();
    let server = server("").await;
    let (one, two) = (bind(&server, of(1, 1, 0)).await, bind(&server, of(2, 2, 0)).await);
    let before = server.addresses();
    let both = vec![of(1, 3, taken), of(2, 4, one.port()), of(5, 5, 0)];
    let bound = server.bind_all(both, Vec::new()).await;
    assert_eq!(code(&bound[0]), Some(Code::Address), "{bound:?}");
    assert_eq!(code(&bound[1]), Some(Code::Config), "{bound:?}");
    assert_eq!(code(&bound[2]), None, "it is in nobody's way");
    assert_eq!(server.addresses()[..2], before);
    assert_eq!((who(one).await, who(two).await), (" 1".to_owned(), " 2".to_owned()));
}

#[tokio::test]
async fn two_that_want_one_place_at_once_do_not_both_get_it() {
    let server = server("").await;
    let one = bind(&server, of(1, 1, 0)).await;
    let both = vec![of(2, 2, one.port()), of(3, 3, one.port())];
    let bound = server.bind_all(both, vec![BindingId(1)]).await;
    assert_eq!(code(&bound[0]), None, "{bound:?}");
    assert_eq!(code(&bound[1]), Some(Code::Config), "{bound:?}");
    assert_eq!(who(one).await, " 2");
    // Whoever is there already stays, in whatever order they come.
    let both = vec![of(3, 3, one.port()), of(2, 4, one.port())];
    let bound = server.bind_all(both, Vec::new()).await;
    assert_eq!(code(&bound[0]), Some(Code::Config), "{bound:?}");
    assert_eq!(who(one).await, " 4");
}

#[tokio::test]
async fn who_leaves_is_in_nobodys_way() {
    let server = server("").await;
    let address = bind(&server, of(1, 1, 0)).await;
    let newcomer = || vec![of(2, 2, address.port())];
    let bound = server.bind_all(newcomer(), Vec::new()).await;
    assert_eq!(code(&bound[0]), Some(Code::Config), "it has not said that it leaves");
    let mut kept = Client::new(address).await;
    assert_eq!(kept.get("/").await.body, " 1");
    let bound = server.bind_all(newcomer(), vec![BindingId(1)]).await;
    assert_eq!(code(&bound[0]), None, "{bound:?}");
    assert_eq!(kept.get("/").await.body, " 2");
    server.unbind(BindingId(1)).await;
    assert_eq!(kept.get("/").await.body, " 2", "the place is no longer the first one's");
}

#[tokio::test]
async fn a_port_that_is_being_closed_is_waited_for() {
    let server = server("").await;
    let mut address = bind(&server, of(1, 1, 0)).await;
    for id in 2..50 {
        let (_, bound) =
            tokio::join!(server.unbind(BindingId(id - 1)), server.bind(of(id, id, address.port())));
        assert_eq!(code(&bound), None, "{bound:?}");
        address = server.addresses()[0].address;
    }
    assert_eq!(who(address).await, " 49");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_binding_moves_to_another_server_without_a_lost_request() {
    let (old, new) = (server("moves/old").await, server("moves/new").await);
    let address = bind(&old, of(1, 1, 0)).await;
    let load = Load::on(address);
    // The port that the system chose goes along.
    let bound = new.bind_all(vec![of(1, 2, 0)], vec![BindingId(1)]).await;
    assert_eq!(code(&bound[0]), None, "{bound:?}");
    assert_eq!(new.addresses()[0].address, address);
    load.go_on().await;
    old.unbind(BindingId(1)).await;
    assert_eq!(who(address).await, "moves/new 2");
    load.go_on().await;
    // And back, to one that stops only later.
    let back = vec![of(1, 3, address.port())];
    let bound = old.bind_all(back, vec![BindingId(2)]).await;
    assert_eq!(code(&bound[0]), None, "{bound:?}");
    new.unbind(BindingId(2)).await;
    new.shutdown(PATIENCE).await;
    assert_eq!(who(address).await, "moves/old 3");
    load.go_on().await;
    load.end().await;
}

#[tokio::test]
async fn a_request_that_is_still_coming_is_answered_by_the_other_server() {
    let (old, new) = (server("coming/old").await, server("coming/new").await);
    let address = bind(&old, of(1, 1, 0)).await;
    let mut client = Client::new(address).await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n").await;
    client.send("Content-Length: 10\r\n\r\n").await;
    assert_eq!(client.answer_to_head().await.status, 100, "its body is being read");
    let bound = new.bind_all(vec![of(1, 2, address.port())], vec![BindingId(1)]).await;
    assert_eq!(code(&bound[0]), None, "{bound:?}");
    old.unbind(BindingId(1)).await;
    client.send("0123456789").await;
    assert_eq!(client.answer().await.body, "coming/new 2");
    // The connection went along, or goes on where it is.
    assert_eq!(client.get("/").await.body, "coming/new 2");
}

#[tokio::test]
async fn another_server_gets_no_address_that_is_kept() {
    let (old, new) = (server("keeps/old").await, server("keeps/new").await);
    let address = bind(&old, of(1, 1, 0)).await;
    let port = address.port().to_string();
    let other = binding(7, &[("PORT", &port), ("PATH", "/other")]);
    old.bind(other).await.expect("beside the first");
    let stranger = server("elsewhere/new").await;
    for (server, leaving) in [(&new, vec![]), (&new, vec![BindingId(1)]), (&stranger, vec![])] {
        let bound = server.bind_all(vec![of(1, 2, address.port())], leaving).await;
        let error = bound[0].as_ref().expect_err("the other actor stays");
        assert_eq!(error.code(), Code::Address);
        let ours = error.message().contains("another provider of this host");
        assert_eq!(ours, Arc::ptr_eq(server, &new), "{error}");
    }
    // All of them at once.
    let all = vec![of(1, 2, address.port()), binding(8, &[("PORT", &port), ("PATH", "/other")])];
    let bound = new.bind_all(all, vec![BindingId(1), BindingId(7)]).await;
    assert!(bound.iter().all(Result::is_ok), "{bound:?}");
    // Until they are gone, nobody else comes here.
    let late = old.bind(binding(9, &[("PORT", &port), ("PATH", "/late")])).await;
    assert_eq!(code(&late), Some(Code::Address), "{late:?}");
    old.unbind(BindingId(1)).await;
    old.unbind(BindingId(7)).await;
    assert_eq!(who(address).await, "keeps/new 2");
}
