//! A file that is deleted, moved or replaced while it is in use.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use trellis_providers_conformance::keyvalue::Store;
use trellis_providers_keyvalue_embedded::{Embedded, SystemClock};
use trellis_providers_sdk::{Provider, Values};

use common::{PATIENCE, eventually, says};

async fn opened(path: &Path) -> (Arc<Embedded>, Store) {
    let provider = common::open(&common::in_file(path)).await;
    let store = common::bind(&provider, "M1", Values::default()).await;
    (provider, store)
}

#[tokio::test]
async fn a_file_that_is_deleted_is_written_anew_with_all_it_holds() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("deep/store.redb");
    let (provider, store) = opened(&path).await;
    store.set("before", "b").await.expect("Set");
    fs::remove_file(&path).expect("it is there");
    eventually("the file is back", async || path.exists()).await;
    store.set("after", "a").await.expect("Set");
    fs::remove_dir_all(folder.path().join("deep")).expect("it is there");
    eventually("the folder is back too", async || path.exists()).await;
    says(&provider, "").await;

    // So short before the end that nobody looked in between.
    fs::remove_file(&path).expect("it is there");
    provider.shutdown(PATIENCE).await;
    let (_provider, store) = opened(&path).await;
    assert_eq!(store.get("before").await, Ok(Some("b".to_owned())));
    assert_eq!(store.get("after").await, Ok(Some("a".to_owned())), "it went to the copy");
}

/// A store that holds `k`, in whose folder's place there is a file: the folder, where the store was
/// in it, and the store.
async fn cannot_be_written_anew() -> (tempfile::TempDir, PathBuf, Arc<Embedded>, Store) {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("deep/store.redb");
    let (provider, store) = opened(&path).await;
    store.set("k", "v").await.expect("Set");
    fs::remove_dir_all(folder.path().join("deep")).expect("it is there");
    fs::write(folder.path().join("deep"), "no folder").expect("the folder is ours");
    says(&provider, "written anew (the key-value file is not a file in a folder").await;
    (folder, path, provider, store)
}

#[tokio::test]
async fn a_file_that_cannot_be_written_anew_is_told() {
    let (_folder, _, _provider, store) = cannot_be_written_anew().await;
    assert_eq!(store.get("k").await, Ok(Some("v".to_owned())), "it can be used meanwhile");
}

#[tokio::test]
async fn a_file_that_could_not_be_written_anew_is_when_the_host_stops() {
    let (folder, path, provider, _store) = cannot_be_written_anew().await;
    // It is possible again, but that need not be tried at once.
    fs::remove_file(folder.path().join("deep")).expect("it is there");
    provider.shutdown(PATIENCE).await;
    let (_provider, store) = opened(&path).await;
    assert_eq!(store.get("k").await, Ok(Some("v".to_owned())));
}

#[tokio::test]
async fn a_file_that_could_not_be_written_anew_is_soon() {
    let (folder, path, provider, _store) = cannot_be_written_anew().await;
    let since = Instant::now();
    fs::remove_file(folder.path().join("deep")).expect("it is there");
    says(&provider, "").await;
    assert!(since.elapsed() < PATIENCE / 3, "{:?}", since.elapsed());
    assert!(path.exists());
}

#[tokio::test]
async fn a_link_to_nothing_is_no_new_store() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let (path, real) = (folder.path().join("store.redb"), folder.path().join("gone/real.redb"));
    std::os::unix::fs::symlink("gone/real.redb", &path).expect("the folder is ours");
    let given = common::in_file(&path);
    let error = Embedded::open(&given, Arc::new(SystemClock)).await.expect_err("nothing is there");
    assert!(error.message().contains("PATH is a link to what does not exist"), "{error}");
    assert!(!folder.path().join("gone").exists(), "nothing is made");
    fs::create_dir(folder.path().join("gone")).expect("the folder is ours");
    fs::write(&real, "").expect("the folder is ours");
    let (_provider, store) = opened(&path).await;
    store.set("k", "v").await.expect("an empty file is there to be a store");
}

#[tokio::test]
async fn a_file_behind_a_link_is_written_anew_where_the_link_leads() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("store.redb");
    let real = folder.path().join("deep/real.redb");
    fs::create_dir(folder.path().join("deep")).expect("the folder is ours");
    fs::write(&real, "").expect("the folder is ours");
    for (target, link) in [("deep/link.redb", "store.redb"), ("real.redb", "deep/link.redb")] {
        let link = folder.path().join(link);
        std::os::unix::fs::symlink(target, link).expect("the folder is ours");
    }
    let (provider, store) = opened(&path).await;
    store.set("k", "v").await.expect("Set");
    fs::remove_file(&real).expect("it is there");
    eventually("the file is back", async || real.exists()).await;
    says(&provider, "").await;
    fs::remove_file(&real).expect("it is there");
    provider.shutdown(PATIENCE).await;
    let (_provider, store) = opened(&path).await;
    assert_eq!(store.get("k").await, Ok(Some("v".to_owned())));
    assert!(path.is_symlink(), "the link is left alone");
}

#[tokio::test]
async fn a_file_that_is_moved_is_told_until_it_is_back() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("deep/store.redb");
    let (provider, store) = opened(&path).await;
    // Its folder is another one now, with nothing in it.
    let moved = folder.path().join("moved");
    fs::rename(folder.path().join("deep"), &moved).expect("the folder is ours");
    says(&provider, "moved away").await;
    assert!(!path.exists(), "there is a file with the keys: no second one is made");
    store.set("k", "v").await.expect("Set");
    fs::rename(&moved, folder.path().join("deep")).expect("the folder is ours");
    says(&provider, "").await;
    provider.shutdown(PATIENCE).await;
    let (_provider, store) = opened(&path).await;
    assert_eq!(store.get("k").await, Ok(Some("v".to_owned())));
}

#[tokio::test]
async fn a_file_that_somebody_put_there_is_not_touched() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("store.redb");
    let (provider, store) = opened(&path).await;
    store.set("k", "v").await.expect("Set");
    fs::write(folder.path().join("next"), "somebody's").expect("the folder is ours");
    fs::rename(folder.path().join("next"), &path).expect("the folder is ours");
    says(&provider, "another file is at the PATH").await;
    assert_eq!(fs::read(&path).expect("it is there"), b"somebody's");

    // Moved away again, the store is left alone with its path, and takes it.
    fs::rename(&path, folder.path().join("elsewhere")).expect("the folder is ours");
    says(&provider, "").await;
    provider.shutdown(PATIENCE).await;
    let (_provider, store) = opened(&path).await;
    assert_eq!(store.get("k").await, Ok(Some("v".to_owned())));
    assert_eq!(fs::read(folder.path().join("elsewhere")).expect("it is there"), b"somebody's");
}
