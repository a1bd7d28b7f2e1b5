//! Addresses that change hands inside a host: between actors of one server, and between servers.

mod common;

use std::sync::Arc;

use common::load::Load;
use common::moves::{bind, code, instead, of, server, who};
use common::{Client, PATIENCE, binding};
use trellis_core::{CallError, Code};
use trellis_providers_sdk::{Binding, BindingId, Newcomer, Provider};

/// Binds them in the places of none, beside those that leave.
async fn bind_all(
    server: &Arc<dyn Provider>,
    bindings: Vec<Binding>,
    leaving: Vec<BindingId>,
) -> Vec<Result<(), CallError>> {
    server.bind_all(bindings.into_iter().map(Newcomer::from).collect(), leaving).await
}

/// A binding of an actor at a path.
fn below(path: &str, actor: u64, id: u64, port: u16) -> Binding {
    let port = port.to_string();
    let values = [("PORT", port.as_str()), ("PATH", path)];
    Binding { id: BindingId(id), ..binding(actor, &values) }
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
        let bound = bind_all(&server, both, Vec::new()).await;
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
    let bound = bind_all(&server, both, Vec::new()).await;
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
    // What the first one has would have gone, had it been served.
    let both = vec![
        instead(1, of(1, 3, taken)),
        instead(2, of(2, 4, one.port())),
        Newcomer::from(of(5, 5, 0)),
    ];
    let bound = server.bind_all(both, Vec::new()).await;
    assert_eq!(code(&bound[0]), Some(Code::Address), "{bound:?}");
    assert_eq!(code(&bound[1]), Some(Code::Config), "{bound:?}");
    assert_eq!(code(&bound[2]), None, "it is in nobody's way");
    assert_eq!(server.addresses()[..2], before);
    assert_eq!((who(one).await, who(two).await), (" 1".to_owned(), " 2".to_owned()));
}

#[tokio::test]
async fn what_would_be_refused_is_told_beforehand_and_nothing_changes() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = holder.local_addr().expect("bound").port();
    let (ours, theirs) = (server("told/ours").await, server("told/theirs").await);
    let (one, two) = (bind(&ours, of(1, 1, 0)).await, bind(&theirs, of(2, 2, 0)).await);
    let free = bind(&ours, of(3, 3, 0)).await;
    ours.unbind(BindingId(3)).await;
    let before = ours.addresses();
    let news = || {
        vec![
            instead(1, of(1, 4, free.port())),
            Newcomer::from(of(5, 5, one.port())),
            Newcomer::from(of(6, 6, one.port())),
            Newcomer::from(of(7, 7, taken)),
            Newcomer::from(of(8, 8, two.port())),
            Newcomer::from(of(9, 9, 0)),
        ]
    };
    let codes = |bound: Vec<Result<(), CallError>>| bound.iter().map(code).collect::<Vec<_>>();
    let (config, address) = (Some(Code::Config), Some(Code::Address));
    let told = codes(ours.reserve_all(news(), Vec::new()).await);
    assert_eq!(told, [None, None, config, address, address, None]);
    assert_eq!(ours.addresses(), before);
    assert_eq!((who(one).await, who(two).await), ("told/ours 1".into(), "told/theirs 2".into()));
    assert!(Client::new_if_open(free).await.is_none(), "nobody listens there");
    let leaves = vec![BindingId(2)];
    assert_eq!(codes(ours.reserve_all(news(), leaves).await)[4], None, "what leaves is not there");
    assert_eq!(codes(ours.bind_all(news(), Vec::new()).await), told, "and so it is");
}

#[tokio::test]
async fn two_that_want_one_place_at_once_do_not_both_get_it() {
    let server = server("").await;
    let one = bind(&server, of(1, 1, 0)).await;
    let both = vec![of(2, 2, one.port()), of(3, 3, one.port())];
    let bound = bind_all(&server, both, vec![BindingId(1)]).await;
    assert_eq!(code(&bound[0]), None, "{bound:?}");
    assert_eq!(code(&bound[1]), Some(Code::Config), "{bound:?}");
    assert_eq!(who(one).await, " 2");
    // Whoever is there already stays, in whatever order they come.
    let both = vec![of(3, 3, one.port()), of(2, 4, one.port())];
    let bound = bind_all(&server, both, Vec::new()).await;
    assert_eq!(code(&bound[0]), Some(Code::Config), "{bound:?}");
    assert_eq!(who(one).await, " 4");
}

#[tokio::test]
async fn who_leaves_is_in_nobodys_way() {
    let server = server("").await;
    let address = bind(&server, of(1, 1, 0)).await;
    let newcomer = || vec![of(2, 2, address.port())];
    let bound = bind_all(&server, newcomer(), Vec::new()).await;
    assert_eq!(code(&bound[0]), Some(Code::Config), "it has not said that it leaves");
    let mut kept = Client::new(address).await;
    assert_eq!(kept.get("/").await.body, " 1");
    let bound = bind_all(&server, newcomer(), vec![BindingId(1)]).await;
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
    let bound = bind_all(&new, vec![of(1, 2, 0)], vec![BindingId(1)]).await;
    assert_eq!(code(&bound[0]), None, "{bound:?}");
    assert_eq!(new.addresses()[0].address, address);
    load.go_on().await;
    old.unbind(BindingId(1)).await;
    assert_eq!(who(address).await, "moves/new 2");
    load.go_on().await;
    // And back, to one that stops only later.
    let back = vec![of(1, 3, address.port())];
    let bound = bind_all(&old, back, vec![BindingId(2)]).await;
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
    let bound = bind_all(&new, vec![of(1, 2, address.port())], vec![BindingId(1)]).await;
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
        let bound = bind_all(server, vec![of(1, 2, address.port())], leaving).await;
        let error = bound[0].as_ref().expect_err("the other actor stays");
        assert_eq!(error.code(), Code::Address);
        let ours = error.message().contains("another provider of this host");
        assert_eq!(ours, Arc::ptr_eq(server, &new), "{error}");
    }
    // All of them at once.
    let all = vec![of(1, 2, address.port()), binding(8, &[("PORT", &port), ("PATH", "/other")])];
    let bound = bind_all(&new, all, vec![BindingId(1), BindingId(7)]).await;
    assert!(bound.iter().all(Result::is_ok), "{bound:?}");
    // Until they are gone, nobody else comes here.
    let late = old.bind(binding(9, &[("PORT", &port), ("PATH", "/late")])).await;
    assert_eq!(code(&late), Some(Code::Address), "{late:?}");
    old.unbind(BindingId(1)).await;
    old.unbind(BindingId(7)).await;
    assert_eq!(who(address).await, "keeps/new 2");
}

#[tokio::test]
async fn who_stays_after_all_keeps_its_address_from_those_that_move() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = holder.local_addr().expect("bound").port();
    let (old, new) = (server("stays/old").await, server("stays/new").await);
    let address = bind(&old, of(1, 1, 0)).await;
    let (port, free) = (address.port(), bind(&new, of(9, 9, 0)).await);
    new.unbind(BindingId(9)).await;
    old.bind(below("/a", 2, 2, port)).await.expect("beside the first");
    let moves = |wanted| vec![instead(2, below("/a", 2, 4, port)), instead(1, of(1, 3, wanted))];
    let bound = new.bind_all(moves(taken), Vec::new()).await;
    assert_eq!(code(&bound[1]), Some(Code::Address), "somebody else has it: {bound:?}");
    assert_eq!(code(&bound[0]), Some(Code::Address), "the other one stays there: {bound:?}");
    assert!(new.addresses().is_empty());
    for (path, answer) in [("/", "stays/old 1"), ("/a", "stays/old 2")] {
        assert_eq!(Client::new(address).await.get(path).await.body, answer);
    }
    // What could be had is had.
    let bound = new.bind_all(moves(free.port()), Vec::new()).await;
    assert!(bound.iter().all(Result::is_ok), "{bound:?}");
    old.unbind_all(vec![BindingId(1), BindingId(2)]).await;
    assert_eq!(Client::new(address).await.get("/a").await.body, "stays/new 4");
    assert_eq!(who(free).await, "stays/new 3");
}

#[tokio::test]
async fn a_port_that_the_system_chose_stays_with_who_stays() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = holder.local_addr().expect("bound").port();
    let (old, new) = (server("chosen/old").await, server("chosen/new").await);
    let address = bind(&old, of(1, 1, 0)).await;
    old.bind(below("/b", 2, 2, address.port())).await.expect("beside the first");
    let moves = vec![instead(1, of(1, 3, 0)), instead(2, below("/b", 2, 4, taken))];
    let bound = new.bind_all(moves, Vec::new()).await;
    assert_eq!((code(&bound[0]), code(&bound[1])), (None, Some(Code::Address)), "{bound:?}");
    let elsewhere = new.addresses()[0].address;
    assert_ne!(elsewhere, address);
    assert_eq!(who(elsewhere).await, "chosen/new 3");
    assert_eq!(Client::new(address).await.get("/b").await.body, "chosen/old 2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_path_falls_to_another_one_while_both_move() {
    const ROOT: u64 = 1_000;
    let servers = [server("falls/one").await, server("falls/two").await];
    let port = bind(&servers[0], of(ROOT, ROOT, 0)).await.port();
    // The root goes last.
    let all = |base: u64| {
        let paths = (1..100).map(move |n| below(&format!("/p{n}"), n, base + n, port));
        paths.chain([of(ROOT, base + ROOT, port)]).collect::<Vec<_>>()
    };
    let ids = |base| all(base).iter().map(|binding| binding.id).collect::<Vec<_>>();
    let bound = bind_all(&servers[0], all(0), Vec::new()).await;
    assert!(bound.iter().all(Result::is_ok), "{bound:?}");
    let address = servers[0].addresses()[0].address;
    let (stop, asks) = tokio::sync::watch::channel(false);
    let load = tokio::spawn(async move {
        let mut kept = Client::new(address).await;
        while !*asks.borrow() {
            let got = kept.get("/p1").await.body;
            assert!(got.ends_with("001") || got.ends_with(" 1"), "the root answered: {got}");
        }
    });
    for round in 1..=20 {
        let (old, new) = (&servers[(round + 1) % 2], &servers[round % 2]);
        let (before, base) = (10_000 * (round as u64 - 1), 10_000 * round as u64);
        let bound = bind_all(new, all(base), ids(before)).await;
        assert!(bound.iter().all(Result::is_ok), "{bound:?}");
        old.unbind_all(ids(before)).await;
    }
    stop.send_replace(true);
    load.await.expect("each was answered by its own");
}
