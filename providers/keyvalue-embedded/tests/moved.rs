//! A file that has another name, or several.

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use trellis_providers_conformance::keyvalue::Store;
use trellis_providers_keyvalue_embedded::Embedded;
use trellis_providers_sdk::data::DescribeData;
use trellis_providers_sdk::{Health, Provider, Values};

use common::{PATIENCE, eventually, says};

async fn opened(path: &Path) -> (Arc<Embedded>, Store) {
    let provider = common::open(&common::in_file(path)).await;
    let store = common::bind(&provider, "M1", Values::default()).await;
    (provider, store)
}

async fn holds(store: &Store, value: Option<&str>) {
    assert_eq!(store.get("k").await, Ok(value.map(str::to_owned)));
}

#[tokio::test]
async fn a_file_that_was_moved_is_the_same_store_at_its_new_path() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let [old, new] = ["old.redb", "new.redb"].map(|name| folder.path().join(name));
    let (before, store) = opened(&old).await;
    store.set("k", "v").await.expect("Set");
    fs::rename(&old, &new).expect("the folder is ours");
    // As on a reload: the new one is there before the old one goes.
    let (after, renamed) = opened(&new).await;
    holds(&renamed, Some("v")).await;
    says(&after, "").await;
    says(&before, "").await;
    before.shutdown(PATIENCE).await;
    drop((before, store));
    assert!(!old.exists(), "no second store is begun");
    renamed.set("k", "w").await.expect("Set");
    // Taken back without the file: the old path is another store's, as it would be after a restart.
    let (back, begun) = opened(&old).await;
    holds(&begun, None).await;
    holds(&renamed, Some("w")).await;
    for provider in [&back, &after] {
        says(provider, "").await;
        provider.shutdown(PATIENCE).await;
    }
    let (_again, kept) = opened(&new).await;
    holds(&kept, Some("w")).await;
}

#[tokio::test]
async fn whoever_opens_a_moved_file_where_it_is_finds_it_well() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let [old, new] = ["old.redb", "new.redb"].map(|name| folder.path().join(name));
    let (before, _store) = opened(&old).await;
    fs::rename(&old, &new).expect("the folder is ours");
    says(&before, "was moved away").await;
    let (after, _renamed) = opened(&new).await;
    // At once: whether a successor takes over depends on it.
    assert_eq!(after.health().await, Health::Healthy);
}

#[tokio::test]
async fn names_of_one_file_are_one_store() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let [one, other] = ["one.redb", "other.redb"].map(|name| folder.path().join(name));
    let (first, store) = opened(&one).await;
    store.set("k", "v").await.expect("Set");
    fs::hard_link(&one, &other).expect("the folder is ours");
    let (second, linked) = opened(&other).await;
    holds(&linked, Some("v")).await;
    linked.set("k", "w").await.expect("Set");
    holds(&store, Some("w")).await;
    // So whoever copies from one to the other is told that there is nothing to copy.
    let about = async |store: &Store| {
        let about = store.data::<DescribeData>(&()).await.expect("it says which it is");
        (about.store, about.prefix, about.total)
    };
    assert_eq!(about(&store).await, about(&linked).await);
    assert_eq!(about(&store).await.2, 1);
    second.shutdown(PATIENCE).await;
    says(&first, "").await;
    holds(&store, Some("w")).await;
    // Both at once, and only then is there anything to share.
    first.shutdown(PATIENCE).await;
    drop((first, store, second, linked));
    let ((_first, store), (_second, linked)) = tokio::join!(opened(&one), opened(&other));
    linked.set("k", "x").await.expect("Set");
    holds(&store, Some("x")).await;
}

#[tokio::test]
async fn files_that_exchange_their_names_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let [a, b, aside] = ["a.redb", "b.redb", "aside"].map(|name| folder.path().join(name));
    let ((_a, of_a), (_b, of_b)) = (opened(&a).await, opened(&b).await);
    of_a.set("k", "a").await.expect("Set");
    of_b.set("k", "b").await.expect("Set");
    for (from, to) in [(&a, &aside), (&b, &a), (&aside, &b)] {
        fs::rename(from, to).expect("the folder is ours");
    }
    let ((_now_b, at_b), (_now_a, at_a)) = (opened(&b).await, opened(&a).await);
    holds(&at_b, Some("a")).await;
    holds(&at_a, Some("b")).await;
}

#[tokio::test]
async fn a_store_that_holds_nothing_gives_way_to_one_that_is_put_there() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let [old, new] = ["old.redb", "new.redb"].map(|name| folder.path().join(name));
    let (before, store) = opened(&old).await;
    store.set("k", "v").await.expect("Set");
    // The new path is named first, and only then the file is moved there.
    let (after, begun) = opened(&new).await;
    holds(&begun, None).await;
    before.shutdown(PATIENCE).await;
    fs::rename(&old, &new).expect("the folder is ours");
    let there = async || begun.get("k").await == Ok(Some("v".to_owned()));
    eventually("the store that was put there is used", there).await;
    says(&after, "").await;
    begun.set("k", "w").await.expect("Set");
    after.shutdown(PATIENCE).await;
    let (_again, kept) = opened(&new).await;
    holds(&kept, Some("w")).await;
}
