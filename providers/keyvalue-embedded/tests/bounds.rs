//! The limits of operations and of the file, and what a caller that was cut leaves behind.

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use trellis_core::Code;
use trellis_providers_conformance::keyvalue::{Store, bounds};
use trellis_providers_keyvalue_embedded::Embedded;
use trellis_providers_sdk::data::{ImportData, ImportDataRequest, Kind, Piece};
use trellis_providers_sdk::{Provider, Values};

/// Far above what an operation takes that gives way to others.
const SOON: Duration = Duration::from_secs(2);

#[tokio::test]
async fn every_bound_holds_in_memory() {
    let provider = common::open(&common::values(bounds::VALUES)).await;
    bounds::check(&common::bind(&provider, "M1", Values::default()).await).await;
    counted(&provider, &["OPERANDS_MAX", "ELEMENTS_MAX", "ANSWER_MAX"]);
}

#[tokio::test]
async fn every_bound_holds_in_a_file() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("store.redb");
    let mut given = common::in_file(&path);
    for (key, text) in bounds::VALUES {
        given = given.with(*key, *text);
    }
    let provider = common::open(&given).await;
    bounds::check(&common::bind(&provider, "M1", Values::default()).await).await;
    counted(&provider, &["OPERANDS_MAX", "ELEMENTS_MAX", "ANSWER_MAX"]);
}

/// What pieces replace stays, and none of them is there, when one does not fit or does not follow.
#[tokio::test]
async fn what_is_put_in_does_so_whole_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let in_file = common::in_file(&folder.path().join("store.redb")).with("FILE_MAX", "1MiB");
    for given in [common::values(&[("MEMORY_MAX", "1MiB")]), in_file] {
        let provider = common::open(&given).await;
        let store = common::bind(&provider, "M1", Values::default()).await;
        store.set("k", "old").await.expect("Set");
        store.push("l", &"v".repeat(600_000)).await.expect("Push");
        let text = |key: &str, bytes: usize| Piece {
            key: key.into(),
            kind: Kind::Text,
            expires_ms: 0,
            count: 1,
            start: 0,
            values: vec!["v".repeat(bytes).into()],
        };
        let put = async |pieces: Vec<Piece>| {
            store.data::<ImportData>(&ImportDataRequest { pieces }).await.map_err(|it| it.code())
        };
        let long = || Piece { kind: Kind::List, ..text("l", 600_000) };
        let rest = Piece { start: 1, count: 2, kind: Kind::List, ..text("new", 1) };
        for (pieces, code) in [
            (vec![text("k", 3), text("new", 300_000), text("more", 300_000)], Code::Storage),
            (vec![text("k", 3), long(), text("new", 600_000)], Code::Storage),
            (vec![text("k", 3), rest], Code::Conflict),
        ] {
            assert_eq!(put(pieces).await, Err(code));
            assert_eq!(store.get("k").await, Ok(Some("old".to_owned())));
            assert_eq!(store.key_exists("new").await, Ok(false));
            assert_eq!(store.range("l", 0, -1).await.map(|items| items.len()), Ok(1));
        }
        // What goes makes room for what comes.
        assert_eq!(put(vec![long(), text("k", 3)]).await.map(|taken| taken.keys), Ok(2));
        assert_eq!(store.get("k").await, Ok(Some("vvv".to_owned())));
    }
}

#[tokio::test]
async fn a_file_is_bounded_and_freed() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("store.redb");
    let given = common::in_file(&path).with("FILE_MAX", "1MiB").with("DURABILITY", "eventual");
    let provider = common::open(&given).await;
    let store = common::bind(&provider, "M1", Values::default()).await;
    let value = "v".repeat(10_000);
    let filled = fill(&store, &value).await;
    assert!((90..105).contains(&filled), "{filled} values of 10 kB in 1 MiB");
    for refused in
        [store.push("list", &value).await.err(), store.set_add("set", &value).await.err()]
    {
        assert_eq!(refused.expect("full").code(), Code::Storage);
    }
    counted(&provider, &["FILE_MAX"]);
    provider.shutdown(Duration::from_secs(20)).await;
    // What it holds is known after a restart as well.
    let provider = common::open(&given).await;
    let store = common::bind(&provider, "M1", Values::default()).await;
    assert_eq!(store.set("one more", &value).await.expect_err("full").code(), Code::Storage);
    for number in 0..filled {
        store.del(&format!("key {number}")).await.expect("Del is never refused");
    }
    for item in ["a", "b", "a"] {
        store.push("list", item).await.expect("there is room");
        store.set_add("set", item).await.expect("there is room");
    }
    assert_eq!(store.list_item_delete("list", "a").await, Ok(1));
    assert_eq!(store.set_remove("set", "a").await, Ok(1));
    store.del("list").await.expect("Del");
    store.del("set").await.expect("Del");
    assert_eq!(fill(&store, &value).await, filled, "what was removed makes room, exactly");
    let file = std::fs::metadata(&path).expect("the file is there").len();
    assert!(file <= 8 << 20, "the file has {file} bytes");
}

#[tokio::test]
async fn a_long_operation_in_memory_gives_way_and_can_be_cut() {
    let provider = common::open(&Values::default()).await;
    gives_way(&provider).await;
}

#[tokio::test]
async fn a_long_operation_in_a_file_gives_way_and_can_be_cut() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let given = common::in_file(&folder.path().join("store.redb"));
    let provider = common::open(&given.with("DURABILITY", "eventual")).await;
    gives_way(&provider).await;
    // The writer is free at once: the cut deletions left nothing behind in its queue.
    let store = common::bind(&provider, "M2", Values::default()).await;
    let asked = Instant::now();
    store.set("k", "v").await.expect("Set");
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
}

/// One thread, many long operations that nobody waits for: a short one is answered meanwhile.
async fn gives_way(provider: &Arc<Embedded>) {
    let store = common::bind(provider, "M1", Values::default()).await;
    let adds = (0..5_000).map(|number| {
        let store = store.clone();
        async move {
            store.set_add("set", &format!("{number:05}")).await.expect("SetAdd");
            store.push("list", &format!("{number:05}")).await.expect("Push");
        }
    });
    futures_util::future::join_all(adds).await;
    let expected: Vec<String> = (0..5_000).map(|number| format!("{number:05}")).collect();
    assert_eq!(store.set_query("set").await.as_ref(), Ok(&expected));
    assert_eq!(store.set_union(&["set", "none", "set"]).await.as_ref(), Ok(&expected));
    assert_eq!(store.set_intersection(&["set", "set"]).await.as_ref(), Ok(&expected));
    assert_eq!(store.range("list", 0, -1).await.map(|items| items.len()), Ok(5_000));
    assert_eq!(store.list_item_delete("list", "04999").await, Ok(4_999));
    assert_eq!(store.list_item_delete("list", "none").await, Ok(4_999));
    let mut union = Box::pin(store.set_union(&["set", "none"]));
    assert!(futures_util::poll!(&mut union).is_pending(), "others have their turn meanwhile");
    drop(union);
    let long = (0..64).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            loop {
                let _ = store.set_union(&["set", "none"]).await;
                let _ = store.list_item_delete("list", "none").await;
            }
        })
    });
    let long: Vec<_> = long.collect();
    for _ in 0..20 {
        let asked = Instant::now();
        store.add("short", 1).await.expect("Add");
        assert!(asked.elapsed() < SOON, "a neighbor waited {:?}", asked.elapsed());
    }
    for task in long {
        task.abort();
        assert!(task.await.expect_err("it never ends by itself").is_cancelled());
    }
}

/// Sets keys until one is refused: how many fit.
async fn fill(store: &Store, value: &str) -> usize {
    for number in 0..1_000 {
        if let Err(error) = store.set(&format!("key {number}"), value).await {
            assert_eq!(error.code(), Code::Storage, "{error}");
            assert!(error.message().contains("FILE_MAX"), "{error}");
            return number;
        }
    }
    panic!("the limit was never reached");
}

fn counted(provider: &Arc<Embedded>, limits: &[&str]) {
    let samples: String = provider.samples().iter().map(|sample| format!("{sample}\n")).collect();
    for limit in limits {
        let none = format!("keyvalue_refused_total{{limit=\"{limit}\"}} 0\n");
        assert!(!samples.contains(&none) && samples.contains(limit), "{limit}:\n{samples}");
    }
}
