//! A survey tells what opening would do.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;

use trellis_capabilities_keyvalue::Bounds;

use super::*;
use crate::clock::SystemClock;
use crate::file::{FileConfig, FileStore};

async fn opened(path: &Path) -> Result<FileStore, CallError> {
    let config = FileConfig {
        path: path.to_owned(),
        cache_bytes: 1 << 20,
        immediate: true,
        bytes_max: 64 << 20,
        bounds: Bounds::default(),
    };
    FileStore::open(config, Arc::new(SystemClock)).await
}

/// Every file and link beneath, with what it holds.
fn all_of(folder: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is ours").flatten() {
        let path = entry.path();
        let is_folder = path.is_dir() && !path.is_symlink();
        all.push((path.clone(), fs::read(&path).ok()));
        if is_folder {
            all.extend(all_of(&path));
        }
    }
    all.sort();
    all
}

#[tokio::test]
async fn it_refuses_what_opening_refuses_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let at = |name: &str| folder.path().join(name);
    opened(&at("store")).await.expect("the folder is ours").close().await;
    let whole = fs::read(at("store")).expect("it is closed");
    fs::write(at("half"), &whole[..whole.len() / 2]).expect("the folder is ours");
    fs::write(at("garbage"), "no store ".repeat(1_000)).expect("the folder is ours");
    fs::write(at("empty"), "").expect("the folder is ours");
    fs::create_dir(at("folder")).expect("the folder is ours");
    for (target, link) in [("store", "link"), ("gone", "dangling"), ("dangling", "longer")] {
        symlink(target, at(link)).expect("the folder is ours");
    }
    symlink("link/beneath", at("crooked")).expect("the folder is ours");
    for (name, says) in [
        ("store", ""),
        ("link", ""),
        ("half", "damaged"),
        ("garbage", "damaged or not a key-value file"),
        ("empty", "a new store will be begun in it"),
        ("new", "a new one will be made"),
        ("deep/er/new", "a new one will be made, with its folder"),
        ("folder", "is not a file in a folder; correct PATH"),
        ("garbage/new", "is not a file in a folder; correct PATH"),
        ("dangling", "PATH is a link to what does not exist"),
        ("longer", "PATH is a link to what does not exist"),
        ("crooked", "PATH is a link to what does not exist"),
        ("dangling/new", "is not a file in a folder; correct PATH"),
    ] {
        let before = all_of(folder.path());
        let seen = survey(&at(name));
        assert!(all_of(folder.path()) == before, "{name}: nothing is changed");
        let told = match &seen {
            Seen::Store => "",
            Seen::New(error) | Seen::Unusable(error) => error.message(),
        };
        assert!(told.contains(says) && told.is_empty() == says.is_empty(), "{name}: {told}");
        match (opened(&at(name)).await, &seen) {
            (Err(error), Seen::Unusable(seen)) => assert_eq!(error, *seen, "{name}"),
            (Ok(store), Seen::Store | Seen::New(_)) => store.close().await,
            (opened, _) => panic!("{name}: {seen:?}, but it is {:?}", opened.err()),
        }
    }
}

#[tokio::test]
async fn a_file_in_use_is_a_store_and_stays_in_use() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("store");
    let store = opened(&path).await.expect("the folder is ours");
    assert_eq!(survey(&path), Seen::Store);
    // What a host leaves that is killed.
    let copy = folder.path().join("copy");
    fs::copy(&path, &copy).expect("the folder is ours");
    assert_eq!(survey(&copy), Seen::Store, "a start repairs it");
    store.close().await;
}
