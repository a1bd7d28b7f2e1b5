//! What a reader found, what was cut, what changed in between, and how a full file shrinks.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use tokio::task::JoinHandle;
use trellis_capabilities_keyvalue::{
    ClearRequest, DelRequest, GetRequest, ListItemDeleteRequest, Provider, PushRequest,
    RangeRequest, SetAddRequest, SetRequest,
};

use super::found::Found;
use super::schema::{Entry, FIRST_POSITION, Held, Place};
use super::tables::PIECE;
use super::*;
use crate::clock::SystemClock;
use crate::namespace::{Namespace, Namespaces};

/// The list of these tests.
const LIST: Place<'_> = Place { space: "n", key: "l" };

async fn store(folder: &tempfile::TempDir) -> (Arc<FileStore>, Namespace) {
    store_of(folder, 64 << 20).await
}

async fn store_of(folder: &tempfile::TempDir, bytes_max: u64) -> (Arc<FileStore>, Namespace) {
    let config = FileConfig { bytes_max, ..config(folder) };
    let store = FileStore::open(config, Arc::new(SystemClock)).await.expect("the folder is ours");
    (Arc::new(store), Namespaces::default().named("n"))
}

fn config(folder: &tempfile::TempDir) -> FileConfig {
    FileConfig {
        path: folder.path().join("store.redb"),
        cache_bytes: 1 << 20,
        immediate: false,
        bytes_max: 64 << 20,
        bounds: Bounds::default(),
    }
}

async fn push(store: &FileStore, space: &Namespace, items: &[&str]) {
    for item in items {
        let push = PushRequest { key: "l".to_owned(), value: (*item).to_owned() };
        store.push(space, push).await.expect("Push");
    }
}

async fn found(store: &FileStore, item: &'static str) -> Found {
    let positions = store.read(move |view, work| view.positions(LIST, item, work));
    positions.await.expect("it is a list").expect("there is one")
}

/// Removes as a writer does that was given what a reader found.
async fn remove(store: &FileStore, item: &'static str, found: Found) -> u64 {
    let removed = store.write(move |tables, work| {
        let entry = tables.entry(LIST)?.expect("there is a list");
        let Held::List { head, .. } = entry.held else { panic!("it is a list") };
        tables.remove_items(LIST, (item, head), &found, work)
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
    // And when it is one of many, which are not looked through again.
    let many: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    push(&store, &space, &many.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let seen = found(&store, "50").await;
    push(&store, &space, &["50"]).await;
    assert_eq!(remove(&store, "50", seen).await, 2);
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

/// Has the writer do nothing until it is told to go on.
async fn hold_writer(
    store: &Arc<FileStore>,
) -> (SyncSender<()>, JoinHandle<Result<(), CallError>>) {
    let (started, starts) = oneshot::channel();
    let (release, released) = sync_channel::<()>(1);
    let store = Arc::clone(store);
    let mut started = Some(started);
    let long = tokio::spawn(async move {
        let held = store.write(move |_, _| {
            if let Some(started) = started.take() {
                let _ = started.send(());
            }
            // The writer's own thread, which the test holds for as long as it needs.
            let _ = released.recv();
            Ok(())
        });
        held.await
    });
    starts.await.expect("the writer has begun");
    (release, long)
}

#[tokio::test]
async fn a_change_that_was_cut_before_its_turn_is_not_made() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let (store, space) = store(&folder).await;
    let (release, long) = hold_writer(&store).await;
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

#[tokio::test]
async fn closing_goes_on_when_nobody_waits_for_it() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let (store, _) = store(&folder).await;
    let (release, long) = hold_writer(&store).await;
    // The queue is full: closing has to wait for its turn.
    for _ in 0..2_000 {
        store.sweep();
    }
    let mut closing = Box::pin(store.close());
    assert!(futures_util::poll!(&mut closing).is_pending(), "the writer is busy");
    drop(closing);
    release.send(()).expect("the writer waits for it");
    long.await.expect("no panic").expect("the file works");
    let again = FileStore::open(config(&folder), Arc::new(SystemClock)).await;
    assert!(again.expect("nobody has the file open").ailment().is_none());
    assert!(store.ailment().is_some(), "the former store has let go of it");
}

#[tokio::test]
async fn the_cache_is_that_of_whoever_opened_the_file() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let (first, _) = store(&folder).await;
    let more = || FileConfig { cache_bytes: 2 << 20, ..config(&folder) };
    let second = FileStore::open(more(), Arc::new(SystemClock)).await.expect("it is shared");
    assert_eq!(second.cache_bytes(), 1 << 20);
    first.close().await;
    first.close().await;
    assert!(second.ailment().is_none(), "one that closes twice lets go of no more than its own");
    second.close().await;
    let third = FileStore::open(more(), Arc::new(SystemClock)).await.expect("it is free");
    assert_eq!(third.cache_bytes(), 2 << 20);
}

fn set(key: &str, bytes: usize) -> SetRequest {
    SetRequest { key: key.to_owned(), value: "v".repeat(bytes), expires: 0 }
}

fn item() -> PushRequest {
    PushRequest { key: "l".to_owned(), value: "i".to_owned() }
}

fn is_full(error: &CallError) -> bool {
    error.message().contains("FILE_MAX")
}

#[tokio::test]
async fn a_full_file_refuses_growth_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let bytes_max = 2_000;
    let (store, space) = store_of(&folder, bytes_max).await;
    let member = || SetAddRequest { key: "s".to_owned(), value: "m".repeat(100) };
    store.set_add(&space, member()).await.expect("SetAdd");
    store.push(&space, item()).await.expect("Push");
    store.set(&space, set("k", 1)).await.expect("Set");
    let most = usize::try_from(bytes_max - store.bytes()).expect("it is small") + 1;
    store.set(&space, set("k", most)).await.expect("Set to the last byte");
    assert_eq!(store.bytes(), bytes_max);
    assert!(store.set(&space, set("k", most + 1)).await.is_err_and(|error| is_full(&error)));
    assert!(store.push(&space, item()).await.is_err_and(|error| is_full(&error)));
    let other = SetAddRequest { value: "o".to_owned(), ..member() };
    assert!(store.set_add(&space, other).await.is_err_and(|error| is_full(&error)));
    assert_eq!(store.bytes(), bytes_max, "what was refused changed nothing");
    store.set_add(&space, member()).await.expect("a member that is there needs no room");
    store.set(&space, set("k", most)).await.expect("as long as before");
    let one = usize::try_from(LIST.item_bytes("i")).expect("it is small");
    store.set(&space, set("k", most - one)).await.expect("shorter");
    store.push(&space, item()).await.expect("which makes room for an item, and no key");
    assert_eq!(store.bytes(), bytes_max);
    assert!(store.set(&space, set("s", 200)).await.is_err_and(|error| is_full(&error)));
    store.set(&space, set("s", 100)).await.expect("shorter than the set it replaces");
    store.clear(&space, ClearRequest { key: "l".to_owned() }).await.expect("Clear");
    store.del(&space, DelRequest { key: "s".to_owned() }).await.expect("Del");
}

/// Makes a list of so many items.
async fn long_list(store: &FileStore, items: usize) {
    let count = items as u64;
    let made = store.write(move |tables, _| {
        let head = FIRST_POSITION - count;
        for position in head..FIRST_POSITION {
            tables.insert_item(LIST, position, "i")?;
        }
        tables.put(LIST, &Entry::lasting(Held::List { count, head }))
    });
    made.await.expect("the file works");
}

#[tokio::test]
async fn no_transaction_removes_a_long_list_whole() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let (store, _) = store(&folder).await;
    long_list(&store, 3 * PIECE + 1).await;
    let removed = store.write(|tables, _| {
        let before = tables.bytes;
        tables.remove(LIST)?;
        assert!(tables.entry(LIST)?.is_none(), "it is gone at once");
        assert_eq!(before - tables.bytes, LIST.key_bytes(""), "its items are still there");
        let mut pieces = 1;
        while tables.remove_remains(PIECE)? {
            pieces += 1;
            assert!(tables.vacant(LIST).is_err(), "no list is made where items are left");
        }
        tables.vacant(LIST)?;
        assert_eq!(tables.bytes, 0);
        Ok(pieces)
    });
    assert_eq!(removed.await.expect("the file works"), 4);
}

#[tokio::test]
async fn no_transaction_removes_many_short_lists_whole() {
    const EACH: u64 = 1_000;
    let folder = tempfile::tempdir().expect("a folder for the test");
    let (store, _) = store(&folder).await;
    let left = store.write(|tables, _| {
        for key in ["1", "2", "3", "4", "5", "6"] {
            let at = Place { space: "n", key };
            let head = FIRST_POSITION - EACH;
            for position in head..FIRST_POSITION {
                tables.insert_item(at, position, "i")?;
            }
            tables.put(at, &Entry::lasting(Held::List { count: EACH, head }))?;
            tables.remove(at)?;
        }
        let left = tables.bytes / LIST.item_bytes("i");
        assert!(!tables.remove_remains(PIECE)?, "the rest is fewer");
        assert_eq!(tables.bytes, 0);
        Ok(left)
    });
    assert_eq!(left.await.expect("the file works"), 2 * EACH, "four of them are a piece");
}

#[tokio::test]
async fn a_long_list_is_removed_when_nobody_asks_for_anything_else() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let (store, space) = store(&folder).await;
    long_list(&store, 3 * PIECE).await;
    store.del(&space, DelRequest { key: "l".to_owned() }).await.expect("Del");
    let emptied = async {
        while store.bytes() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), emptied).await.expect("the writer goes on");
}

#[tokio::test]
async fn a_key_can_be_used_again_while_its_long_list_is_removed() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let (store, space) = store(&folder).await;
    long_list(&store, 8 * PIECE).await;
    let before = store.metrics().commits.get();
    store.clear(&space, ClearRequest { key: "l".to_owned() }).await.expect("Clear");
    assert!(found_none(&store).await, "it is gone at once");
    let pushed = store.push(&space, item()).await.expect("Push");
    assert_eq!(pushed.new_count, 1, "of a list of its own");
    assert!(store.metrics().commits.get() - before >= 8, "removed in eight pieces");
    assert_eq!(store.bytes(), LIST.key_bytes("") + LIST.item_bytes("i"), "nothing is left");
    let range = RangeRequest { key: "l".to_owned(), start: 0, stop: -1 };
    assert_eq!(store.range(&space, range).await.expect("Range").values, ["i"]);
}

async fn found_none(store: &FileStore) -> bool {
    let positions = store.read(|view, work| view.positions(LIST, "i", work));
    positions.await.expect("the file works").is_none()
}

#[tokio::test]
async fn what_needs_the_room_of_a_long_list_waits_for_it() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let items = 4 * PIECE;
    let bytes_max = LIST.key_bytes("") + items as u64 * LIST.item_bytes("i");
    let (store, space) = store_of(&folder, bytes_max).await;
    long_list(&store, items).await;
    assert!(store.push(&space, item()).await.is_err_and(|error| is_full(&error)));
    store.set(&space, set("l", 1)).await.expect("it is shorter than the list it replaces");
    let most = usize::try_from(bytes_max / 2).expect("it is small");
    store.set(&space, set("k", most)).await.expect("there is room once the list is removed");
    assert!(store.set(&space, set("m", most)).await.is_err_and(|error| is_full(&error)));
}

async fn until_waiting(store: &FileStore, jobs: usize) {
    while store.file.jobs.max_capacity() - store.file.jobs.capacity() < jobs {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_file_that_was_closed_meanwhile_is_emptied_when_it_is_opened() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let (before, space) = store(&folder).await;
    long_list(&before, 8 * PIECE).await;
    let (release, long) = hold_writer(&before).await;
    let mut deleting = Box::pin(before.del(&space, DelRequest { key: "l".to_owned() }));
    assert!(futures_util::poll!(&mut deleting).is_pending(), "the writer is busy");
    let closing = tokio::spawn({
        let before = Arc::clone(&before);
        async move { before.close().await }
    });
    // Both wait for the writer, which carries them out together.
    until_waiting(&before, 2).await;
    release.send(()).expect("the writer waits for it");
    long.await.expect("no panic").expect("the file works");
    deleting.await.expect("Del");
    closing.await.expect("no panic");
    assert!(before.bytes() > 0, "it was closed before all was removed");
    let (after, space) = store(&folder).await;
    let add = SetAddRequest { key: "l".to_owned(), value: "m".to_owned() };
    after.set_add(&space, add).await.expect("the key is free for another kind");
    assert_eq!(after.bytes(), LIST.key_bytes("") + LIST.item_bytes("m"), "nothing is left");
}
