//! Calls both ways, and what a process may send.

use std::time::Duration;

use futures_util::future::{join_all, select_all};
use trellis_core::{BindingId, Code};
use trellis_providers_sdk::Health;
use trellis_providers_sdk::process::FRAME_BYTES_MAX;

use super::bench::{BAD, PATIENCE, Sdk, ask, binding, call, made, sample};

pub(crate) async fn all() {
    for sdk in Sdk::ALL {
        of(sdk).await;
    }
    whoever_breaks_the_protocol_is_cut_off().await;
    one_that_knows_no_health_is_well().await;
}

/// What a provider of any SDK does.
async fn of(sdk: Sdk) {
    calls_go_both_ways_and_errors_keep_their_codes(sdk).await;
    many_calls_are_under_way_at_once(sdk).await;
    what_is_too_much_together_is_refused(sdk).await;
    bindings_are_told_and_refused(sdk).await;
    a_call_nobody_waits_for_is_cut(sdk).await;
    what_it_says_of_itself_is_passed_on(sdk).await;
}

async fn calls_go_both_ways_and_errors_keep_their_codes(sdk: Sdk) {
    let provider = sdk.made().await;
    assert_eq!(ask(&provider, "Echo", "hello").await.expect("answers"), "hello");
    assert_eq!(ask(&provider, "Echo", "").await.expect("answers"), "");
    assert_eq!(ask(&provider, "Invoke", "ab").await.expect("the actor answers"), "abab");
    let refused = ask(&provider, "Invoke", "").await.expect_err("the actor refuses");
    assert_eq!((refused.code(), refused.message()), (Code::Denied, "nothing is refused"));
    let missing = ask(&provider, "Fail", "there is none").await.expect_err("fails");
    assert_eq!((missing.code(), missing.message()), (Code::NotFound, "there is none"));
    let panicked = ask(&provider, "Panic", "").await.expect_err("panics");
    assert_eq!(panicked.code(), Code::Provider);
    let large = ask(&provider, "Fill", "16777216").await.expect("it fits");
    assert_eq!(large.len(), 16 << 20);
    let larger = ask(&provider, "Fill", FRAME_BYTES_MAX.to_string()).await.expect_err("too large");
    assert_eq!(larger.code(), Code::TooLarge);
    let larger = ask(&provider, "Echo", "x".repeat(FRAME_BYTES_MAX)).await.expect_err("too large");
    assert_eq!(larger.code(), Code::TooLarge);
    assert_eq!(ask(&provider, "Echo", "still").await.expect("it goes on"), "still");
}

async fn many_calls_are_under_way_at_once(sdk: Sdk) {
    let provider = sdk.made().await;
    let slow = (0..500).map(|_| ask(&provider, "Sleep", "300"));
    let answered = tokio::time::timeout(PATIENCE, join_all(slow)).await.expect("together");
    assert!(answered.iter().all(Result::is_ok));
    let invoked = join_all((0..500).map(|_| ask(&provider, "Invoke", "ab"))).await;
    assert!(invoked.into_iter().all(|reply| reply.expect("answers") == "abab"));
}

async fn what_is_too_much_together_is_refused(sdk: Sdk) {
    let provider = sdk.made().await;
    // Four of them are as much as may be under way, and none is answered.
    let payload = format!("hang{}", "x".repeat((16 << 20) - 4));
    let calls = (0..5).map(|_| Box::pin(ask(&provider, "Invoke", payload.clone())));
    let first = tokio::time::timeout(PATIENCE, select_all(calls)).await.expect("one is answered");
    let refused = first.0.expect_err("it is refused");
    assert_eq!(refused.code(), Code::Busy, "{refused}");
    assert_eq!(ask(&provider, "Echo", "still").await.expect("it goes on"), "still");
}

async fn bindings_are_told_and_refused(sdk: Sdk) {
    let provider = sdk.made().await;
    provider.bind(binding(1, "hello")).await.expect("is bound");
    assert_eq!(ask(&provider, "Greet", "").await.expect("is bound"), "hello");
    let error = provider.bind(binding(1, "wrong")).await.expect_err("is refused");
    assert_eq!((error.code(), error.message()), (Code::Config, "GREETING is wrong"));
    provider.bind(binding(1, "good day")).await.expect("has other values");
    assert_eq!(ask(&provider, "Greet", "").await.expect("is bound"), "good day");
    provider.unbind(BindingId(1)).await;
    assert_eq!(ask(&provider, "Greet", "").await.expect_err("gone").code(), Code::NotFound);
}

async fn a_call_nobody_waits_for_is_cut(sdk: Sdk) {
    let provider = sdk.made().await;
    let brief = Duration::from_millis(20);
    let given_up = tokio::time::timeout(brief, ask(&provider, "Sleep", "60000")).await;
    assert!(given_up.is_err(), "nobody waited");
    let cut = async {
        while ask(&provider, "Cancelled", "").await.expect("answers") != "1" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, cut).await.expect("the process was told");
}

async fn what_it_says_of_itself_is_passed_on(sdk: Sdk) {
    let provider = sdk.made().await;
    provider.bind(binding(1, "hello")).await.expect("is bound");
    assert_eq!(provider.health().await, Health::Degraded("it is a test".to_owned()));
    assert!(sample(&provider, "program_greetings 1"), "{:?}", provider.samples());
    assert!(sample(&provider, "provider_process_up 1"), "{:?}", provider.samples());
}

async fn whoever_breaks_the_protocol_is_cut_off() {
    let cases = [
        ("garbage", "cannot be read"),
        ("one-gibibyte", "a frame of 1073741824 bytes; at most"),
        ("somebody-elses", "which nobody asked"),
        ("many-values", "fewer values"),
        ("hello-again", "said hello twice"),
        ("unknown", "cannot be read"),
        ("long-name", "has more than 256 bytes"),
        ("unwell", "in a frame `healthy`, "),
        ("twice", "the id 0 for two calls"),
        ("flood", "more than 1024 calls at once"),
    ];
    let tried = cases.map(|(how, why)| async move {
        let provider = made(&[BAD, how]).await.expect("it is made");
        let error = provider.call(call("Do", "")).await.expect_err("no answer came");
        assert_eq!(error.code(), Code::Provider, "{how}");
        assert!(error.message().contains(why), "{how}: {error}");
    });
    join_all(tried).await;
}

async fn one_that_knows_no_health_is_well() {
    let provider = made(&[BAD, "no-health"]).await.expect("it is made");
    assert_eq!(provider.health().await, Health::Healthy);
}
