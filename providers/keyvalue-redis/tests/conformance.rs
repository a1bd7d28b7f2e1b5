//! The contract's behavior on a real Redis.

use std::sync::Arc;

use trellis_providers_conformance::keyvalue::{self, RealTime, Store, Subject};
use trellis_providers_conformance::redis::RedisServer;
use trellis_providers_keyvalue_redis::RedisKeyValue;
use trellis_providers_sdk::{Provider, Values};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_real_redis() {
    let server = RedisServer::start();
    let url = [("URL".to_owned(), server.url())];
    let subject = Subject {
        provider: Arc::new(RedisKeyValue::new(url.into_iter().collect())),
        time: Arc::new(RealTime::default()),
    };
    keyvalue::run(&subject).await;
    let client = redis::Client::open(server.url()).expect("the URL is right");
    let mut direct = client.get_multiplexed_async_connection().await.expect("Redis is up");
    let mut sent = redis::cmd("INFO");
    let sent: String =
        sent.arg("commandstats").query_async(&mut direct).await.expect("Redis is up");
    assert!(sent.contains("cmdstat_unlink:"), "{sent}");
    assert!(!sent.contains("cmdstat_del:"), "a long list removed by DEL holds Redis up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bound_holds() {
    let server = RedisServer::start();
    let url = [("URL", server.url())];
    let bounds = keyvalue::bounds::VALUES.iter().map(|(key, text)| (*key, (*text).to_owned()));
    let values = url.into_iter().chain(bounds).map(|(key, text)| (key.to_owned(), text));
    let provider = Arc::new(RedisKeyValue::new(values.collect()));
    let bound = Arc::clone(&provider) as Arc<dyn Provider>;
    let bound = Store::bind(&bound, "M1", Values::default()).await;
    keyvalue::bounds::check(&bound.expect("nothing to get wrong")).await;
    let samples: Vec<_> = provider.samples().iter().map(ToString::to_string).collect();
    for limit in ["OPERANDS_MAX", "ELEMENTS_MAX", "ANSWER_MAX"] {
        let hit = format!("keyvalue_refused_total{{limit=\"{limit}\"}} ");
        let hit = samples.iter().any(|line| line.starts_with(&hit) && !line.ends_with(" 0"));
        assert!(hit, "{limit} in {samples:?}");
    }
}
