//! What a disk does to a file that may not grow any more.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use trellis_core::Code;
use trellis_providers_conformance::keyvalue::Store;
use trellis_providers_keyvalue_embedded::{Clock, Embedded};
use trellis_providers_sdk::{Health, Provider, Values};

use common::PATIENCE;

/// Runs one of the ignored tests in a process of its own, which may bound the size of its files:
/// the signal is ignored that would otherwise end it.
fn run(test: &str) {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let child = common::child(test, &folder.path().join("store.redb"));
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
    shell.arg(child.get_program()).args(child.get_args());
    for (key, value) in child.get_envs() {
        shell.env(key, value.expect("a test only sets variables"));
    }
    let output = shell.output().expect("a shell");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{said}");
}

/// No file of this process may be larger from now on; `None` takes that back.
fn limit(bytes: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    let current = bytes.or(maximum);
    setrlimit(Resource::Fsize, Rlimit { current, maximum }).expect("a soft limit");
}

async fn opened(path: &Path) -> (Arc<Embedded>, Store) {
    let provider = common::open(&common::in_file(path)).await;
    let store = common::bind(&provider, "M1", Values::default()).await;
    (provider, store)
}

#[test]
fn a_full_disk_costs_the_change_and_nothing_else() {
    run("child_on_a_full_disk");
}

#[tokio::test]
#[ignore = "runs in a process of its own, with a limit on the size of its files"]
async fn child_on_a_full_disk() {
    let Some(path) = common::child_path() else { return };
    limit(Some(4 << 20));
    let (provider, store) = opened(&path).await;
    let value = "v".repeat(64 << 10);
    let mut kept = Vec::new();
    let error = loop {
        assert!(kept.len() < 1_000, "the limit on the file was never reached");
        let key = format!("key {}", kept.len());
        match store.set(&key, &value).await {
            Ok(()) => kept.push(key),
            Err(error) => break error,
        }
    };
    assert_eq!(error.code(), Code::Storage, "{error}");
    assert!(error.message().contains("disk is full"), "{error}");
    assert!(kept.len() > 10, "some values fit: {}", kept.len());
    let got = common::until_answered(|| store.get(&kept[0])).await;
    assert!(got.as_deref() == Some(value.as_str()), "what was kept can be read");
    let mut small = 0;
    while store.set(&format!("small {small}"), "v").await.is_ok() {
        small += 1;
    }
    for number in 0..small {
        let key = format!("small {number}");
        if number < 20 {
            // Together with a change that grows the file, and fails.
            let (grown, freed) = tokio::join!(store.set("large", &value), store.del(&key));
            assert_eq!(grown.expect_err("the disk is full").code(), Code::Storage);
            freed.expect("what frees space is never refused");
        } else {
            store.del(&key).await.expect("what frees space is never refused");
        }
    }
    store.set("small", "v").await.expect("what was removed makes room");
    let (removed, kept) = kept.split_first().expect("some values fit");
    common::until_answered(|| store.del(removed)).await;
    assert_eq!(store.get(removed).await, Ok(None), "what frees room needs none");
    limit(None);
    common::until_answered(|| store.set("after", "room again")).await;
    assert_eq!(provider.health().await, Health::Healthy);
    provider.shutdown(PATIENCE).await;
    let (_provider, store) = opened(&path).await;
    for key in kept {
        let got = store.get(key).await.expect("Get");
        assert!(got.as_deref() == Some(value.as_str()), "{key} was answered, so it is kept");
    }
    assert_eq!(store.get("after").await, Ok(Some("room again".to_owned())));
    let failed = format!("key {}", kept.len() + 1);
    assert_eq!(store.get(&failed).await, Ok(None), "nothing half-written is visible");
}

#[test]
fn a_file_that_is_not_at_its_path_outlives_a_failed_change() {
    run("child_whose_file_goes_and_whose_disk_is_full");
}

#[tokio::test]
#[ignore = "runs in a process of its own, with a limit on the size of its files"]
async fn child_whose_file_goes_and_whose_disk_is_full() {
    let Some(path) = common::child_path() else { return };
    let (provider, store) = opened(&path).await;
    store.set("k", "v").await.expect("Set");
    limit(Some(1 << 20));
    let large = "v".repeat(8 << 20);
    let fails = async |why: &str| {
        common::says(&provider, why).await;
        let error = store.set("large", &large).await.expect_err("the disk is full");
        assert!(error.message().contains("disk is full"), "{why}: {error}");
        let kept = common::until_answered(|| store.get("k")).await;
        assert_eq!(kept.as_deref(), Some("v"), "{why}");
        common::says(&provider, why).await;
    };
    let aside = path.with_extension("aside");
    fs::rename(&path, &aside).expect("the folder is ours");
    fails("moved away").await;
    assert!(!path.exists(), "no other store is begun");
    fs::write(&path, "").expect("the folder is ours");
    fails("another file is at the PATH").await;
    assert_eq!(fs::metadata(&path).expect("it is there").len(), 0, "it is somebody's");
    fs::remove_file(&path).expect("it is there");
    fs::remove_file(&aside).expect("it is there");
    fails("was deleted").await;
    assert!(!path.exists(), "no other store is begun");
    store.set("small", "s").await.expect("it is used as before");
    limit(None);
    provider.shutdown(PATIENCE).await;
}

#[test]
fn a_store_that_was_emptied_is_not_begun_anew() {
    run("child_whose_file_is_emptied");
}

#[tokio::test]
#[ignore = "runs in a process of its own, with a limit on the size of its files"]
async fn child_whose_file_is_emptied() {
    let Some(path) = common::child_path() else { return };
    let (provider, store) = opened(&path).await;
    store.set("k", "v").await.expect("Set");
    let whole = fs::read(&path).expect("it is there");
    fs::write(&path, "").expect("the folder is ours");
    limit(Some(0));
    store.set("k", "w").await.expect_err("nothing can be written");
    limit(None);
    common::says(&provider, "damaged").await;
    let error = store.get("k").await.expect_err("it is no store any more");
    assert!(error.message().contains("damaged"), "{error}");
    let failures = common::sample(&provider, "file_failures");
    for _ in 0..100 {
        let error = store.set("k", "w").await.expect_err("it is no store any more");
        assert!(error.message().contains("damaged"), "{error}");
    }
    assert_eq!(common::sample(&provider, "file_failures"), failures, "nothing was tried in vain");
    assert_eq!(fs::metadata(&path).expect("it is there").len(), 0, "none is begun in it");
    fs::write(&path, &whole).expect("the folder is ours");
    assert_eq!(common::until_answered(|| store.get("k")).await.as_deref(), Some("v"));
    common::says(&provider, "").await;
}

#[test]
fn what_frees_space_is_done_in_steps_that_find_room() {
    run("child_that_frees_much_at_once_on_a_full_disk");
}

#[tokio::test]
#[ignore = "runs in a process of its own, with a limit on the size of its files"]
async fn child_that_frees_much_at_once_on_a_full_disk() {
    const EACH: usize = 1_500;
    let Some(path) = common::child_path() else { return };
    let clock = Arc::new(common::ManualClock::default());
    let opened =
        Embedded::open(&common::in_file(&path), Arc::clone(&clock) as Arc<dyn Clock>).await;
    let provider = Arc::new(opened.expect("there is room"));
    let store = common::bind(&provider, "M1", Values::default()).await;
    let value = "v".repeat(1_200);
    // Spread over the whole file, so that each removal writes a page of its own.
    let spread = |number: usize| format!("{:06}", number * 7_919 % 100_003);
    let (kept, expiring) = (spread, |number: usize| format!("{} expires", spread(number)));
    for first in (0..EACH).step_by(100) {
        let some = (first..first + 100).map(|number| {
            let (store, value) = (&store, &value);
            async move {
                store.set(&kept(number), value).await.expect("Set");
                store.set_expiring(&expiring(number), value, 10).await.expect("Set");
                store.push("list", value).await.expect("Push");
            }
        });
        futures_util::future::join_all(some).await;
    }
    let length = fs::metadata(&path).expect("it is there").len();
    limit(Some(length));
    for bytes in [1_200, 1] {
        let mut filled = 0;
        while store.set(&format!("{bytes} {filled}"), &"v".repeat(bytes)).await.is_ok() {
            filled += 1;
        }
    }
    let dels = (0..EACH).step_by(3).map(|number| {
        let store = &store;
        async move { store.del(&kept(number)).await }
    });
    for freed in futures_util::future::join_all(dels).await {
        freed.expect("what frees space is never refused");
    }
    let held = async || {
        let sample = common::sample(&provider, "keyvalue_file_bytes").expect("it is counted");
        sample.split(' ').nth(1).and_then(|held| held.trim().parse::<usize>().ok())
    };
    let before = held().await.expect("a number");
    clock.pass_ms(20_000);
    store.del("list").await.expect("what frees space is never refused");
    let freed = async || held().await.expect("a number") + 2 * EACH * value.len() <= before;
    common::eventually("the keys that expired and the list are removed", freed).await;
    assert_eq!(store.get(&kept(1)).await.as_ref(), Ok(&Some(value.clone())), "and nothing else");
    store.set("again", &value).await.expect("that made room");
}

#[test]
fn a_store_that_cannot_be_begun_leaves_nothing_behind() {
    run("child_that_begins_on_a_full_disk");
}

#[tokio::test]
#[ignore = "runs in a process of its own, with a limit on the size of its files"]
async fn child_that_begins_on_a_full_disk() {
    let Some(path) = common::child_path() else { return };
    let mut refused = 0;
    for bytes in [0, 1, 4, 16, 64, 256, 1_024, 2_048].map(|kib| kib << 10) {
        for made_before in [false, true] {
            if made_before {
                fs::write(&path, "").expect("the folder is ours");
            }
            limit(Some(bytes));
            let clock = Arc::new(common::ManualClock::default());
            let opened = Embedded::open(&common::in_file(&path), clock).await;
            limit(None);
            match opened {
                Err(error) => {
                    assert!(error.message().contains("disk is full"), "{bytes}: {error}");
                    let left = fs::metadata(&path).ok().map(|left| left.len());
                    assert_eq!(left, made_before.then_some(0), "{bytes}");
                    refused += 1;
                }
                Ok(provider) => provider.shutdown(PATIENCE).await,
            }
            fs::remove_file(&path).ok();
        }
    }
    assert!((2..16).contains(&refused), "{refused} of 16 were refused");
}
