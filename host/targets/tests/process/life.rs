//! Processes that end, hang, and come back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use trellis_core::{BindingId, Code};
use trellis_providers_sdk::{Health, Provider};
use trellis_targets::process::{ProcessCommand, ProcessLimits};

use super::bench::{
    BAD, PATIENCE, Sdk, Told, ask, binding, call, command, made, made_of, sample, script,
    until_gone,
};

pub(crate) async fn all() {
    for sdk in Sdk::ALL {
        one_that_ends_is_back_with_its_bindings(sdk).await;
        one_that_hangs_is_replaced(sdk).await;
        one_that_is_told_to_end_finishes_what_it_has(sdk).await;
        one_that_nobody_wants_is_gone(sdk).await;
    }
    one_that_shuts_down_is_ended_before_its_time().await;
    what_may_be_asked_twice_is().await;
    a_binding_that_is_refused_again_takes_no_other_along().await;
    one_that_reads_nothing_is_replaced_however_much_waits().await;
    one_that_is_deaf_is_replaced().await;
    one_that_is_slow_is_not_taken_for_dead().await;
    one_that_ends_again_and_again_is_left_alone().await;
    what_it_left_behind_holds_nothing_of_the_host().await;
}

async fn one_that_ends_is_back_with_its_bindings(sdk: Sdk) {
    let provider = sdk.made().await;
    provider.bind(binding(1, "hello")).await.expect("is bound");
    provider.bind(binding(2, "gone")).await.expect("is bound");
    provider.unbind(BindingId(2)).await;
    for times in 1..=3 {
        let error = ask(&provider, "Exit", "").await.expect_err("it ended");
        assert_eq!(error.code(), Code::Provider);
        assert!(error.message().contains("went away"), "{error}");
        // What is called meanwhile waits; an interpreter may take longer to start than that.
        match sdk {
            Sdk::Rust => assert_eq!(ask(&provider, "Greet", "").await.expect("is back"), "hello"),
            Sdk::Python | Sdk::Node => until_it_greets(&provider).await,
        }
        let other = trellis_providers_sdk::Call { binding: BindingId(2), ..call("Greet", "") };
        assert_eq!(provider.call(other).await.expect_err("stays gone").code(), Code::NotFound);
        assert!(sample(&provider, &format!("provider_process_restarts_total {times}")));
    }
}

async fn what_may_be_asked_twice_is() {
    let provider = Sdk::Rust.made().await;
    let folder = tempfile::tempdir().expect("a folder");
    let mark = |name: &str| folder.path().join(name).to_str().expect("text").to_owned();
    let answer = ask(&provider, "ExitFirst", mark("one")).await;
    assert_eq!(answer.expect("it is asked again"), "the second time");
    assert!(sample(&provider, "provider_process_restarts_total 1"));
    // Once, and not again and again.
    drop(std::fs::remove_file(mark("one")));
    let always = ask(&provider, "Exit", "").await.expect_err("its effect is not known");
    assert_eq!(always.code(), Code::Provider);
}

async fn a_binding_that_is_refused_again_takes_no_other_along() {
    let provider = Sdk::Rust.made().await;
    let folder = tempfile::tempdir().expect("a folder");
    let mark = format!("once {}", folder.path().join("mark").display());
    provider.bind(binding(1, "well")).await.expect("is bound");
    provider.bind(binding(2, &mark)).await.expect("is bound the first time");
    ask(&provider, "Exit", "").await.expect_err("it ended");
    assert_eq!(ask(&provider, "Greet", "").await.expect("it is back"), "well");
    let other = trellis_providers_sdk::Call { binding: BindingId(2), ..call("Greet", "") };
    assert_eq!(provider.call(other).await.expect_err("it was refused").code(), Code::NotFound);
    let Health::Degraded(why) = provider.health().await else { panic!("one is missing") };
    assert!(why.contains("it refuses actor to test:good"), "{why}");
    provider.bind(binding(2, "other values")).await.expect("is bound anew");
    assert_eq!(provider.health().await, Health::Healthy);
}

async fn one_that_reads_nothing_is_replaced_however_much_waits() {
    let provider = made(&[BAD, "deaf"]).await.expect("it is made");
    // More than may wait to be read; none of the callers gives up.
    let payload = bytes::Bytes::from(vec![0; 16 << 20]);
    let calls: Vec<_> = (0..6)
        .map(|_| {
            let (provider, payload) = (Arc::clone(&provider), payload.clone());
            tokio::spawn(async move { provider.call(call("Do", payload)).await })
        })
        .collect();
    let replaced = async {
        while !sample(&provider, "provider_process_restarts_total 1") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, replaced).await.expect("another one was started");
    calls.iter().for_each(tokio::task::JoinHandle::abort);
}

async fn one_that_hangs_is_replaced(sdk: Sdk) {
    let provider = sdk.made().await;
    provider.bind(binding(1, "hello")).await.expect("is bound");
    let cut = tokio::time::timeout(Duration::from_millis(50), ask(&provider, "Hang", "")).await;
    assert!(cut.is_err(), "its caller waits no longer: {cut:?}");
    until_it_greets(&provider).await;
    assert!(sample(&provider, "provider_process_restarts_total 1"));
}

async fn one_that_is_deaf_is_replaced() {
    let provider = made(&[BAD, "deaf"]).await.expect("it is made");
    let cut = tokio::time::timeout(Duration::from_millis(50), ask(&provider, "Do", "")).await;
    assert!(cut.is_err(), "its caller waits no longer");
    let replaced = async {
        while !sample(&provider, "provider_process_restarts_total 1") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, replaced).await.expect("another one was started");
}

async fn one_that_is_slow_is_not_taken_for_dead() {
    let provider = made(&[BAD, "dawdles"]).await.expect("it is made");
    let cut = tokio::time::timeout(Duration::from_millis(50), ask(&provider, "Do", "")).await;
    assert!(cut.is_err(), "its caller waits no longer");
    // It is asked how it is, and sends bytes all the time before it says so.
    assert_eq!(ask(&provider, "Do", "").await.expect("it is the same one"), "alive");
    assert!(sample(&provider, "provider_process_restarts_total 0"));
}

async fn until_it_greets(provider: &Arc<dyn Provider>) {
    let greets = async {
        let brief = Duration::from_millis(50);
        while !matches!(
            tokio::time::timeout(brief, ask(provider, "Greet", "")).await,
            Ok(Ok(greeting)) if greeting == "hello"
        ) {}
    };
    tokio::time::timeout(PATIENCE, greets).await.expect("it is back");
}

async fn one_that_ends_again_and_again_is_left_alone() {
    for (backoffs, state) in [(6, "so it backs off"), (0, "so it is in quarantine")] {
        let command = command(&[BAD, "crashes"]);
        let limits = ProcessLimits { restart_backoffs_max: backoffs, ..command.limits };
        let told = Arc::new(Told::default());
        let command = ProcessCommand { limits, ..command };
        let provider = made_of(command, Arc::clone(&told)).await.expect("it was ready once");
        let rests = async {
            while ask(&provider, "Do", "").await.err().map(|it| it.code()) != Some(Code::CrashLoop)
            {
            }
        };
        tokio::time::timeout(PATIENCE, rests).await.expect("it is left alone");
        assert!(sample(&provider, "provider_process_up 0"), "{:?}", provider.samples());
        let since = Instant::now();
        let error = ask(&provider, "Do", "").await.expect_err("there is none");
        assert!(since.elapsed() < Duration::from_millis(500), "nobody waits for one that rests");
        let why = "(it ended (exit status: 0))";
        assert!(error.message().contains(state) && error.message().ends_with(why), "{error}");
        // Who watches over it was told each step, in its order.
        let steps = told.steps();
        assert_eq!(steps[..6], ["at once", "recovered"].repeat(3), "{steps:?}");
        let last = if backoffs == 0 { "quarantine" } else { "back-off" };
        assert_eq!(steps[6], last);
    }
}

/// Somebody who left its session holds what it writes to, and outlives it.
async fn what_it_left_behind_holds_nothing_of_the_host() {
    let pipes = || {
        let files = std::fs::read_dir("/proc/self/fd").expect("this process");
        let links = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
        links.filter(|link| link.to_string_lossy().starts_with("pipe:")).count()
    };
    let before = pipes();
    let folder = tempfile::tempdir().expect("a folder");
    // As long as this test may wait, and longer.
    let leaves = format!("setsid sleep {} &", PATIENCE.as_secs() + 10);
    let command = script(folder.path(), &leaves);
    let provider = made_of(command, Arc::default()).await.expect("it is made");
    assert!(pipes() > before);
    provider.shutdown(PATIENCE).await;
    drop(provider);
    let closed = async {
        while pipes() > before {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, closed).await.expect("they are closed");
}

/// A call that takes so long; it has been handed over.
fn sleeps(
    provider: &Arc<dyn Provider>,
    time: Duration,
) -> tokio::task::JoinHandle<Result<String, trellis_core::CallError>> {
    let (provider, time) = (Arc::clone(provider), time.as_millis().to_string());
    let mut call = Box::pin(async move { ask(&provider, "Sleep", time).await });
    // A task might begin later than whoever started it goes on.
    assert!((&mut call).now_or_never().is_none(), "nothing was waited for");
    tokio::spawn(call)
}

async fn one_that_is_told_to_end_finishes_what_it_has(sdk: Sdk) {
    let provider = sdk.made().await;
    let slow = sleeps(&provider, Duration::from_millis(300));
    ask(&provider, "Echo", "").await.expect("the other one is under way");
    provider.shutdown(Duration::from_secs(5)).await;
    assert_eq!(slow.await.expect("no panic").expect("it was finished"), "300");
    let error = ask(&provider, "Echo", "").await.expect_err("it has ended");
    assert!(error.message().contains("being stopped"), "{error}");
}

/// Its claims may end while it finishes what it has; whoever waited for that has gone away then.
async fn one_that_shuts_down_is_ended_before_its_time() {
    let provider = Sdk::Rust.made().await;
    let hour = Duration::from_secs(3_600);
    let slow = sleeps(&provider, hour);
    ask(&provider, "Echo", "").await.expect("the other one is under way");
    assert!(provider.shutdown(hour).now_or_never().is_none(), "it has a call");
    assert!(!slow.is_finished());
    provider.shutdown(Duration::ZERO).await;
    let cut = tokio::time::timeout(PATIENCE, slow).await.expect("it was killed");
    assert_eq!(cut.expect("no panic").expect_err("it was cut").code(), Code::Provider);
}

async fn one_that_nobody_wants_is_gone(sdk: Sdk) {
    let provider = sdk.made().await;
    let pid = ask(&provider, "Read", "/proc/self/stat").await.expect("answers");
    let pid = pid.split(' ').next().expect("a number").to_owned();
    drop(provider);
    until_gone(&pid).await;
}
