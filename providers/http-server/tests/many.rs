//! What a change costs depends on the change, however many bindings there are.

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{PATIENCE, binding, encoded, provider_of};
use trellis_capabilities_http_server::Response;
use trellis_core::{CallError, Code};
use trellis_providers_sdk::{Binding, BindingId, Newcomer, Provider};

const MANY: u64 = 2_000;
const TRIES: u64 = 5;

async fn server(lineage: &str) -> Arc<dyn Provider> {
    provider_of(lineage, |_, _| async { Ok(encoded(&Response::text("hello"))) }).await
}

fn free_port() -> u16 {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    free.local_addr().expect("bound").port()
}

/// The binding of an actor, one of many at a port.
fn of(actor: u64, id: u64, values: &[(&str, &str)]) -> Binding {
    let path = format!("/{actor}");
    let values = [&[("PATH", path.as_str())], values].concat();
    Binding { id: BindingId(id), ..binding(actor, &values) }
}

/// What comes of newcomers, and how long it takes.
async fn timed(
    server: &Arc<dyn Provider>,
    newcomers: Vec<Newcomer>,
) -> (Vec<Result<(), CallError>>, Duration) {
    let began = Instant::now();
    let bound = server.bind_all(newcomers, Vec::new()).await;
    (bound, began.elapsed())
}

/// True when one of them takes no more than a few times the other. Something else may have had the
/// processor, so there are several tries.
fn is_alike(tries: u64, well: Duration, other: Duration) -> bool {
    let alike = other < well * 5 + Duration::from_millis(100);
    assert!(alike || tries < TRIES, "{other:?} instead of {well:?}");
    alike
}

/// Everything at one port moves to another server, and one more binding comes with other values;
/// how long it takes, and what came of that one.
async fn moved(host: &str, one_more: &[(&str, &str)]) -> (Duration, Option<Code>) {
    let port = free_port().to_string();
    let here = [("PORT", port.as_str())];
    let first = server(&format!("{host}/first")).await;
    let second = server(&format!("{host}/second")).await;
    let all = (1..=MANY).map(|actor| Newcomer::from(of(actor, actor, &here)));
    let (bound, _) = timed(&first, all.collect()).await;
    assert!(bound.iter().all(Result::is_ok));
    let moves = (1..=MANY).map(|actor| Newcomer {
        binding: of(actor, MANY + actor, &here),
        replaces: Some(BindingId(actor)),
    });
    let one_more = Newcomer::from(of(0, 0, &[&here, one_more].concat()));
    let (mut bound, time) = timed(&second, moves.chain([one_more]).collect()).await;
    let code = bound.pop().and_then(|last| last.err().map(|error| error.code()));
    assert!(bound.iter().all(Result::is_ok), "the others move");
    first.shutdown(PATIENCE).await;
    second.shutdown(PATIENCE).await;
    (time, code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_refused_makes_the_others_no_slower() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = holder.local_addr().expect("bound").port().to_string();
    for tries in 1.. {
        let (well, none) = moved(&format!("well {tries}"), &[]).await;
        assert_eq!(none, None);
        let (refused, code) = moved(&format!("refused {tries}"), &[("PORT", &taken)]).await;
        assert_eq!(code, Some(Code::Address));
        if is_alike(tries, well, refused) {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_limits_for_all_cost_no_more_than_other_methods() {
    let server = server("limits/one").await;
    let port = free_port().to_string();
    let all = |from: u64, methods: &str, idle_s: u64| {
        let idle = format!("{idle_s}s");
        let values = [("PORT", &*port), ("METHODS", methods), ("IDLE_TIME_MAX", &*idle)];
        (1..=MANY).map(|actor| Newcomer::from(of(actor, from + actor, &values))).collect()
    };
    timed(&server, all(0, "GET", 1)).await;
    for tries in 1.. {
        let (from, methods) = (2 * tries * MANY, if tries % 2 == 0 { "GET" } else { "POST" });
        let (_, well) = timed(&server, all(from, methods, tries)).await;
        let (bound, limits) = timed(&server, all(from + MANY, methods, tries + 1)).await;
        assert!(bound.iter().all(Result::is_ok));
        if is_alike(tries, well, limits) {
            break;
        }
    }
}
