//! Whoever goes on without the keys that it had is told of, and that takes no longer than it may.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;
use trellis_control::{Applied, Component, ComponentKind, LifecycleState};
use trellis_core::CallError;
use trellis_supervisor::Witness;
use trellis_testkit::guests::by_hand;

use crate::stage::Stage;

/// One actor with so many bindings to a keeper, and another provider.
fn manifest(bindings: usize, (keeper, other): (&str, &str)) -> String {
    let bound = |at| format!("  - {{actor: one, capability: 'test:keeper', name: b{at}}}\n");
    let bound: String = (0..bindings).map(bound).collect();
    format!(
        "actors: [{{image: one.wasm, name: one}}]\n\
         providers:\n  - {{builtin: keeper, values: {{SIZE: {keeper}}}}}\n  \
         - {{builtin: store, values: {{SIZE: {other}}}}}\n\
         bindings:\n{bound}"
    )
}

fn stage() -> Stage {
    let stage = Stage::new();
    let module = by_hand("(memory (export \"memory\") 1)", "(i32.const 1)");
    stage.put_with("one", &module, |draft| draft.caps = vec!["test:keeper".to_owned()]);
    stage
}

fn done(applied: &Applied) -> &[String] {
    assert_eq!(applied.faults, []);
    &applied.left_behind
}

/// What is told of keys that were left.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Witness for Told {
    fn entered(&self, _: &Component, _: LifecycleState) {}

    fn barred(&self, _: (ComponentKind, &str), _: &CallError) {}

    fn left_behind(&self, actor: &str, why: &str) {
        self.0.lock().expect("no test panics here").push(format!("{actor}: {why}"));
    }
}

#[tokio::test(start_paused = true)]
async fn another_store_is_told_of_and_the_same_is_not() {
    let stage = stage();
    let told = Arc::<Told>::default();
    stage.supervisor.is_seen_by(Arc::clone(&told) as Arc<_>);
    assert_eq!(done(&stage.apply(&manifest(1, ("a", "x"))).await), [""; 0]);
    assert_eq!(done(&stage.apply(&manifest(1, ("a", "y"))).await), [""; 0]);
    let applied = stage.apply(&manifest(1, ("b", "y"))).await;
    let [text] = done(&applied) else { panic!("{:?}", applied.left_behind) };
    assert!(text.starts_with("one goes on without the keys that it had"), "{text}");
    assert!(text.contains("stay in the store that provider keeper was"), "{text}");
    let told = told.0.lock().expect("no test panics here").clone();
    assert_eq!(told, [format!("one: {text}")]);
}

#[tokio::test(start_paused = true)]
async fn a_change_tells_of_twenty_and_that_there_are_others() {
    let stage = stage();
    stage.apply(&manifest(25, ("a", "x"))).await;
    let applied = stage.apply(&manifest(25, ("b", "x"))).await;
    let (others, named) = done(&applied).split_last().expect("there are some");
    assert_eq!(named.len(), 20);
    assert!(others.starts_with("5 more bindings"), "{others}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_holds_no_change_up_for_long() {
    let stage = stage();
    stage.apply(&manifest(3, ("a", "x"))).await;
    stage.script.hang("call");
    let began = Instant::now();
    assert_eq!(done(&stage.apply(&manifest(3, ("a", "y"))).await), [""; 0]);
    assert_eq!(stage.script.times("call keeper a").len(), 0, "it is not touched");
    assert_eq!(began.elapsed(), Duration::ZERO);
    let applied = stage.apply(&manifest(3, ("b", "y"))).await;
    assert_eq!(done(&applied).len(), 3, "{:?}", applied.left_behind);
    for text in done(&applied) {
        assert!(text.contains("is not known: there was no answer within 400 ms"), "{text}");
    }
    assert!(began.elapsed() <= Duration::from_millis(800), "before the change, and after it");
}
