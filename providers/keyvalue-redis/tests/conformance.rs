//! The contract's behavior on a real Redis.

use std::sync::Arc;

use trellis_providers_conformance::keyvalue::{self, RealTime, Subject};
use trellis_providers_conformance::redis::RedisServer;
use trellis_providers_keyvalue_redis::RedisKeyValue;
use trellis_providers_sdk::Values;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_real_redis() {
    let server = RedisServer::start();
    let url = [("URL".to_owned(), server.url())];
    let subject = Subject {
        provider: Arc::new(RedisKeyValue::new(url.into_iter().collect())),
        values: Arc::new(|space| {
            [("PREFIX".to_owned(), space.to_owned())].into_iter().collect::<Values>()
        }),
        time: Arc::new(RealTime::default()),
    };
    keyvalue::run(&subject).await;
}
