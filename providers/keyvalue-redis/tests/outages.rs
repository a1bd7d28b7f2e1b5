//! A Redis that is down, goes down, hangs, or wants a password.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use trellis_core::{ActorKey, BindingId, BindingName, CallError, Code, ContractId};
use trellis_providers_conformance::keyvalue::Store;
use trellis_providers_conformance::redis::{RedisServer, free_port};
use trellis_providers_conformance::suite;
use trellis_providers_keyvalue_redis::RedisKeyValue;
use trellis_providers_sdk::{Binding, Health, Provider, Values};

/// Far above what an answer takes, far below what a test may.
const SOON: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_redis_that_is_down_at_the_start_is_used_once_it_is_up() {
    let mut server = RedisServer::start();
    server.kill();
    let (provider, store) = bound(&server.url(), "1s").await.expect("binding needs no server");
    let asked = Instant::now();
    let error = store.add("n", 1).await.expect_err("Redis is down");
    assert_eq!(error.code(), Code::Provider, "{error}");
    assert!(error.message().contains(&server.address()), "{error}");
    assert!(asked.elapsed() < SOON, "the answer is prompt: {:?}", asked.elapsed());
    assert!(matches!(provider.health().await, Health::Degraded(_)));
    server.restart();
    let sum = until_answered(|| store.add("n", 1)).await;
    assert_eq!(sum, 1);
    assert_eq!(provider.health().await, Health::Healthy);
}

#[tokio::test]
async fn a_redis_that_is_killed_and_restarted_is_used_again() {
    let mut server = RedisServer::start();
    let (provider, store) = bound(&server.url(), "1s").await.expect("the URL is right");
    for round in 0..3 {
        assert_eq!(until_answered(|| store.add("n", 1)).await, 1, "round {round}, empty again");
        assert_eq!(store.add("n", 1).await, Ok(2));
        server.kill();
        for _ in 0..3 {
            let asked = Instant::now();
            let error = store.add("n", 1).await.expect_err("Redis was killed");
            assert_eq!(error.code(), Code::Provider, "{error}");
            assert!(asked.elapsed() < SOON, "the answer is prompt: {:?}", asked.elapsed());
        }
        assert!(matches!(provider.health().await, Health::Degraded(_)));
        server.restart();
    }
}

#[tokio::test]
async fn a_redis_that_hangs_costs_the_timeout_and_no_more() {
    let server = RedisServer::start();
    let (provider, store) = bound(&server.url(), "300ms").await.expect("the URL is right");
    assert_eq!(store.set("k", "v").await, Ok(()));
    signal(&server, Signal::STOP);
    let asked = Instant::now();
    let error = store.get("k").await.expect_err("Redis hangs");
    assert_eq!(error.code(), Code::Provider, "{error}");
    let waited = asked.elapsed();
    assert!(waited >= Duration::from_millis(250) && waited < SOON, "waited {waited:?}");
    assert!(matches!(provider.health().await, Health::Degraded(_)));
    signal(&server, Signal::CONT);
    assert_eq!(until_answered(|| store.get("k")).await.as_deref(), Some("v"));
}

#[tokio::test]
async fn a_redis_that_hangs_speaks_for_its_own_bindings_alone() {
    let servers = [RedisServer::start(), RedisServer::start()];
    let provider = RedisKeyValue::new(Values::default());
    let [well, hangs, unknown] = [1, 2, 3].map(BindingId);
    for (id, server) in [well, hangs].into_iter().zip(&servers) {
        // Longer than the host waits to be told how a provider is.
        let values = suite::values(&[("URL", &server.url()), ("TIMEOUT", "60s")]);
        let (contract, name) = (ContractId::new("wascc:keyvalue"), BindingName::default());
        let (actor, actor_name) = (ActorKey::new("MTEST"), "test".to_owned());
        let payload_bytes_max = 1 << 20;
        let binding = Binding { id, actor, actor_name, contract, name, payload_bytes_max, values };
        provider.bind(binding).await.expect("binding needs no server");
    }
    signal(&servers[1], Signal::STOP);
    let healths = provider.health_of_each(vec![well, hangs, unknown, well]);
    let healths = tokio::time::timeout(Duration::from_secs(2), healths).await.expect("in time");
    let [Health::Healthy, Health::Degraded(why), Health::Healthy, Health::Healthy] = &healths[..]
    else {
        panic!("{healths:?}")
    };
    assert!(why.contains(&servers[1].address()), "{why}");
    signal(&servers[1], Signal::CONT);
}

#[tokio::test]
async fn no_message_repeats_a_password() {
    let server = RedisServer::start_with_password("canary-1");
    let (provider, store) = bound(&server.url(), "1s").await.expect("the URL is right");
    assert_eq!(store.add("n", 1).await, Ok(1), "the right password opens");
    let wrong = format!("redis://:canary-2@{}", server.address());
    let down = format!("redis://user:canary-3@127.0.0.1:{}", free_port());
    let tls = format!("rediss://user:canary-4@{}", server.address());
    let malformed = "redis://user:canary-5@host:notaport".to_owned();
    let mut said = vec![format!("{provider:?}")];
    for (url, code) in [
        (wrong, Code::Provider),
        (down, Code::Provider),
        (tls, Code::Config),
        (malformed, Code::Config),
        ("http://canary-6@host".to_owned(), Code::Config),
        ("canary-7".to_owned(), Code::Config),
    ] {
        let error = match bound(&url, "1s").await {
            Err(error) => error,
            Ok((provider, store)) => {
                let error = store.get("k").await.expect_err("this server cannot be used");
                if let Health::Degraded(sentence) = provider.health().await {
                    said.push(sentence);
                }
                said.push(format!("{provider:?}"));
                error
            }
        };
        assert_eq!(error.code(), code, "{error}");
        said.push(error.to_string());
    }
    for sentence in said {
        assert!(!sentence.contains("canary"), "{sentence}");
    }
}

#[tokio::test]
async fn every_refusal_names_its_cause() {
    let server = RedisServer::start_with_password("canary-1");
    let client = redis::Client::open(server.url()).expect("the URL is right");
    let mut direct = client.get_multiplexed_async_connection().await.expect("Redis is up");
    let mut user = redis::cmd("ACL");
    user.arg(&["SETUSER", "app", "on", ">canary-2", "~*", "+get", "+hello", "+client", "+ping"]);
    user.query_async::<()>(&mut direct).await.expect("Redis is up");
    let address = server.address();
    for (url, words) in [
        (format!("redis://:canary-3@{address}"), &["credentials", "password in URL"][..]),
        (format!("redis://nobody:canary-3@{address}"), &["credentials", "user and password"]),
        (format!("redis://{address}"), &["password"]),
        (format!("redis://app:canary-2@{address}"), &["no permission", "EVAL", "ACL SETUSER"]),
        (format!("redis://:canary-1@{address}/99"), &["no database", "number in URL"]),
        ("redis://no.such.host.invalid".to_owned(), &["does not resolve", "URL"]),
        (format!("redis://127.0.0.1:{}", free_port()), &["connection refused"]),
        ("unix:///no/such/socket".to_owned(), &["connection refused"]),
    ] {
        let (_provider, store) = bound(&url, "5s").await.expect("binding needs no server");
        let error = store.add("n", 1).await.expect_err("this server cannot be used");
        assert_eq!(error.code(), Code::Provider, "{error}");
        for word in words {
            assert!(error.message().contains(word), "{word} in: {error}");
        }
        assert!(!error.message().contains("canary"), "{error}");
    }
}

#[tokio::test]
async fn many_callers_share_one_connection() {
    let server = RedisServer::start();
    let (provider, store) = bound(&server.url(), "5s").await.expect("the URL is right");
    let same = [("URL", server.url()), ("TIMEOUT", "5s".to_owned()), ("PREFIX", String::new())];
    let same = same.each_ref().map(|(key, value)| (*key, value.as_str()));
    let other = bind(&provider, &same).await.expect("the URL is right");
    let tasks: Vec<_> = (0..64)
        .map(|number| {
            let store = if number % 2 == 0 { store.clone() } else { other.clone() };
            tokio::spawn(async move { store.add("n", 1).await })
        })
        .collect();
    for task in tasks {
        task.await.expect("no task panics").expect("Redis is up");
    }
    let client = redis::Client::open(server.url()).expect("the URL is right");
    let mut direct = client.get_multiplexed_async_connection().await.expect("Redis is up");
    let clients: String =
        redis::cmd("CLIENT").arg("LIST").query_async(&mut direct).await.expect("Redis is up");
    assert_eq!(clients.lines().count(), 2, "the provider's one and ours:\n{clients}");
}

#[tokio::test]
async fn a_value_that_is_not_text_is_the_providers_error() {
    let server = RedisServer::start();
    let (_provider, store) = bound(&server.url(), "1s").await.expect("the URL is right");
    let client = redis::Client::open(server.url()).expect("the URL is right");
    let mut direct = client.get_multiplexed_async_connection().await.expect("Redis is up");
    let mut set = redis::cmd("SET");
    set.arg("\u{1f}MTEST\u{1f}k").arg(b"\xff\xfe".as_slice());
    set.query_async::<()>(&mut direct).await.expect("Redis is up");
    let error = store.get("k").await.expect_err("not UTF-8");
    assert_eq!(error.code(), Code::Provider, "{error}");
    assert_eq!(store.get("other").await, Ok(None), "the connection goes on");
}

async fn bound(url: &str, timeout: &str) -> Result<(Arc<RedisKeyValue>, Store), CallError> {
    let provider = Arc::new(RedisKeyValue::new(Values::default()));
    let store = bind(&provider, &[("URL", url), ("TIMEOUT", timeout)]).await?;
    Ok((provider, store))
}

async fn bind(provider: &Arc<RedisKeyValue>, values: &[(&str, &str)]) -> Result<Store, CallError> {
    let provider = Arc::clone(provider) as Arc<dyn Provider>;
    Store::bind(&provider, "MTEST", suite::values(values)).await
}

/// Asks until Redis answers; it may take the provider a moment to see that it is back.
async fn until_answered<T, A: Future<Output = Result<T, CallError>>>(ask: impl Fn() -> A) -> T {
    let asked = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => {
                assert!(asked.elapsed() < Duration::from_secs(10), "it never came back: {error}");
                tokio::task::yield_now().await;
            }
        }
    }
}

fn signal(server: &RedisServer, signal: Signal) {
    let id = server.process_id().expect("the server runs");
    let id = Pid::from_raw(i32::try_from(id).expect("a process id")).expect("a process id");
    kill_process(id, signal).expect("the server is our own process");
}
