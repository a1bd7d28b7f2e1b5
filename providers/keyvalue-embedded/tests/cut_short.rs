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
