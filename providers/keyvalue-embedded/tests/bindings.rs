//! Who sees whose keys, what values are understood, and the bound on memory.

mod common;

use std::sync::Arc;
use std::time::Duration;

use trellis_core::{Code, Trace};
use trellis_providers_keyvalue_embedded::{Embedded, SystemClock};
use trellis_providers_sdk::{BindingId, Call, Provider, Values};

#[tokio::test]
async fn an_unknown_binding_is_not_found() {
    let provider = common::open(&Values::default()).await;
    let call = Call {
        binding: BindingId(7),
        operation: "Get".into(),
        payload: bytes::Bytes::from_static(b"\x81\xa3key\xa1k"),
        remaining: Duration::ZERO,
        trace: Trace::default(),
        depth: 0,
    };
    let error = provider.call(call).await.expect_err("never bound");
    assert_eq!(error.code(), Code::NotFound, "{error}");
}

#[tokio::test]
async fn wrong_values_are_named() {
    for (key, value) in [
        ("PATH", ""),
        ("PATH", "~/store.redb"),
        ("DURABILITY", "maybe"),
        ("CACHE", "much"),
        ("MEMORY_MAX", "-1"),
        ("FILE_MAX", "0"),
        ("ELEMENTS_MAX", "0"),
        ("NAMESPACE", "belongs to a binding"),
        ("FOLDER", "x"),
    ] {
        let given = common::values(&[(key, value)]);
        let error = Embedded::open(&given, Arc::new(SystemClock)).await.expect_err(key);
        assert_eq!(error.code(), Code::Config, "{error}");
        assert!(error.message().contains(key), "{key} in: {error}");
    }
}

#[tokio::test]
async fn memory_is_bounded_and_freed() {
    let provider = common::open(&common::values(&[("MEMORY_MAX", "1MiB")])).await;
    let store = common::bind(&provider, "M1", Values::default()).await;
    let value = "v".repeat(10_000);
    let fill = || async {
        let mut filled = 0;
        loop {
            assert!(filled < 1_000, "the limit was never reached");
            match store.set(&format!("key {filled}"), &value).await {
                Ok(()) => filled += 1,
                Err(error) => return (filled, error),
            }
        }
    };
    let (filled, error) = fill().await;
    assert_eq!(error.code(), Code::Storage, "{error}");
    assert!(error.message().contains("MEMORY_MAX"), "{error}");
    assert!(filled > 90, "{filled} values of 10 kB in 1 MiB");
    assert_eq!(store.push("list", &value).await.expect_err("full").code(), Code::Storage);
    assert_eq!(store.add("key 0", 1).await.expect_err("full of v").code(), Code::WrongType);
    for number in 0..filled {
        store.del(&format!("key {number}")).await.expect("Del");
    }
    assert_eq!(fill().await.0, filled, "what was removed makes room, exactly");
}

#[tokio::test]
async fn what_memory_holds_goes_to_the_successor() {
    let open = async |lineage, given: &Values| {
        let opened = Embedded::succeed(lineage, given, Arc::new(SystemClock)).await;
        Arc::new(opened.expect("the values are right"))
    };
    let roomy = open("memory/successor", &Values::default()).await;
    let before = common::bind(&roomy, "M1", Values::default()).await;
    before.set("key", &"v".repeat(600_000)).await.expect("Set");
    let narrow = open("memory/successor", &common::values(&[("MEMORY_MAX", "1MiB")])).await;
    let other = open("memory/other", &Values::default()).await;
    // Named in another order, so that namespaces are told apart by what they are called.
    let stranger = common::bind(&narrow, "M2", Values::default()).await;
    let after = common::bind(&narrow, "M1", Values::default()).await;
    assert_eq!(after.get("key").await.expect("Get").map(|value| value.len()), Some(600_000));
    assert_eq!(stranger.get("key").await.expect("Get"), None);
    let error = after.set("more", &"v".repeat(600_000)).await.expect_err("bytes are counted on");
    assert_eq!(error.code(), Code::Storage, "{error}");
    drop((before, roomy));
    assert!(after.get("key").await.expect("Get").is_some(), "it stays when the other one goes");
    let other = common::bind(&other, "M1", Values::default()).await;
    assert_eq!(other.get("key").await.expect("Get"), None);
    drop((after, stranger, narrow));
    let later = open("memory/successor", &Values::default()).await;
    let later = common::bind(&later, "M1", Values::default()).await;
    assert_eq!(later.get("key").await.expect("Get"), None, "nobody held it any more");
}
