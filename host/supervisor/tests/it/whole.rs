//! A version of an actor takes over as a whole or not at all.

use trellis_testkit::guests::by_hand;

use crate::stage::{Stage, done};

const AT_FIRST: &str = "
actors: [{image: one.wasm, name: one}]
providers:
  - {builtin: server, name: first, values: {SIZE: a}}
  - {builtin: server, name: second, values: {SIZE: b}}
bindings:
  - {actor: one, capability: 'test:server', provider: first, name: x, values: {PLACE: x, SIZE: a}}
  - {actor: one, capability: 'test:server', provider: first, name: y, values: {PLACE: y, SIZE: a}}
";

fn put(stage: &Stage, pages: u32) {
    let memory = format!("(memory (export \"memory\") {pages})");
    stage.put("one", &by_hand(&memory, "(i32.const 1)"));
}

async fn stage() -> Stage {
    let stage = Stage::new();
    put(&stage, 1);
    assert_eq!(stage.apply(AT_FIRST).await.faults, []);
    put(&stage, 2);
    stage
}

fn at_second() -> String {
    AT_FIRST.replace("provider: first", "provider: second")
}

#[tokio::test]
async fn a_version_of_which_a_binding_is_refused_does_not_take_over() {
    let stage = stage().await;
    let before = [stage.script.at("server a", "x"), stage.script.at("server a", "y")];
    stage.script.refuse("place y at server b");
    let applied = stage.apply(&at_second()).await;
    assert!(done(&applied).is_empty(), "{applied:?}");
    let what: Vec<_> = applied.faults.iter().map(|fault| &*fault.what).collect();
    assert!(what.contains(&"actor one"), "{applied:?}");
    assert!(what.contains(&"binding of one to test:server as y"), "{applied:?}");
    assert_eq!([stage.script.at("server a", "x"), stage.script.at("server a", "y")], before);
    assert_eq!(stage.script.at("server b", "x"), None, "the other one waits too");
    stage.script.go_on();
    let moved = |place| stage.script.at("server b", place).is_some();
    stage.script.until(|| moved("x") && moved("y")).await;
    stage.script.until(|| stage.script.at("server a", "x").is_none()).await;
    stage.script.until(|| stage.script.at("server a", "y").is_none()).await;
}

#[tokio::test]
async fn a_version_of_which_a_binding_is_refused_when_it_is_tried_is_undone() {
    let stage = stage().await;
    let before = [stage.script.at("server a", "x"), stage.script.at("server a", "y")];
    // It was not to be foreseen: the new version runs by then.
    stage.script.refuse("late y at server b");
    let applied = stage.apply(&at_second()).await;
    assert!(done(&applied).is_empty(), "{applied:?}");
    let what: Vec<_> = applied.faults.iter().map(|fault| &*fault.what).collect();
    assert!(what.contains(&"actor one"), "{applied:?}");
    assert!(what.contains(&"binding of one to test:server as y"), "{applied:?}");
    assert_eq!([stage.script.at("server a", "x"), stage.script.at("server a", "y")], before);
    stage.script.until(|| stage.script.at("server b", "x").is_none()).await;
    stage.script.go_on();
    let moved = |place| stage.script.at("server b", place).is_some();
    stage.script.until(|| moved("x") && moved("y")).await;
    stage.script.until(|| stage.script.at("server a", "x").is_none()).await;
    stage.script.until(|| stage.script.at("server a", "y").is_none()).await;
}

/// The server stays, so that both versions want the same places of it.
#[tokio::test]
async fn a_version_that_is_undone_gives_back_what_it_took_over() {
    let stage = stage().await;
    let before = stage.script.at("server a", "x");
    stage.script.refuse("late z at server a");
    let applied = stage.apply(&AT_FIRST.replace("PLACE: y", "PLACE: z")).await;
    assert!(done(&applied).is_empty(), "{applied:?}");
    assert_eq!(stage.script.at("server a", "x"), before, "{:?}", stage.script.events());
    assert!(stage.script.at("server a", "y").is_some(), "it was not taken away");
    stage.script.go_on();
    stage.script.until(|| stage.script.at("server a", "z").is_some()).await;
    assert_ne!(stage.script.at("server a", "x"), before, "the new version has both");
}

#[tokio::test]
async fn a_version_that_is_undone_leaves_the_one_before_its_stores() {
    let stage = Stage::new();
    put(&stage, 1);
    let stored = "  - {builtin: store}\nbindings:\n  - {actor: one, capability: 'test:store'}";
    let first = AT_FIRST.replace("bindings:", stored);
    assert_eq!(stage.apply(&first).await.faults, []);
    put(&stage, 2);
    stage.script.refuse("late y at server b");
    let applied = stage.apply(&first.replace("provider: first", "provider: second")).await;
    assert!(done(&applied).is_empty(), "{applied:?}");
    // It is tried again in a second, which is not to pass before something else is wanted.
    tokio::time::pause();
    // Of the version that came to nothing.
    stage.script.happened("unbind at store", 1).await;
    // What ran is wanted again: nobody has to be told of anything.
    put(&stage, 1);
    let events = stage.script.events();
    let applied = stage.apply(&first).await;
    assert!(applied.faults.is_empty() && done(&applied).is_empty(), "{applied:?}");
    assert_eq!(stage.script.events(), events);
    assert_eq!(stage.status().actors, ["one"]);
}
