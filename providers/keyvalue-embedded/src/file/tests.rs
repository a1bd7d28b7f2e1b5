//! What a reader found, what was cut, and what changed in between.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use trellis_capabilities_keyvalue::{
    DelRequest, GetRequest, ListItemDeleteRequest, Provider, PushRequest, RangeRequest, SetRequest,
};

use super::found::Found;
use super::schema::Place;
use super::*;
use crate::clock::SystemClock;
use crate::namespace::{Namespace, Namespaces};

async fn store(folder: &tempfile::TempDir) -> (Arc<FileStore>, Namespace) {
    let config = FileConfig {
        path: folder.path().join("store.redb"),
        cache_bytes: 1 << 20,
        immediate: false,
        bytes_max: 64 << 20,
        bounds: Bounds::default(),
    };
    let store = FileStore::open(config, Arc::new(SystemClock)).await.expect("the folder is ours");
    (Arc::new(store), Namespaces::default().named("n"))
}

async fn push(store: &FileStore, space: &Namespace, items: &[&str]) {
    for item in items {
        let push = PushRequest { key: "l".to_owned(), value: (*item).to_owned() };
        store.push(space, push).await.expect("Push");
    }
}

async fn found(store: &FileStore, item: &'static str) -> Found {
    let positions =
        store.read(move |view, work| view.positions(Place { space: "n", key: "l" }, item, work));
    positions.await.expect("it is a list").expect("there is one")
}

/// Removes as a writer does that was given what a reader found.
async fn remove(store: &FileStore, item: &'static str, found: Found) -> u64 {
    let removed = store.write(move |tables, work| {
        let at = Place { space: "n", key: "l" };
        let entry = tables.entry(at)?.expect("there is a list");
        let schema::Held::List { head, .. } = entry.held else { panic!("it is a list") };
        tables.remove_items(at, (item, head), found, work)
    });
    removed.await.expect("the file works")
}

#[tokio::test]
async fn what_was_pushed_after_the_reader_looked_is_removed_too() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let (store, space) = store(&folder).await;
    push(&store, &space, &["x", "a", "x", "b"]).await;
    let seen = found(&store, "x").await;
    assert_eq!(seen.positions.len(), 2);
    push(&store, &space, &["x", "c"]).await;
    assert_eq!(remove(&store, "x", seen).await, 3);
}

#[tokio::test]
async fn a_list_made_anew_is_looked_through_again() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let (store, space) = store(&folder).await;
    push(&store, &space, &["x", "a", "b"]).await;
    let seen = found(&store, "x").await;
    store.del(&space, DelRequest { key: "l".to_owned() }).await.expect("Del");
    push(&store, &space, &["a", "x", "b"]).await;
    assert_eq!(remove(&store, "x", seen).await, 1, "it stands where the reader did not see it");
    // The same when a list was emptied item by item.
    let seen = found(&store, "b").await;
    for item in ["a", "b"] {
        let delete = ListItemDeleteRequest { key: "l".to_owned(), value: item.to_owned() };
        store.list_item_delete(&space, delete).await.expect("ListItemDelete");
    }
    push(&store, &space, &["b", "a"]).await;
    assert_eq!(remove(&store, "b", seen).await, 1);
    let range = RangeRequest { key: "l".to_owned(), start: 0, stop: -1 };
    assert_eq!(store.range(&space, range).await.expect("Range").values, ["a"]);
}

#[tokio::test]
async fn a_change_that_was_cut_before_its_turn_is_not_made() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let (store, space) = store(&folder).await;
    let (started, starts) = tokio::sync::oneshot::channel();
    let (release, released) = sync_channel::<()>(1);
    let long = {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let held = store.write(move |_, _| {
                let _ = started.send(());
                // The writer's own thread, which the test holds for as long as it needs.
                let _ = released.recv();
                Ok(())
            });
            held.await
        })
    };
    starts.await.expect("the writer has begun");
    let set = SetRequest { key: "k".to_owned(), value: "v".to_owned(), expires: 0 };
    let mut cut = Box::pin(store.set(&space, set));
    assert!(futures_util::poll!(&mut cut).is_pending(), "it waits for its turn");
    drop(cut);
    release.send(()).expect("the writer waits for it");
    long.await.expect("no panic").expect("the file works");
    // What was sent to the writer before this has had its turn.
    push(&store, &space, &["after"]).await;
    let get = GetRequest { key: "k".to_owned() };
    assert!(!store.get(&space, get).await.expect("Get").exists, "nobody waited for it");
}

#[tokio::test]
async fn work_ends_when_nobody_waits() {
    let (waiting, mut work) = Work::new(Bounds::default().tally());
    assert_eq!(work.look_at(1_000), Ok(()));
    drop(waiting);
    let error = work.look_at(1_000).expect_err("nobody waits any more");
    assert_eq!(error.code(), trellis_core::Code::Timeout);
}
