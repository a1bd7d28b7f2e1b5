//! Keys that live for a time.

use trellis_core::Code;

use super::bench::{Bench, Case};
use super::client::Store;
use crate::suite::assert_refused;

pub(super) const CASES: &[Case] = &[
    Case { name: "a key expires", check: |b| Box::pin(expires(b)) },
    Case { name: "an expired key is free", check: |b| Box::pin(free(b)) },
    Case { name: "Add keeps the expiry", check: |b| Box::pin(kept(b)) },
    Case { name: "Set replaces the expiry", check: |b| Box::pin(replaced(b)) },
    Case { name: "a key made again has no expiry", check: |b| Box::pin(made_again(b)) },
    Case { name: "a negative expiry is refused", check: |b| Box::pin(negative(b)) },
    Case { name: "a far expiry is kept", check: |b| Box::pin(far(b)) },
];

/// How long after its time a key may still be seen, with what a busy machine adds.
const SLACK_MS: u64 = 4_000;

async fn expires(bench: Bench) {
    let store = bench.store().await;
    let before_ms = bench.time().now_ms();
    store.set_expiring("k", "v", 1).await.expect("Set");
    assert_eq!(store.set("stays", "v").await, Ok(()));
    await_gone(&bench, &store, "k", before_ms + 1_000).await;
    assert_eq!(store.get("k").await, Ok(None));
    assert_eq!(store.key_exists("stays").await, Ok(true));
}

async fn free(bench: Bench) {
    let store = bench.store().await;
    let before_ms = bench.time().now_ms();
    for key in ["add", "push", "set_add", "union"] {
        store.set_expiring(key, "5", 1).await.expect("Set");
    }
    let known = await_gone(&bench, &store, "union", before_ms + 1_000).await;
    assert!(known, "the key was there before it expired");
    assert_eq!(store.add("add", 1).await, Ok(1), "an expired counter starts anew");
    assert_eq!(store.push("push", "i").await, Ok(1), "an expired string is no wrong kind");
    assert_eq!(store.set_add("set_add", "m").await, Ok(1), "an expired string is no wrong kind");
    assert_eq!(store.set_union(&["union", "set_add"]).await, Ok(vec!["m".to_owned()]));
    wait(&bench, 1_200).await;
    for key in ["add", "push", "set_add"] {
        assert_eq!(store.key_exists(key).await, Ok(true), "{key} is new and never expires");
    }
}

async fn kept(bench: Bench) {
    let store = bench.store().await;
    let before_ms = bench.time().now_ms();
    store.set_expiring("n", "1", 1).await.expect("Set");
    assert_eq!(store.add("n", 1).await, Ok(2));
    await_gone(&bench, &store, "n", before_ms + 1_000).await;
}

async fn replaced(bench: Bench) {
    let store = bench.store().await;
    let before_ms = bench.time().now_ms();
    for (key, expires) in [("for_ever", 0), ("longer", 3_600), ("other", 0)] {
        store.set_expiring(key, "v", 1).await.expect("Set");
        store.set_expiring(key, "w", expires).await.expect("Set");
    }
    store.set_expiring("other", "x", 3_600).await.expect("Set");
    store.set_expiring("other", "x", 1).await.expect("Set");
    await_gone(&bench, &store, "other", before_ms + 1_000).await;
    wait(&bench, 200).await;
    assert_eq!(store.get("for_ever").await, Ok(Some("w".to_owned())));
    assert_eq!(store.get("longer").await, Ok(Some("w".to_owned())));
}

async fn made_again(bench: Bench) {
    let store = bench.store().await;
    for key in ["set", "add", "push"] {
        store.set_expiring(key, "v", 1).await.expect("Set");
        store.del(key).await.expect("Del");
    }
    store.set("set", "v").await.expect("Set");
    store.add("add", 1).await.expect("Add on a new key");
    store.push("push", "i").await.expect("Push on a new key");
    wait(&bench, 1_200).await;
    for key in ["set", "add", "push"] {
        assert_eq!(store.key_exists(key).await, Ok(true), "{key}");
    }
}

async fn negative(bench: Bench) {
    let store = bench.store().await;
    store.set("k", "v").await.expect("Set");
    for expires in [-1, i32::MIN] {
        assert_refused(store.set_expiring("k", "w", expires).await, Code::Message);
        assert_refused(store.set_expiring("new", "w", expires).await, Code::Message);
    }
    assert_eq!(store.get("k").await, Ok(Some("v".to_owned())), "nothing was changed");
    assert_eq!(store.key_exists("new").await, Ok(false), "nothing was changed");
}

async fn far(bench: Bench) {
    let store = bench.store().await;
    assert_eq!(store.set_expiring("k", "v", i32::MAX).await, Ok(()));
    assert_eq!(store.get("k").await, Ok(Some("v".to_owned())));
}

/// Waits until the key is gone; panics when that happens before `due_ms` or long after it. True
/// when the key was seen at least once.
async fn await_gone(bench: &Bench, store: &Store, key: &str, due_ms: u64) -> bool {
    let mut seen = false;
    while store.key_exists(key).await.expect("KeyExists") {
        seen = true;
        let late_ms = bench.time().now_ms().saturating_sub(due_ms);
        assert!(late_ms < SLACK_MS, "{key} still exists {late_ms} ms after its time");
        bench.time().tick().await;
    }
    let now_ms = bench.time().now_ms();
    assert!(now_ms >= due_ms, "{key} was gone {} ms before its time", due_ms - now_ms);
    seen
}

async fn wait(bench: &Bench, ms: u64) {
    let until_ms = bench.time().now_ms() + ms;
    while bench.time().now_ms() < until_ms {
        bench.time().tick().await;
    }
}
