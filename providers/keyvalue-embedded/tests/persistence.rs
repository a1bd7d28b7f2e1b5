//! What a file keeps: over a restart, and over `kill -9`.

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use trellis_core::Code;
use trellis_providers_conformance::keyvalue::Store;
use trellis_providers_keyvalue_embedded::{Clock, Embedded, SystemClock};
use trellis_providers_sdk::{Provider, Values};

#[tokio::test]
async fn a_restart_keeps_every_kind_and_every_expiry() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("store.redb");
    let clock = Arc::new(common::ManualClock::default());
    let open = || async {
        let clock = Arc::clone(&clock) as Arc<dyn Clock>;
        let opened = Embedded::open(&common::in_file(&path), clock).await;
        let provider = Arc::new(opened.expect("the file opens again"));
        let store = common::bind(&provider, "M1", Values::default()).await;
        (provider, store)
    };
    let (provider, store) = open().await;
    store.add("n", 41).await.expect("Add");
    store.set_expiring("short", "s", 10).await.expect("Set");
    store.set_expiring("long", "l", 1_000).await.expect("Set");
    for item in ["b", "a"] {
        store.push("list", item).await.expect("Push");
        store.set_add("set", item).await.expect("SetAdd");
    }
    close(&provider).await;
    clock.pass_ms(10_000);
    let (provider, store) = open().await;
    assert_eq!(store.add("n", 1).await, Ok(42));
    assert_eq!(store.get("short").await, Ok(None), "it expired while the store was closed");
    assert_eq!(store.get("long").await, Ok(Some("l".to_owned())));
    assert_eq!(store.range("list", 0, -1).await, Ok(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(store.set_query("set").await, Ok(vec!["a".to_owned(), "b".to_owned()]));
    close(&provider).await;
    let error = store.get("n").await.expect_err("the store is closed");
    assert_eq!(error.code(), Code::Storage, "{error}");
    let error = store.add("n", 1).await.expect_err("the store is closed");
    assert_eq!(error.code(), Code::Stopping, "{error}");
}

#[tokio::test]
async fn what_was_answered_survives_kill_9() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("store.redb");
    let mut answered: BTreeMap<String, i32> = BTreeMap::new();
    for round in 1..=3 {
        let mut child = common::child("child_that_counts_until_it_is_killed", &path);
        let mut child = child.stderr(Stdio::piped()).spawn().expect("the test starts itself");
        let lines = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
        let (mut seen, mut killed) = (0, false);
        for line in lines {
            let line = line.expect("a line of the child");
            let Some((key, sum)) = line.split_once('=') else { continue };
            answered.insert(key.to_owned(), sum.parse().expect("a sum"));
            seen += 1;
            if seen >= 100 * round && !killed {
                child.kill().expect("the child is our own process");
                killed = true;
            }
        }
        child.wait().expect("the child is our own process");
        assert!(killed, "the child counted until it was killed; it wrote {seen} lines");
        let provider = common::open(&common::in_file(&path)).await;
        let store = common::bind(&provider, "M1", Values::default()).await;
        assert_eq!(answered.len(), 4, "every counter was answered at least once");
        for (key, sum) in &answered {
            let kept = store.add(key, 0).await.expect("a counter");
            assert!(kept >= *sum, "{key} is {kept}, but {sum} was answered in round {round}");
        }
        close(&provider).await;
    }
}

#[tokio::test]
#[ignore = "runs in a process of its own, which its parent kills"]
async fn child_that_counts_until_it_is_killed() {
    let Some(path) = common::child_path() else { return };
    let provider = common::open(&common::in_file(&path)).await;
    let store = common::bind(&provider, "M1", Values::default()).await;
    for key in ["a", "b", "c"] {
        tokio::spawn(count_without_end(store.clone(), key));
    }
    count_without_end(store, "d").await;
}

async fn count_without_end(store: Store, key: &'static str) {
    loop {
        let sum = store.add(key, 1).await.expect("Add");
        // One write for each line, so that no line of another task falls into it.
        let line = format!("{key}={sum}\n");
        std::io::stderr().write_all(line.as_bytes()).expect("the parent reads");
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_used_says_why() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let garbage = folder.path().join("garbage.redb");
    std::fs::write(&garbage, b"this is no store".repeat(1_000)).expect("the folder is ours");
    refused(&garbage, "damaged").await;
    refused(folder.path(), "not a file").await;
    refused(&garbage.join("below a file"), "not a file").await;
    refused(Path::new("/proc/no/such/folder/store.redb"), "file").await;
    let path = folder.path().join("store.redb");
    let provider = common::open(&common::in_file(&path)).await;
    close(&provider).await;
    let whole = std::fs::read(&path).expect("the store is closed");
    std::fs::write(&path, &whole[..whole.len() / 2]).expect("the folder is ours");
    refused(&path, "damaged").await;
}

#[tokio::test]
async fn providers_of_one_process_share_a_file() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("deep/store.redb");
    let before = common::open(&common::in_file(&path)).await;
    // A successor with other values, by another way to the file, opens it before the first lets go.
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(folder.path().join("deep"), &link).expect("the folder is ours");
    let given = common::in_file(&link.join("store.redb")).with("DURABILITY", "eventual");
    let after = common::open(&given).await;
    let old = common::bind(&before, "M1", Values::default()).await;
    let new = common::bind(&after, "M1", Values::default()).await;
    assert_eq!(old.add("n", 1).await, Ok(1));
    assert_eq!(new.add("n", 1).await, Ok(2), "it is the same store");
    close(&before).await;
    assert_eq!(new.add("n", 1).await, Ok(3), "the file stays open for whoever uses it");
    assert_eq!(old.add("n", 1).await, Ok(4), "a late call is answered too");
    close(&after).await;
    let error = new.add("n", 1).await.expect_err("nobody uses it any more");
    assert_eq!(error.code(), Code::Stopping, "{error}");
    let again = common::open(&common::in_file(&path)).await;
    let store = common::bind(&again, "M1", Values::default()).await;
    assert_eq!(store.add("n", 0).await, Ok(4));
    // One that is dropped without a word lets go as well.
    drop((store, again));
    let last = common::open(&common::in_file(&path)).await;
    let store = common::bind(&last, "M1", Values::default()).await;
    assert_eq!(store.add("n", 0).await, Ok(4));
}

#[tokio::test]
async fn a_file_that_another_process_holds_is_waited_for() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("store.redb");
    let mut holder = common::child("child_that_counts_until_it_is_killed", &path);
    let mut holder = holder.stderr(Stdio::piped()).spawn().expect("the test starts itself");
    let mut lines = BufReader::new(holder.stderr.take().expect("stderr is piped")).lines();
    let counts = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains('=')));
    assert!(counts.is_some(), "the child has the file");
    let drain = std::thread::spawn(move || lines.count());
    refused(&path, "in use by another process; stop the host that uses it").await;
    let given = common::in_file(&path);
    let opening = tokio::spawn(async move { common::open(&given).await });
    tokio::task::yield_now().await;
    holder.kill().expect("the child is our own process");
    holder.wait().expect("the child is our own process");
    let provider = opening.await.expect("it opens once the file is free");
    let store = common::bind(&provider, "M1", Values::default()).await;
    assert!(store.add("a", 0).await.is_ok());
    drain.join().expect("the reader ends with the child");
}

#[tokio::test]
async fn a_file_made_before_it_was_bounded_is_counted() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("store.redb");
    let provider = common::open(&common::in_file(&path)).await;
    let store = common::bind(&provider, "M1", Values::default()).await;
    let value = "v".repeat(100_000);
    store.set("text", &value).await.expect("Set");
    store.push("list", &value).await.expect("Push");
    store.set_add("set", &value).await.expect("SetAdd");
    close(&provider).await;
    drop((store, provider));
    {
        let database = redb::Database::create(&path).expect("the store is closed");
        let txn = database.begin_write().expect("nobody else writes");
        let facts = redb::TableDefinition::<&str, u64>::new("facts");
        let remains = redb::TableDefinition::<(&str, &str), u8>::new("remains");
        assert!(txn.delete_table(facts).expect("the file is whole"), "the table was there");
        assert!(txn.delete_table(remains).expect("the file is whole"), "the table was there");
        txn.commit().expect("the disk has room");
    }
    let provider = common::open(&common::in_file(&path).with("FILE_MAX", "310KB")).await;
    let store = common::bind(&provider, "M1", Values::default()).await;
    let error = store.set("more", &value).await.expect_err("it is full");
    assert!(error.message().contains("FILE_MAX"), "{error}");
    store.set("little", "v").await.expect("there is a little room");
}

#[tokio::test]
async fn a_damaged_file_never_ends_the_host() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("store.redb");
    let provider = common::open(&common::in_file(&path)).await;
    let store = common::bind(&provider, "M1", Values::default()).await;
    for number in 0..50 {
        store.push("l", &number.to_string()).await.expect("Push");
    }
    close(&provider).await;
    let whole = std::fs::read(&path).expect("the store is closed");
    let (mut refused, mut opened) = (0, 0);
    for at in (0..whole.len().min(64 << 10)).step_by(997) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xff;
        std::fs::write(&path, &damaged).expect("the folder is ours");
        match Embedded::open(&common::in_file(&path), Arc::new(common::ManualClock::default()))
            .await
        {
            Err(error) => {
                assert_eq!(error.code(), Code::Storage, "byte {at}: {error}");
                refused += 1;
            }
            Ok(provider) => {
                let provider = Arc::new(provider);
                let store = common::bind(&provider, "M1", Values::default()).await;
                for answer in
                    [store.range("l", 0, -1).await.err(), store.push("l", "x").await.err()]
                {
                    let code = answer.map_or(Code::Storage, |error| error.code());
                    assert_eq!(code, Code::Storage, "byte {at}");
                }
                close(&provider).await;
                opened += 1;
            }
        }
    }
    assert!(refused > 0 && opened > 0, "{refused} refused, {opened} opened");
}

async fn refused(path: &Path, why: &str) {
    let clock = Arc::new(common::ManualClock::default());
    let error = Embedded::open(&common::in_file(path), clock).await.expect_err("it is unusable");
    assert_eq!(error.code(), Code::Storage, "{error}");
    assert!(error.message().contains(why), "{why} in: {error}");
}

async fn close(provider: &Arc<Embedded>) {
    provider.shutdown(Duration::from_secs(20)).await;
}

#[tokio::test]
async fn a_device_is_no_store() {
    let device = common::in_file(Path::new("/dev/null"));
    let error = Embedded::open(&device, Arc::new(SystemClock)).await.expect_err("it keeps nothing");
    assert!(error.message().contains("is not a file in a folder; correct PATH"), "{error}");
}
