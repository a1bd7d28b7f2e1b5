//! A server with more requests than it can answer: it answers what it can, and says so to the rest.

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{Answer, Client, metrics, serve};
use tokio::task::JoinSet;
use trellis_capabilities_http_server::{Request, Response};
use trellis_providers_sdk::Invoke;

/// How long an actor computes.
const WORK: Duration = Duration::from_millis(1);
/// Clients that ask without a pause: more than a few threads work off within `QUEUE_TIME_MAX`.
const CLIENTS: usize = 256;
/// Answers of each kind that a test waits for.
const ENOUGH: usize = 500;

async fn compute(_: Invoke, _: Request) -> Answer {
    let begun = Instant::now();
    while begun.elapsed() < WORK {
        std::hint::spin_loop();
    }
    Ok(Response::text("done"))
}

/// What clients got that ask without a pause.
#[derive(Default)]
struct Answers {
    done: AtomicUsize,
    refused: AtomicUsize,
}

impl Answers {
    /// Relaxed, here and below: counts that order nothing else.
    fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }
}

/// Asks with many connections for as long as `goes_on` says.
async fn flood(address: SocketAddr, goes_on: fn(&Answers) -> bool) -> Arc<Answers> {
    let answers = Arc::<Answers>::default();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let answers = Arc::clone(&answers);
        clients.spawn(async move {
            let mut client = Client::new(address).await;
            while goes_on(&answers) {
                let got = client.get("/").await;
                if got.status == 200 {
                    answers.done.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                assert_eq!((got.status, got.code().as_str()), (503, "E_BUSY"), "{got:?}");
                assert_eq!(got.field("retry-after"), Some("1"), "{got:?}");
                answers.refused.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.expect("every answer is one of the two");
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_too_long_is_refused_and_the_rest_is_answered() {
    let (provider, address) = serve(&[("QUEUE_TIME_MAX", "15ms")], compute).await;
    let some = |answers: &Answers| answers.done() < ENOUGH || answers.refused() < ENOUGH;
    let answers = flood(address, some).await;
    let refused =
        format!("http_rejected_total{{limit=\"http_queue_time_max\"}} {}\n", answers.refused());
    assert!(metrics(&provider).contains(&refused), "{refused} not in {}", metrics(&provider));
    // Those have gone: the next is served as if they had never been there.
    let mut client = Client::new(address).await;
    for _ in 0..ENOUGH {
        assert_eq!(client.get("/").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_to_wait_waits() {
    let (_provider, address) = serve(&[("QUEUE_TIME_MAX", "1h")], compute).await;
    let answers = flood(address, |answers| answers.done() < 4 * ENOUGH).await;
    assert_eq!(answers.refused(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_burst_is_worked_off() {
    let (_provider, address) = serve(&[], compute).await;
    // Far less than a quarter of a second of work for one thread.
    let mut clients = JoinSet::new();
    for _ in 0..64 {
        clients.spawn(async move { Client::new(address).await.get("/").await.status });
    }
    while let Some(status) = clients.join_next().await {
        assert_eq!(status.expect("an answer"), 200);
    }
}
