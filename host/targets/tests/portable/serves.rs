//! How calls of a module end.

use std::time::Duration;

use bytes::Bytes;
use trellis_core::Code;
use trellis_limits::ActorLimits;
use trellis_providers_sdk::{BoxFuture, Context, Invoke, Invoker, Values};

use super::bench::{binding, call, call_within, factory, good, limits, provider};

#[tokio::test(flavor = "multi_thread")]
async fn payloads_pass_untouched_and_errors_keep_their_code() {
    let (provider, _) = provider(limits()).await;
    provider.bind(binding(1, "a")).await.expect("it takes it");
    assert_eq!(&*call(&provider, 1, "Echo").await.expect("it answers"), b"payload");
    let error = call(&provider, 1, "Fail").await.expect_err("it says no");
    assert_eq!((error.code(), error.message()), (Code::NotFound, "no place"));
    let error = call(&provider, 1, "Unknown").await.expect_err("it has no such operation");
    assert_eq!((error.code(), error.message()), (Code::Provider, "bad dispatch"));
    let soon = Duration::from_millis(100);
    let error = call_within(&provider, (1, "Loop"), soon).await.expect_err("it never ends");
    assert_eq!(error.code(), Code::Timeout);
    assert!(call(&provider, 1, "Echo").await.is_ok(), "the next call has an instance");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_may_ask_who_calls() {
    let (provider, asked) = provider(limits()).await;
    provider.bind(binding(1, "a")).await.expect("it takes it");
    let who = call(&provider, 1, "Who").await.expect("it is told");
    let text = b"\x84\xa6module\xa2M1\xa4name\xa7actor-1\xa7binding\xa7default\xa6values\
        \x81\xa6LETTER\xa1a";
    assert_eq!(&*who, text);
    assert!(asked.all.lock().is_empty(), "nobody else is asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_asks_itself_stands_one_deeper_than_the_call_it_serves() {
    let (provider, asked) = provider(limits()).await;
    provider.bind(binding(1, "a")).await.expect("it takes it");
    asked.answers.notify_one();
    assert_eq!(&*call(&provider, 1, "Ask").await.expect("it is answered"), b"asked");
    assert_eq!(*asked.all.lock(), [("wascc:keyvalue".to_owned(), "Get".to_owned(), 4)]);
    let shallow = ActorLimits { call_depth_max: 2, ..limits() };
    let (provider, _) = super::bench::provider(shallow).await;
    provider.bind(binding(1, "a")).await.expect("it takes it");
    let error = call(&provider, 1, "Echo").await.expect_err("it stands too deep");
    assert_eq!(error.code(), Code::Depth);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_claims_it_may_ask_for_nothing() {
    struct Nobody;

    impl Invoker for Nobody {
        fn invoke(&self, _: Invoke) -> BoxFuture<'_, trellis_providers_sdk::Reply> {
            Box::pin(async { Ok(Bytes::new()) })
        }
    }

    let factory = factory(good(), limits()).await.expect("it says what it is");
    let context = Context::new(std::sync::Arc::new(Nobody));
    let provider = factory.create(context, Values::default()).await.expect("it can be made");
    provider.bind(binding(1, "a")).await.expect("it takes it");
    let error = call(&provider, 1, "Ask").await.expect_err("it is refused");
    assert_eq!(error.code(), Code::Denied);
    assert!(error.message().contains("wascc:keyvalue"), "{error}");
}
