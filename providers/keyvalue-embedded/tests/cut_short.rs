//! A file that another program cuts short while it is in use.

mod common;

use std::fs::{File, metadata};
use std::path::Path;

use trellis_core::Code;
use trellis_providers_sdk::{Provider, Values};

use common::{PATIENCE, says};

fn cut(path: &Path, bytes: u64) {
    let file = File::options().write(true).open(path).expect("it is there");
    file.set_len(bytes).expect("it can be cut");
}

#[tokio::test]
async fn a_file_that_is_cut_short_is_told_and_used_no_more() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    for keep in [0, 1, 320, 4_096, 5_000, 100_000] {
        let path = folder.path().join(format!("{keep}.redb"));
        let provider = common::open(&common::in_file(&path)).await;
        let store = common::bind(&provider, "M1", Values::default()).await;
        for number in 0..20 {
            store.set(&format!("k{number}"), &"v".repeat(10_000)).await.expect("Set");
        }
        let before = metadata(&path).expect("it is there").len();
        assert!(before > 200_000, "{before}");
        cut(&path, keep);
        says(&provider, "another program cut it short").await;
        let error = store.get("k1").await.expect_err("memory may still hold it");
        assert_eq!(error.code(), Code::Storage);
        assert!(error.message().contains("restore it from a copy"), "{error}");
        let error = store.set("k1", "v").await.expect_err("nothing can be kept");
        assert!(error.message().contains("cut it short"), "{error}");
        let now = metadata(&path).expect("it is there").len();
        assert_eq!(now, keep, "nothing is written into what is left");
        provider.shutdown(PATIENCE).await;
    }
}

#[tokio::test]
async fn a_change_right_after_the_cut_is_refused() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("store.redb");
    let provider = common::open(&common::in_file(&path)).await;
    let store = common::bind(&provider, "M1", Values::default()).await;
    store.set("k", &"v".repeat(10_000)).await.expect("Set");
    cut(&path, 4_096);
    let error = store.set("k", "v").await.expect_err("it is noticed first");
    assert!(error.message().contains("cut it short"), "{error}");
}

#[tokio::test]
async fn a_copy_that_is_written_over_the_file_is_taken_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let (path, copy) = (folder.path().join("store.redb"), folder.path().join("copy.redb"));
    let provider = common::open(&common::in_file(&path)).await;
    let store = common::bind(&provider, "M1", Values::default()).await;
    for number in 0..20 {
        store.set("k", &format!("first {number}")).await.expect("Set");
    }
    store.set("k", "then").await.expect("Set");
    let then = std::fs::read(&path).expect("nothing is being written");
    store.set("k", "now").await.expect("Set");
    // In place and of the same length, as `cp` does it.
    let now = metadata(&path).expect("it is there").len();
    assert_eq!(now, then.len() as u64, "the copy hides nothing by its length");
    let file = File::options().write(true).open(&path).expect("it is there");
    std::os::unix::fs::FileExt::write_all_at(&file, &then, 0).expect("another program may");
    store.set("other", "v").await.expect("it is noticed first, and the copy is whole");
    says(&provider, "").await;
    assert_eq!(store.get("k").await.expect("Get").as_deref(), Some("then"));
    store.set("k", "later").await.expect("it goes on from the copy");
    provider.shutdown(PATIENCE).await;
    drop((store, provider));
    std::fs::copy(&path, &copy).expect("the store is closed");
    let again = common::open(&common::in_file(&copy)).await;
    let store = common::bind(&again, "M1", Values::default()).await;
    assert_eq!(store.get("k").await.expect("Get").as_deref(), Some("later"));
}

#[tokio::test]
async fn a_copy_that_is_moved_to_the_path_of_a_cut_file_is_used() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let (path, copy) = (folder.path().join("store.redb"), folder.path().join("copy.redb"));
    for is_deleted in [false, true] {
        let provider = common::open(&common::in_file(&path)).await;
        let store = common::bind(&provider, "M1", Values::default()).await;
        store.set("k", "kept").await.expect("Set");
        provider.shutdown(PATIENCE).await;
        drop((store, provider));
        std::fs::copy(&path, &copy).expect("the store is closed");
        let provider = common::open(&common::in_file(&path)).await;
        let store = common::bind(&provider, "M1", Values::default()).await;
        store.set("k", "lost").await.expect("Set");
        cut(&path, 4_096);
        says(&provider, "restore it from a copy").await;
        if is_deleted {
            std::fs::remove_file(&path).expect("it is there");
        } else {
            // What is no store is not used either, and nobody is told to move it away.
            let garbage = folder.path().join("garbage");
            std::fs::write(&garbage, "no store").expect("the folder is ours");
            std::fs::rename(&garbage, &path).expect("the folder is ours");
            says(&provider, "restore it from a copy").await;
            let told = provider.health().await;
            assert!(!format!("{told:?}").contains("another file"), "{told:?}");
        }
        std::fs::rename(&copy, &path).expect("the folder is ours");
        says(&provider, "").await;
        assert_eq!(store.get("k").await.expect("Get").as_deref(), Some("kept"));
        store.set("k", "goes on").await.expect("Set");
        provider.shutdown(PATIENCE).await;
    }
}
