//! Where actors and providers are in their lives, as the status has it.

use std::time::Duration;

use tokio::time::sleep;
use trellis_control::{Component, LifecycleState, Status};
use trellis_core::Code;
use trellis_providers_sdk::Restart;
use trellis_testkit::guests::by_hand;

use crate::stage::{NOW_S, Stage};

const MEMORY: &str = "(memory (export \"memory\") 1)";
const STORE: &str = "providers: [{builtin: store}]\n";
/// More than from one look at what began or ended to the next.
const LOOKED: Duration = Duration::from_secs(2);

fn states(status: &Status) -> Vec<(String, LifecycleState)> {
    let state = |it: &Component| (it.subject(), it.lifecycle.state());
    status.components.iter().map(state).collect()
}

/// Waits until something is in a state; everything before it takes no time.
async fn until(stage: &Stage, subject: &str, state: LifecycleState) {
    let is_so = || {
        let wanted = (subject.to_owned(), state);
        states(&stage.status()).contains(&wanted)
    };
    for _ in 0..10_000 {
        if is_so() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("{subject} is not {state}: {:?}", stage.status().components);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_failed_is_shown_as_that_until_it_recovers() {
    let stage = Stage::new();
    stage.apply(STORE).await;
    let named = "provider store";
    assert_eq!(states(&stage.status()), [(named.to_owned(), LifecycleState::Ready)]);
    let minute = Duration::from_secs(60);
    for (next, state, code, retry_unix_s) in [
        (Restart::AtOnce, LifecycleState::Restarting, Code::Provider, None),
        (
            Restart::BackOff(Duration::from_millis(1_500)),
            LifecycleState::BackingOff,
            Code::CrashLoop,
            Some(NOW_S + 2),
        ),
        (
            Restart::Quarantine(minute),
            LifecycleState::Quarantined,
            Code::CrashLoop,
            Some(NOW_S + 60),
        ),
    ] {
        stage.script.fail(next);
        until(&stage, named, state).await;
        let [degraded] = &stage.status().degraded[..] else { panic!("it is one thing") };
        assert_eq!((&*degraded.what, &*degraded.why), (named, "its process ended"));
        assert_eq!((degraded.code, degraded.retry_unix_s), (code, retry_unix_s));
    }
    // What it says of itself meanwhile is not believed.
    stage.script.stir();
    sleep(LOOKED).await;
    until(&stage, named, LifecycleState::Quarantined).await;
    stage.script.recover();
    until(&stage, named, LifecycleState::Ready).await;
    assert_eq!(stage.status().degraded, []);
}

#[tokio::test(start_paused = true)]
async fn what_is_let_go_drains_and_is_then_no_more() {
    let stage = Stage::new();
    stage.apply(STORE).await;
    stage.script.hang("shutdown");
    stage.apply("providers: [{builtin: store, values: {SIZE: '2'}}]\n").await;
    until(&stage, "provider store", LifecycleState::Draining).await;
    until(&stage, "provider store", LifecycleState::Ready).await;
    // It ends, which is no failure of it.
    stage.script.fail(Restart::AtOnce);
    until(&stage, "provider store", LifecycleState::Draining).await;
    stage.script.recover();
    stage.script.go_on();
    sleep(LOOKED).await;
    assert_eq!(states(&stage.status()), [("provider store".to_owned(), LifecycleState::Ready)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_wanted_and_cannot_be_had_backs_off() {
    let stage = Stage::new();
    stage.script.refuse_making("store");
    stage.apply(STORE).await;
    until(&stage, "provider store", LifecycleState::BackingOff).await;
    let [degraded] = &stage.status().degraded[..] else { panic!("it is listed once") };
    assert!(degraded.retry_unix_s.is_some());
    stage.script.go_on();
    sleep(LOOKED).await;
    until(&stage, "provider store", LifecycleState::Ready).await;
}

/// G3: an actor that traps whenever it starts is left alone, and nobody else notices.
#[tokio::test(start_paused = true)]
async fn g3_an_actor_that_breaks_whenever_it_starts_is_quarantined() {
    let stage = Stage::new();
    stage.put("well", &by_hand(MEMORY, "(i32.const 1)"));
    let breaks = format!("{MEMORY} (func $broken unreachable) (start $broken)");
    stage.put("broken", &by_hand(&breaks, "(i32.const 1)"));
    let manifest = "
actors:
  - {image: well.wasm, name: well}
  - {image: broken.wasm, name: broken, limits: {start_backoffs: 0}}
";
    stage.apply(manifest).await;
    let made = || stage.engine.metrics().instances_created();
    for _ in 0..4 {
        assert_eq!(stage.call("broken").await.expect_err("it traps").code(), Code::Trap);
    }
    let before = made();
    for _ in 0..100 {
        let error = stage.call("broken").await.expect_err("it is left alone");
        assert_eq!(error.code(), Code::CrashLoop);
        assert!(error.message().contains("quarantine"), "{error}");
    }
    assert_eq!(made(), before, "nothing is started for them");
    stage.call("well").await.expect("it does not notice");
    until(&stage, "actor broken", LifecycleState::Quarantined).await;
    until(&stage, "actor well", LifecycleState::Ready).await;
    assert_eq!(stage.engine.metrics().limit_hits("start_backoffs_max"), 1);

    stage.put("broken", &by_hand(MEMORY, "(i32.const 1)"));
    stage.apply(manifest).await;
    stage.call("broken").await.expect("it was mended");
    sleep(LOOKED).await;
    assert_eq!(stage.status().degraded, []);
}
