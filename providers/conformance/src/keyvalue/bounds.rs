//! The bounds of one operation, hit.

use trellis_core::{CallError, Code};

use super::client::Store;

/// What a provider is given for [`check`].
pub const VALUES: &[(&str, &str)] =
    &[("OPERANDS_MAX", "4"), ("ELEMENTS_MAX", "100"), ("ANSWER_MAX", "1KiB")];

/// Hits every bound through a binding of a provider with [`VALUES`].
///
/// # Panics
/// When a bound does not hold, or holds something up that it should not.
pub async fn check(store: &Store) {
    operands(store).await;
    elements(store).await;
    answers(store).await;
}

async fn operands(store: &Store) {
    store.set_add("s", "m").await.expect("SetAdd");
    assert_eq!(store.set_union(&["s"; 4]).await, Ok(vec!["m".to_owned()]));
    assert_eq!(store.set_intersection(&["s"; 4]).await, Ok(vec!["m".to_owned()]));
    refused(store.set_union(&["s"; 5]).await, "OPERANDS_MAX");
    refused(store.set_intersection(&["s"; 5]).await, "OPERANDS_MAX");
}

async fn elements(store: &Store) {
    for number in 0..100 {
        store.push("list", &(number % 3).to_string()).await.expect("Push within the bound");
        store.set_add("set", &number.to_string()).await.expect("SetAdd within the bound");
        store.set_add("other", &number.to_string()).await.expect("SetAdd within the bound");
    }
    refused(store.push("list", "x").await, "ELEMENTS_MAX");
    refused(store.set_add("set", "x").await, "ELEMENTS_MAX");
    assert_eq!(store.set_add("set", "7").await, Ok(100), "a member that is there adds nothing");
    assert_eq!(store.set_query("set").await.map(|members| members.len()), Ok(100));
    refused(store.set_union(&["set", "other"]).await, "ELEMENTS_MAX");
    assert_eq!(store.set_union(&["set", "set"]).await.map(|members| members.len()), Ok(100));
    assert_eq!(store.list_item_delete("list", "0").await, Ok(66), "removing is never refused");
    assert_eq!(store.push("list", "x").await, Ok(67), "and makes room");
    store.del("list").await.expect("Del is never refused");
    store.del("other").await.expect("Del is never refused");
}

async fn answers(store: &Store) {
    let item = "v".repeat(300);
    for _ in 0..4 {
        store.push("large", &item).await.expect("Push");
    }
    refused(store.range("large", 0, -1).await, "ANSWER_MAX");
    assert_eq!(store.range("large", 0, 2).await.map(|items| items.len()), Ok(3));
    for number in 0..4 {
        store.set_add("large set", &format!("{number}{item}")).await.expect("SetAdd");
    }
    refused(store.set_query("large set").await, "ANSWER_MAX");
    refused(store.set_union(&["large set", "s"]).await, "ANSWER_MAX");
    refused(store.set_intersection(&["large set", "large set"]).await, "ANSWER_MAX");
    let largest = "v".repeat(1_024 - 5);
    store.set("text", &largest).await.expect("Set");
    assert_eq!(store.get("text").await, Ok(Some(largest)));
    store.set("text", &"v".repeat(1_024 - 4)).await.expect("Set");
    refused(store.get("text").await, "ANSWER_MAX");
    assert_eq!(store.key_exists("text").await, Ok(true), "it can be seen");
    store.del("text").await.expect("and removed");
    assert_eq!(store.get("text").await, Ok(None));
}

fn refused<T: std::fmt::Debug>(answer: Result<T, CallError>, limit: &str) {
    let error = answer.expect_err("it is over the bound");
    assert_eq!(error.code(), Code::TooLarge, "{error}");
    assert!(error.message().contains(limit), "{limit} in: {error}");
}
