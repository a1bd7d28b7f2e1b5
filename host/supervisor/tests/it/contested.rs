//! Providers that cannot stand beside their successors, or beside one another's.

use std::time::Duration;

use tokio::time::Instant;
use trellis_core::Code;
use trellis_testkit::guests::by_hand;

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
    let says = "replaced provider store (store) with another SIZE; calls wait for PATH to be free";
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
        "replaced provider other (store) with another SIZE; calls wait for PATH to be free",
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

#[tokio::test(start_paused = true)]
async fn the_old_one_is_back_at_once_though_the_new_one_takes_no_binding() {
    let stage = Stage::new();
    stage.put("one", &by_hand("(memory (export \"memory\") 1)", "(i32.const 1)"));
    let bound = |size: &str| {
        let actor = "actors: [{image: one.wasm, name: one}]\n";
        let binding = "bindings: [{actor: one, capability: 'test:store'}]\n";
        format!("{actor}{}{binding}", store(&format!("SIZE: '{size}'")))
    };
    stage.apply(&bound("1")).await;
    stage.script.hang("bind at store 2");
    let prepared = stage.prepare(&bound("2")).await;
    let supervisor = stage.supervisor.clone();
    let hanging = tokio::spawn(async move { supervisor.apply(prepared, Default::default()).await });
    stage.script.happened("bind one at store 2", 1).await;
    let asked = Instant::now();
    assert_eq!(stage.apply(&bound("1")).await.faults, []);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    assert!(hanging.await.expect("it ends").superseded);
    assert_eq!(stage.script.times("bind one at store 1").len(), 2, "{:?}", stage.script.events());
    assert_eq!(stage.script.times("store 2 is down").len(), 1, "it holds the file no more");
}

#[tokio::test]
async fn a_panic_in_the_middle_leaves_a_provider_that_is_started_again() {
    let stage = Stage::new();
    stage.apply(&store("SIZE: '1'")).await;
    stage.script.panic("drop of store 1");
    let applied = stage.apply(&store("SIZE: '2'")).await;
    assert!(done(&applied).is_empty(), "{applied:?}");
    assert_eq!(
        (&*applied.faults[0].what, applied.faults[0].code),
        ("provider store", Code::Internal)
    );
    stage.script.happened("made store 2", 1).await;
    while !stage.status().degraded.is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn another_file_is_in_nobodys_way() {
    let stage = Stage::new();
    stage.apply(&store("SIZE: '1'")).await;
    let other = "providers: [{builtin: store, values: {PATH: two, SIZE: '2'}}]\n";
    assert_eq!(
        done(&stage.apply(other).await),
        ["replaced provider store (store) with another PATH, with another SIZE"]
    );
    let events = stage.script.events();
    let place = |event: &str| events.iter().position(|known| known == event);
    assert!(place("made store 2") < place("shut down store 1").or(Some(usize::MAX)), "{events:?}");
}

fn stores(files: [&str; 3], size: &str) -> String {
    let store = |(name, path): (&str, &str)| {
        format!(
            "  - {{builtin: store, name: {name}, values: {{PATH: {path}, SIZE: {name}{size}}}}}\n"
        )
    };
    let stores: String = ["a", "b", "c"].into_iter().zip(files).map(store).collect();
    format!("providers:\n{stores}")
}

#[tokio::test]
async fn stores_exchange_their_files() {
    let stage = Stage::new();
    assert_eq!(stage.apply(&stores(["one", "two", "three"], "1")).await.faults, []);
    let applied = stage.apply(&stores(["two", "one", "three"], "1")).await;
    assert_eq!(applied.faults, []);
    let says = |name: &str| {
        format!(
            "replaced provider {name} (store) with another PATH; calls wait for PATH to be free"
        )
    };
    assert_eq!(done(&applied), [says("a"), says("b")]);
    assert!(stage.script.times("shut down store c1").is_empty(), "it is not concerned");
    // All three, each of which waits for the next one, together with other values.
    let applied = stage.apply(&stores(["one", "three", "two"], "2")).await;
    assert_eq!(applied.faults, []);
    assert_eq!(done(&applied).len(), 3);
}

#[tokio::test]
async fn stores_that_cannot_exchange_their_files_keep_them() {
    let stage = Stage::new();
    stage.apply(&stores(["one", "two", "three"], "1")).await;
    stage.script.next([Making::Works, Making::Fails(Code::Storage)]);
    let applied = stage.apply(&stores(["two", "one", "three"], "2")).await;
    let what: Vec<_> = applied.faults.iter().map(|fault| &*fault.what).collect();
    assert_eq!(what, ["provider a", "provider b"], "{applied:?}");
    assert!(applied.faults[0].why.contains("exchanged with provider b"), "{applied:?}");
    for (name, times) in [("a1", 2), ("b1", 2), ("c1", 1), ("c2", 1)] {
        assert_eq!(stage.script.times(&format!("made store {name}")).len(), times, "{name}");
    }
    // They have their files again, and nobody else does.
    let applied = stage.apply(&stores(["one", "two", "three"], "2")).await;
    assert_eq!(applied.faults, []);
}

#[tokio::test]
async fn what_was_replaced_before_a_change_made_way_is_told() {
    let files = ["one", "two", "three"];
    let stage = Stage::new();
    assert_eq!(stage.apply(&stores(files, "1")).await.faults, []);
    stage.script.next([Making::Works, Making::Hangs]);
    let hanging = stage.begin(&stores(files, "2")).await;
    stage.script.happened("make store b2", 1).await;
    assert_eq!(stage.apply(&stores(files, "3")).await.faults, []);
    let made_way = hanging.await.expect("it ends");
    let replaced = "replaced provider a (store) with another SIZE; calls wait for PATH to be free";
    assert_eq!((made_way.superseded, done(&made_way)), (true, vec![replaced.to_owned()]));
}
