//! Every instance knows who is bound, and nothing that comes of that reaches anybody else.

use std::time::{Duration, Instant};

use trellis_core::{BindingId, Code};
use trellis_limits::ActorLimits;
use trellis_providers_sdk::Health;

use super::bench::{binding, call, limits, noted, provider, until_noted};

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_told_of_each_binding_once_and_a_new_one_of_all() {
    let (provider, _) = provider(limits()).await;
    for (id, letter) in [(1, "a"), (2, "b")] {
        provider.bind(binding(id, letter)).await.expect("it takes it");
    }
    assert_eq!(noted(&provider, 1).await, "ab");
    assert_eq!(noted(&provider, 2).await, "ab", "it is told once");
    let error = call(&provider, 1, "X").await.expect_err("it traps");
    assert_eq!(error.code(), Code::Provider);
    assert!(error.message().contains("E_TRAP"), "{error}");
    assert_eq!(noted(&provider, 1).await, "ab", "the next one knows it before its first call");
    provider.bind(binding(1, "c")).await.expect("its values change");
    provider.unbind(BindingId(2)).await;
    assert_eq!(noted(&provider, 1).await, "abc-b");
    drop(call(&provider, 1, "X").await);
    assert_eq!(noted(&provider, 1).await, "c", "and nothing of what was");
    assert_eq!(provider.health().await, Health::Healthy);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_not_bound_and_what_was_stays() {
    let (provider, _) = provider(limits()).await;
    provider.bind(binding(1, "a")).await.expect("it takes it");
    let error = provider.bind(binding(2, "x")).await.expect_err("it refuses it");
    assert_eq!((error.code(), error.message()), (Code::Config, "no x"));
    assert_eq!(call(&provider, 2, "Echo").await.expect_err("unbound").code(), Code::Provider);
    provider.bind(binding(1, "x")).await.expect_err("it refuses those values");
    assert_eq!(noted(&provider, 1).await, "aa", "it is told of the old ones again");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_breaks_over_a_binding_serves_the_others() {
    let short = ActorLimits { call_time_max: Duration::from_millis(200), ..limits() };
    let (provider, _) = provider(short).await;
    provider.bind(binding(1, "a")).await.expect("it takes it");
    for (letter, code) in [("t", Code::Provider), ("l", Code::Timeout)] {
        let since = Instant::now();
        let error = provider.bind(binding(2, letter)).await.expect_err("it breaks");
        assert_eq!(error.code(), code, "{error}");
        assert!(since.elapsed() < Duration::from_secs(5));
        assert_eq!(noted(&provider, 1).await, "a");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_hangs_over_a_binding_it_had_serves_the_others_and_is_told_again() {
    let second = Duration::from_secs(1);
    let short = ActorLimits { call_time_max: second, init_time_max: second, ..limits() };
    let (provider, _) = provider(short).await;
    for (id, letter) in [(2, "a"), (1, "w"), (3, "b")] {
        provider.bind(binding(id, letter)).await.expect("it takes it");
    }
    assert_eq!(noted(&provider, 2).await, "awb");
    // The next instance is told of all in another order.
    drop(call(&provider, 2, "X").await);
    // Without the one it hangs over: no call is kept waiting for that any more.
    until_noted(&provider, 2, "ab").await;
    let error = call(&provider, 1, "Echo").await.expect_err("it is out");
    assert_eq!(error.code(), Code::Provider);
    let Health::Degraded(why) = provider.health().await else { panic!("one is out") };
    assert!(why.contains("it could not be told of actor-1 to test:notes as default"), "{why}");
    let each = provider.health_of_each(vec![BindingId(1), BindingId(2)]).await;
    assert!(matches!(&each[..], [Health::Degraded(_), Health::Healthy]), "{each:?}");

    provider.unbind(BindingId(3)).await;
    until_noted(&provider, 1, "aw").await;
    assert_eq!(provider.health().await, Health::Healthy);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_told_of_a_binding_it_may_ask_who_that_is_and_nothing_else() {
    let (provider, asked) = provider(limits()).await;
    let error = provider.bind(binding(1, "k")).await.expect_err("it asks too early");
    assert_eq!(error.code(), Code::Denied, "{error}");
    for part in ["may not ask for wascc:keyvalue", "BindActor", "when a call comes"] {
        assert!(error.message().contains(part), "{part}: {error}");
    }
    assert!(asked.all.lock().is_empty(), "nobody is asked");
    provider.bind(binding(2, "a")).await.expect("it takes it");
    asked.answers.notify_one();
    call(&provider, 2, "Ask").await.expect("it may, in a call");
    let again = provider.bind(binding(1, "k")).await.expect_err("as it was before it served");
    assert_eq!(again.code(), Code::Denied, "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_comes_of_a_farewell_counts() {
    let (provider, _) = provider(limits()).await;
    provider.bind(binding(1, "a")).await.expect("it takes it");
    provider.bind(binding(2, "q")).await.expect("it takes it");
    assert_eq!(noted(&provider, 1).await, "aq");
    provider.unbind(BindingId(2)).await;
    assert_eq!(noted(&provider, 1).await, "a", "it trapped, and another one is there");
    assert_eq!(provider.health().await, Health::Healthy);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_instances_each_is_told() {
    let two = ActorLimits { instances_max: 2, ..limits() };
    let (provider, asked) = provider(two).await;
    provider.bind(binding(1, "a")).await.expect("it takes it");
    let waits = call(&provider, 1, "Ask");
    let other = async {
        asked.came.notified().await;
        // One instance waits for an answer; this is the other one.
        assert_eq!(noted(&provider, 1).await, "a");
        provider.bind(binding(2, "b")).await.expect("it takes it");
        assert_eq!(noted(&provider, 1).await, "ab");
        asked.answers.notify_one();
    };
    let (answer, ()) = tokio::join!(waits, other);
    assert_eq!(&*answer.expect("it is answered"), b"asked");
    let both = [noted(&provider, 1).await, noted(&provider, 2).await];
    assert_eq!(both, ["ab", "ab"], "whichever answers knows both");
}
