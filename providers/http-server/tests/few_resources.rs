//! A system that does not give the server all its threads. The only test here: the limit holds for
//! the whole process.

mod common;

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use trellis_capabilities_http_server::Response;
use trellis_providers_http_server::Factory;
use trellis_providers_sdk::{Context, Health, Invoke, ProviderFactory};

use common::{bind, encoded, exchange, values};

/// Files this process has open.
fn open() -> u64 {
    std::fs::read_dir("/proc/self/fd").expect("Linux tells").count() as u64 - 1
}

/// No limit, and nothing left of the try before: its threads end on their own, after it answered.
async fn recover(files: u64) {
    limit(None);
    let settled = async {
        while open() > files {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), settled).await.expect("all is closed again");
}

fn limit(files: Option<u64>) {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: files.or(maximum), maximum }).expect("no more");
}

#[tokio::test]
async fn threads_that_cannot_start_are_missed_by_nobody_and_tried_again() {
    let wanted = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let before = open();
    let mut degraded = None;
    // What a thread needs is the runtime's affair: one of these is enough for one and not for all.
    for spare in 0..64 * wanted as u64 {
        recover(before).await;
        limit(Some(before + spare));
        let answer = |_: Invoke, _| async { Ok(encoded(&Response::text("all is well"))) };
        let context = Context::new(common::actors("", answer));
        let made =
            Factory.create(context, values(&[("ADDRESS", "127.0.0.1"), ("PORT", "0")])).await;
        let health = match &made {
            Ok(provider) => provider.health().await,
            Err(error) => {
                assert!(error.message().contains("open files"), "{error}");
                continue;
            }
        };
        if let (Ok(provider), Health::Degraded(why)) = (made, health) {
            degraded = Some((provider, why));
        }
        break;
    }
    limit(None);
    // With one core there is all or nothing.
    let Some((provider, why)) = degraded else { return assert_eq!(wanted, 1) };
    assert!(why.contains(&format!("of {wanted} threads run")), "{why}");
    let before = bind(&provider, 1, &[]).await;
    assert_eq!(provider.health().await, Health::Healthy, "it was tried again");
    let after = bind(&provider, 2, &[]).await;
    // The system spreads connections over all sockets.
    for _ in 0..50 {
        for address in [before, after] {
            let got = exchange(address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
            assert_eq!((got.status, &*got.body), (200, "all is well"));
        }
    }
}
