//! A provider that cannot stand beside its successor.

use std::time::Duration;

use tokio::time::Instant;
use trellis_core::Code;

use crate::provider::Making;
use crate::stage::{Stage, done};

fn store(values: &str) -> String {
    format!("providers: [{{builtin: store, values: {{PATH: one, {values}}}}}]\n")
}

#[tokio::test]
async fn the_old_one_ends_before_the_new_one_begins() {
    let stage = Stage::new();
    stage.apply(&store("SIZE: '1'")).await;
    let applied = stage.apply(&store("SIZE: '2'")).await;
    let says = "replaced provider store (store); calls wait for the same PATH";
    assert_eq!(done(&applied), [says]);
    let expected =
        ["make store 1", "made store 1", "shut down store 1", "store 1 is down", "make store 2"];
    assert_eq!(stage.script.events()[..5], expected);
}

#[tokio::test]
async fn the_old_one_begins_again_when_the_new_one_cannot() {
    let stage = Stage::new();
    stage.apply(&store("SIZE: '1'")).await;
    stage.script.next([Making::Fails(Code::Storage)]);
    let applied = stage.apply(&store("SIZE: '2'")).await;
    assert_eq!(applied.faults[0].code, Code::Storage);
    assert_eq!(stage.script.events().last().map(String::as_str), Some("made store 1"));
    assert_eq!(stage.status().providers.len(), 1);
    assert_eq!(stage.status().degraded.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_broken_goes_when_it_is_not_wanted() {
    let stage = Stage::new();
    stage.apply(&store("SIZE: '1'")).await;
    stage.script.next([Making::Fails(Code::Storage), Making::Fails(Code::Storage)]);
    stage.apply(&store("SIZE: '2'")).await;
    let applied = stage.apply("{}\n").await;
    assert_eq!(done(&applied), ["stopped provider store"]);
    assert_eq!((stage.status().providers, stage.status().degraded), (vec![], vec![]));
}

#[tokio::test]
async fn it_may_have_another_name_too() {
    let stage = Stage::new();
    stage.apply(&store("SIZE: '1'")).await;
    let applied = stage.apply(&store("SIZE: '2'").replace("store,", "store, name: other,")).await;
    let says = [
        "renamed provider store to other",
        "replaced provider other (store); calls wait for the same PATH",
    ];
    assert_eq!(done(&applied), says);
    let events = stage.script.events();
    let place = |event: &str| events.iter().position(|known| known == event);
    assert!(place("store 1 is down") < place("make store 2"), "{events:?}");
    assert_eq!(stage.status().providers[0].name, "other");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_broken_is_started_again() {
    let stage = Stage::new();
    stage.apply(&store("SIZE: '1'")).await;
    stage.script.next([Making::Fails(Code::Storage), Making::Fails(Code::Storage)]);
    stage.apply(&store("SIZE: '2'")).await;
    assert_eq!(stage.script.events().last().map(String::as_str), Some("make store 1"));
    stage.script.happened("made store 2", 1).await;
    while !stage.status().degraded.is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_works_is_not_stopped_again_and_again() {
    let stage = Stage::new();
    stage.apply(&store("SIZE: '1'")).await;
    stage.script.next([Making::Fails(Code::Storage)]);
    stage.apply(&store("SIZE: '2'")).await;
    stage.script.happened("shut down store 1", 2).await;
    let stopped = stage.script.times("shut down store 1");
    let pause = stopped[1] - stopped[0];
    assert!((60..=75).contains(&pause.as_secs()), "{pause:?}");
    while !stage.status().degraded.is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_old_one_is_back_at_once_when_something_newer_is_wanted() {
    let stage = Stage::new();
    stage.apply(&store("SIZE: '1'")).await;
    stage.script.next([Making::Hangs]);
    let prepared = stage.prepare(&store("SIZE: '2'")).await;
    let hanging = tokio::spawn({
        let supervisor = stage.supervisor.clone();
        async move { supervisor.apply(prepared, Default::default()).await }
    });
    stage.script.happened("make store 2", 1).await;
    let asked = Instant::now();
    assert_eq!(stage.apply(&store("SIZE: '1'")).await.faults, []);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    assert!(hanging.await.expect("it ends").superseded);
    assert_eq!(stage.script.events().last().map(String::as_str), Some("made store 1"));
}

#[tokio::test]
async fn another_file_is_in_nobodys_way() {
    let stage = Stage::new();
    stage.apply(&store("SIZE: '1'")).await;
    let other = "providers: [{builtin: store, values: {PATH: two, SIZE: '2'}}]\n";
    assert_eq!(done(&stage.apply(other).await), ["replaced provider store (store)"]);
    let events = stage.script.events();
    let place = |event: &str| events.iter().position(|known| known == event);
    assert!(place("made store 2") < place("shut down store 1").or(Some(usize::MAX)), "{events:?}");
}
