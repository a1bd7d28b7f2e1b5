//! A disk without a single free block.

mod common;

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Command;

use trellis_core::Code;
use trellis_providers_sdk::{Provider, Values};

use common::PATIENCE;

/// Runs one of the ignored tests in a process of its own, whose folder is a disk of a few
/// megabytes that nobody else sees.
fn run(test: &str) {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let child = common::child(test, &folder.path().join("store.redb"));
    let mount = "mount -t tmpfs -o size=8m none \"$0\" && exec \"$@\"";
    let mut shell = Command::new("unshare");
    shell.args(["--map-root-user", "--mount", "sh", "-c", mount]).arg(folder.path());
    shell.arg(child.get_program()).args(child.get_args());
    for (key, value) in child.get_envs() {
        shell.env(key, value.expect("a test only sets variables"));
    }
    let output = shell.output().expect("unshare is part of every system with mounts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{said}");
}

/// Takes every free block.
fn fill(folder: &Path) -> File {
    let mut ballast = File::create(folder.join("ballast")).expect("the disk is ours");
    for step in [vec![0; 64 << 10], vec![0; 1]] {
        let full = loop {
            if let Err(error) = ballast.write_all(&step) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull, "{full}");
    }
    ballast
}

#[test]
fn keys_can_be_deleted_without_a_free_block() {
    run("child_without_a_free_block");
}

#[tokio::test]
#[ignore = "runs in a process of its own, on a small disk"]
async fn child_without_a_free_block() {
    let Some(path) = common::child_path() else { return };
    let folder = path.parent().expect("a file is in a folder");
    let provider = common::open(&common::in_file(&path)).await;
    let store = common::bind(&provider, "M1", Values::default()).await;
    let value = "v".repeat(10_000);
    for number in 0..50 {
        store.set(&format!("k{number}"), &value).await.expect("there is room");
    }
    let ballast = fill(folder);
    let mut grown = 0;
    let error = loop {
        assert!(grown < 1_000, "the disk is never full");
        match store.set(&format!("grown {grown}"), &value).await {
            Ok(()) => grown += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.code(), Code::Storage, "{error}");
    fill(folder);
    for number in 0..grown {
        store.del(&format!("grown {number}")).await.expect("deleting needs no block");
    }
    for number in 0..50 {
        store.del(&format!("k{number}")).await.expect("deleting needs no block");
    }
    store.set("small", "v").await.expect("that made room");
    drop(ballast);
    fs::remove_file(folder.join("ballast")).expect("it is there");
    store.set("large", &value).await.expect("there is room again");
    provider.shutdown(PATIENCE).await;
}
