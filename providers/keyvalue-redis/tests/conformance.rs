//! The contract's behavior on a real Redis.

use std::sync::Arc;

use trellis_core::Code;
use trellis_providers_conformance::keyvalue::{self, RealTime, Store, Subject};
use trellis_providers_conformance::redis::RedisServer;
use trellis_providers_conformance::suite::values;
use trellis_providers_keyvalue_redis::RedisKeyValue;
use trellis_providers_sdk::{Provider, Values, data};

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

/// Bindings to a server that others use as well: own keys, shared ones, and none of theirs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_keeps_goes_out_and_in() {
    let server = RedisServer::start();
    let provider = Arc::new(RedisKeyValue::new(values(&[("URL", &server.url())])));
    let provider = provider as Arc<dyn Provider>;
    let bind = async |actor: &str, given: &[(&str, &str)]| {
        let bound = Store::bind(&provider, actor, values(given)).await;
        bound.expect("the values are right")
    };
    let others = bind("M9", &[("SHARED", "true"), ("PREFIX", "q:")]).await;
    others.set("stays", "theirs").await.expect("Set");
    let (one, two) = (bind("M1", &[]).await, bind("M2", &[("PREFIX", "*[p]?")]).await);
    keyvalue::data::check(&one, &two).await;
    let shared = bind("M3", &[("SHARED", "true"), ("PREFIX", "p:")]).await;
    keyvalue::data::check(&shared, &bind("M4", &[("NAMESPACE", "n")]).await).await;
    assert_eq!(others.get("stays").await, Ok(Some("theirs".to_owned())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_everybodys_is_not_removed_and_what_has_no_word_is_told() {
    let server = RedisServer::start();
    let provider = Arc::new(RedisKeyValue::new(values(&[("URL", &server.url())])));
    let provider = provider as Arc<dyn Provider>;
    let bound = Store::bind(&provider, "M1", values(&[("SHARED", "true")])).await;
    let store = bound.expect("the values are right");
    store.set("k", "v").await.expect("Set");
    let erase = data::EraseDataRequest::default();
    let refused = store.data::<data::EraseData>(&erase).await.expect_err("others may use it");
    assert_eq!(refused.code(), Code::Config);
    assert_eq!(store.get("k").await, Ok(Some("v".to_owned())));
    let client = redis::Client::open(server.url()).expect("the URL is right");
    let mut direct = client.get_multiplexed_async_connection().await.expect("Redis is up");
    for (make, kind) in [
        (redis::cmd("HSET").arg("odd").arg("f").arg("v"), "hash"),
        (redis::cmd("ZADD").arg("odd").arg(1).arg("m"), "zset"),
    ] {
        make.query_async::<()>(&mut direct).await.expect("Redis is up");
        let (cursor, keys) = (String::new(), vec!["odd".to_owned()]);
        let asked = data::ExportDataRequest { cursor, keys, names_only: false, bytes_max: 1 };
        let refused = store.data::<data::ExportData>(&asked).await.expect_err("no word for it");
        assert_eq!(refused.code(), Code::WrongType);
        assert!(refused.message().contains(kind), "{refused}");
        redis::cmd("DEL").arg("odd").query_async::<()>(&mut direct).await.expect("Redis is up");
    }
}
