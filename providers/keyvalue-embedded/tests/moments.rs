//! An operation that is long enough to be interrupted still happens at one moment.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use trellis_providers_conformance::keyvalue::Store;
use trellis_providers_sdk::Values;

/// Several pieces of the store in memory.
const LONG: i32 = 6_000;

// One thread, so that the writer has its turn exactly where an operation gives way.
#[tokio::test]
async fn in_memory() {
    let provider = common::open(&Values::default()).await;
    moments(common::bind(&provider, "M1", Values::default()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_file() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let given = common::in_file(&folder.path().join("store.redb")).with("DURABILITY", "eventual");
    let provider = common::open(&given).await;
    moments(common::bind(&provider, "M1", Values::default()).await).await;
}

async fn moments(store: Store) {
    let fill = (0..LONG).map(|number| {
        let store = store.clone();
        async move { store.set_add("set", &format!("{number:06}")).await.expect("SetAdd") }
    });
    futures_util::future::join_all(fill).await;
    for number in 0..LONG {
        store.push("list", &number.to_string()).await.expect("Push");
    }
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn(change(store.clone(), Arc::clone(&stop)));
    for _ in 0..10 {
        whole_list(&store).await;
        let members = store.set_query("set").await.expect("SetQuery");
        let both = store.set_union(&["set", "twin"]).await.expect("SetUnion");
        for members in [members, both] {
            let old = members.iter().filter(|member| member.len() == 6).count();
            assert_eq!(old, LONG as usize, "what nobody touches is always there");
        }
        let left = store.list_item_delete("list", "x").await.expect("ListItemDelete");
        assert!(left >= LONG, "{left} items, and nothing but x was removed");
    }
    stop.store(true, Ordering::SeqCst);
    writer.await.expect("the writer ends");
    store.list_item_delete("list", "x").await.expect("ListItemDelete");
    let items = whole_list(&store).await;
    assert!(!items.iter().any(|item| item == "x"), "none is left");
}

/// Every number from the newest on, without a gap and without a repetition.
async fn whole_list(store: &Store) -> Vec<String> {
    let items = store.range("list", 0, -1).await.expect("Range");
    let numbers: Vec<i32> = items.iter().filter_map(|item| item.parse().ok()).collect();
    let newest = *numbers.first().expect("the list is long");
    let expected: Vec<i32> = (0..=newest).rev().collect();
    assert!(numbers == expected, "{} numbers below {newest}", numbers.len());
    items
}

/// Pushes numbers and `x` in turn, and adds and removes members, until told to stop.
async fn change(store: Store, stop: Arc<AtomicBool>) {
    let mut number = LONG;
    while !stop.load(Ordering::SeqCst) {
        store.push("list", &number.to_string()).await.expect("Push");
        store.push("list", "x").await.expect("Push");
        store.set_add("set", &format!("new {number}")).await.expect("SetAdd");
        store.set_remove("set", &format!("new {number}")).await.expect("SetRemove");
        number += 1;
        tokio::task::yield_now().await;
    }
}
