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
        let (cursor, keys) = (String::new(), vec!["odd".into()]);
        let asked = data::ExportDataRequest { cursor, keys, names_only: false, bytes_max: 1 };
        let refused = store.data::<data::ExportData>(&asked).await.expect_err("no word for it");
        assert_eq!(refused.code(), Code::WrongType);
        assert!(refused.message().contains(kind), "{refused}");
        let names = data::ExportDataRequest { names_only: true, ..asked };
        let names = store.data::<data::ExportData>(&names).await.expect("a name can be told");
        assert_eq!(names.pieces[0].kind, data::Kind::Other);
        redis::cmd("DEL").arg("odd").query_async::<()>(&mut direct).await.expect("Redis is up");
    }
}

/// Other clients of a server write what they like.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_text_goes_along_as_it_is() {
    let server = RedisServer::start();
    let provider = Arc::new(RedisKeyValue::new(values(&[("URL", &server.url())])));
    let provider = provider as Arc<dyn Provider>;
    let bind = async |prefix: &str| {
        let given = values(&[("SHARED", "true"), ("PREFIX", prefix)]);
        Store::bind(&provider, "M1", given).await.expect("the values are right")
    };
    let (from, to) = (bind("p:").await, bind("q:").await);
    let client = redis::Client::open(server.url()).expect("the URL is right");
    let mut direct = client.get_multiplexed_async_connection().await.expect("Redis is up");
    let odd = [0xff, 0x00, 0x80];
    let key = |prefix: &str| [prefix.as_bytes(), &odd].concat();
    for make in [
        redis::cmd("SET").arg(key("p:")).arg(&odd),
        redis::cmd("RPUSH").arg("p:list").arg(&odd).arg("text"),
        redis::cmd("SADD").arg("p:set").arg(&odd),
    ] {
        make.query_async::<()>(&mut direct).await.expect("Redis is up");
    }
    let (mut cursor, mut pages) = (String::new(), Vec::new());
    loop {
        // A key a page, so that the cursor carries them.
        let (keys, names_only) = (Vec::new(), false);
        let asked = data::ExportDataRequest { cursor, keys, names_only, bytes_max: 1 };
        let page = from.data::<data::ExportData>(&asked).await.expect("nothing is in its way");
        pages.push(page.pieces);
        cursor = page.next;
        if cursor.is_empty() {
            break;
        }
    }
    assert!(pages.iter().flatten().count() >= 3, "{pages:?}");
    for pieces in pages.clone() {
        to.data::<data::ImportData>(&data::ImportDataRequest { pieces }).await.expect("it fits");
    }
    for pieces in pages {
        let request = data::CompareDataRequest { pieces };
        let compared = to.data::<data::CompareData>(&request).await.expect("it compares");
        assert!(compared.keys.is_empty(), "byte for byte");
    }
    let mut get = redis::cmd("GET");
    let held: Vec<u8> = get.arg(key("q:")).query_async(&mut direct).await.expect("Redis is up");
    assert_eq!(held, odd);
}

/// What a full server does with a copy: it is refused at the latest before anybody relies on it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_full_takes_nothing_and_says_so() {
    let server = RedisServer::start();
    let provider = Arc::new(RedisKeyValue::new(values(&[("URL", &server.url())])));
    let provider = provider as Arc<dyn Provider>;
    let store = Store::bind(&provider, "M1", Values::default()).await.expect("nothing is wrong");
    store.set("k", "v").await.expect("Set");
    let client = redis::Client::open(server.url()).expect("the URL is right");
    let mut direct = client.get_multiplexed_async_connection().await.expect("Redis is up");
    let piece = data::Piece {
        key: "k".into(),
        kind: data::Kind::Text,
        expires_ms: 0,
        count: 1,
        start: 0,
        values: vec!["new".into()],
    };
    let import = async |pieces: Vec<data::Piece>| {
        store.data::<data::ImportData>(&data::ImportDataRequest { pieces }).await
    };
    for (policy, says) in [("noeviction", "memory is full"), ("allkeys-lru", "throws keys away")] {
        for (key, value) in [("maxmemory-policy", policy), ("maxmemory", "1")] {
            let mut set = redis::cmd("CONFIG");
            set.arg("SET").arg(key).arg(value);
            set.query_async::<()>(&mut direct).await.expect("Redis is up");
        }
        let asked = import(Vec::new()).await.expect_err("it takes no more, or throws away");
        assert_eq!(asked.code(), Code::Provider);
        assert!(asked.message().contains(says) || policy == "allkeys-lru", "{asked}");
        if policy == "noeviction" {
            // What it holds is removed for it, and that alone would let a script write on.
            let refused = import(vec![piece.clone()]).await.expect_err("it is full");
            assert!(refused.message().contains(says), "{refused}");
            assert_eq!(store.get("k").await, Ok(Some("v".to_owned())), "nothing was removed");
        }
    }
}

/// Value and time come in one command, and what is over is never there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_is_never_there_without_its_time() {
    let server = RedisServer::start();
    let provider = Arc::new(RedisKeyValue::new(values(&[("URL", &server.url())])));
    let provider = provider as Arc<dyn Provider>;
    let store = Store::bind(&provider, "M1", Values::default()).await.expect("nothing is wrong");
    let piece = |key: &str, expires_ms| data::Piece {
        key: key.into(),
        kind: data::Kind::Text,
        expires_ms,
        count: 1,
        start: 0,
        values: vec!["v".into()],
    };
    let pieces = vec![piece("over", 1), piece("ends", data::EXPIRES_MS_MAX), piece("stays", 0)];
    store.data::<data::ImportData>(&data::ImportDataRequest { pieces }).await.expect("it fits");
    assert_eq!(store.key_exists("over").await, Ok(false));
    assert_eq!(store.key_exists("ends").await, Ok(true));
    let client = redis::Client::open(server.url()).expect("the URL is right");
    let mut direct = client.get_multiplexed_async_connection().await.expect("Redis is up");
    let mut sent = redis::cmd("INFO");
    let sent: String =
        sent.arg("commandstats").query_async(&mut direct).await.expect("Redis is up");
    assert!(!sent.contains("cmdstat_pexpireat:"), "a crash between two leaves it for ever: {sent}");
}
