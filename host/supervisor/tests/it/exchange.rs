//! What one server gives up another one gets in the same change.

use trellis_core::Code;
use trellis_testkit::guests::by_hand;

use crate::stage::{Stage, done};

const APART: &str = "
actors: [{image: one.wasm, name: one}, {image: two.wasm, name: two}]
providers:
  - {builtin: server, name: first, values: {SIZE: a}}
  - {builtin: server, name: second, values: {SIZE: b}}
bindings:
  - {actor: one, capability: 'test:server', provider: first, values: {SIZE: a, PLACE: x}}
  - {actor: two, capability: 'test:server', provider: second, values: {SIZE: b, PLACE: y}}
";

async fn stage() -> Stage {
    let stage = Stage::new();
    for name in ["one", "two"] {
        stage.put(name, &by_hand("(memory (export \"memory\") 1)", "(i32.const 1)"));
    }
    assert_eq!(stage.apply(APART).await.faults, []);
    stage
}

/// Both actors are where the other one was.
fn exchanged() -> String {
    APART
        .replace("actor: one", "actor: 1")
        .replace("actor: two", "actor: one")
        .replace("actor: 1", "actor: two")
}

/// Who has the place of the first server and that of the second.
fn who(stage: &Stage) -> [Option<String>; 2] {
    [("server a", "x"), ("server b", "y")].map(|(server, place)| {
        let at = stage.script.at(server, place);
        at.map(|(actor, _)| actor)
    })
}

fn both(first: &str, second: &str) -> [Option<String>; 2] {
    [Some(first.to_owned()), Some(second.to_owned())]
}

#[tokio::test]
async fn two_actors_exchange_their_servers_and_their_places() {
    let stage = stage().await;
    let applied = stage.apply(&exchanged()).await;
    assert_eq!(applied.faults, []);
    assert_eq!(who(&stage), both("two", "one"));
    // What each had before goes from where it was.
    stage.script.happened("unbind at server a", 1).await;
    stage.script.happened("unbind at server b", 1).await;
    assert_eq!(who(&stage), both("two", "one"));
    assert_eq!(stage.apply(APART).await.faults, []);
    assert_eq!(who(&stage), both("one", "two"));
}

/// Who is told that a change is done finds nobody of before at the doors.
#[tokio::test]
async fn a_change_is_done_once_the_servers_that_were_replaced_have_left() {
    let stage = stage().await;
    stage.script.hang("leave");
    let change = stage.begin(&APART.replace("{SIZE: a}}", "{SIZE: c}}")).await;
    let left = || stage.script.events().contains(&"server a is to leave".to_owned());
    stage.script.until(left).await;
    assert!(!change.is_finished(), "it waits for the one that leaves");
    stage.script.go_on();
    assert_eq!(change.await.expect("it does not panic").faults, []);
    stage.script.happened("server a is down", 1).await;
}

#[tokio::test]
async fn an_exchange_that_is_refused_beforehand_touches_nothing() {
    let stage = stage().await;
    stage.script.refuse("place x at server a");
    let events = stage.script.events();
    let before = [stage.script.at("server a", "x"), stage.script.at("server b", "y")];
    let applied = stage.apply(&exchanged()).await;
    let what: Vec<_> = applied.faults.iter().map(|fault| (&*fault.what, fault.code)).collect();
    let bindings = ["binding of two to test:server", "binding of one to test:server"];
    assert_eq!(what.len(), 2, "{applied:?}");
    assert!(bindings.iter().all(|binding| what.contains(&(binding, Code::Config))), "{what:?}");
    assert_eq!(stage.script.events(), events, "nobody was told");
    assert_eq!([stage.script.at("server a", "x"), stage.script.at("server b", "y")], before);
    stage.script.go_on();
    stage.script.until(|| who(&stage) == both("two", "one")).await;
}

#[tokio::test]
async fn an_exchange_that_is_refused_when_it_is_tried_is_undone() {
    let stage = stage().await;
    let before = [stage.script.at("server a", "x"), stage.script.at("server b", "y")];
    stage.script.refuse("late x at server a");
    let applied = stage.apply(&exchanged()).await;
    assert_eq!(applied.faults.len(), 2, "{applied:?}");
    assert!(done(&applied).is_empty(), "{applied:?}");
    assert_eq!([stage.script.at("server a", "x"), stage.script.at("server b", "y")], before);
    stage.script.go_on();
    stage.script.until(|| who(&stage) == both("two", "one")).await;
}

#[tokio::test]
async fn a_binding_that_cannot_change_is_served_on_by_a_successor() {
    let stage = stage().await;
    stage.script.refuse("place z at server c");
    let before = stage.script.at("server a", "x");
    let other = APART.replace("SIZE: a}", "SIZE: c}").replace("PLACE: x", "PLACE: z");
    let applied = stage.apply(&other).await;
    assert_eq!(applied.faults.len(), 1, "{applied:?}");
    assert_eq!(applied.faults[0].what, "binding of one to test:server");
    assert_eq!(stage.script.at("server c", "x"), before, "{:?}", stage.script.events());
    stage.script.happened("server a is down", 1).await;
}

#[tokio::test]
async fn a_binding_that_cannot_change_after_all_is_served_on_by_a_successor() {
    let stage = stage().await;
    stage.script.refuse("late z at server c");
    let before = stage.script.at("server a", "x");
    let other = APART.replace("SIZE: a}", "SIZE: c}").replace("PLACE: x", "PLACE: z");
    let applied = stage.apply(&other).await;
    assert_eq!(applied.faults.len(), 1, "{applied:?}");
    assert_eq!(stage.script.at("server c", "x"), before, "{:?}", stage.script.events());
}
