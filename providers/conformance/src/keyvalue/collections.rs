//! Lists and sets.

use trellis_core::Code;

use super::bench::{Bench, Case};
use super::client::Store;
use crate::suite::assert_refused;

pub(super) const CASES: &[Case] = &[
    Case { name: "Push puts at the head", check: |b| Box::pin(pushed(b)) },
    Case { name: "Range reads positions from both ends", check: |b| Box::pin(ranged(b)) },
    Case { name: "Range reads a long list", check: |b| Box::pin(long(b)) },
    Case { name: "ListItemDelete removes every equal", check: |b| Box::pin(items_removed(b)) },
    Case { name: "Clear removes lists only", check: |b| Box::pin(cleared(b)) },
    Case { name: "a set has each member once", check: |b| Box::pin(members(b)) },
    Case { name: "SetUnion unites", check: |b| Box::pin(united(b)) },
    Case { name: "SetIntersection intersects", check: |b| Box::pin(intersected(b)) },
    Case { name: "an empty collection does not exist", check: |b| Box::pin(emptied(b)) },
    Case { name: "operations refuse other kinds", check: |b| Box::pin(kinds(b)) },
];

async fn pushed(bench: Bench) {
    let store = bench.store().await;
    for (count, item) in (1..).zip(["a", "", "b", "a", "ü\0"]) {
        assert_eq!(store.push("l", item).await, Ok(count));
    }
    assert_eq!(store.range("l", 0, -1).await, Ok(texts(&["ü\0", "a", "b", "", "a"])));
}

async fn ranged(bench: Bench) {
    let store = bench.store().await;
    for item in ["e", "d", "c", "b", "a"] {
        store.push("l", item).await.expect("Push on a list");
    }
    for (start, stop, expected) in [
        (0, -1, "abcde"),
        (0, 0, "a"),
        (1, 3, "bcd"),
        (-2, -1, "de"),
        (-1, -1, "e"),
        (-100, 100, "abcde"),
        (-100, -5, "a"),
        (-100, -6, ""),
        (3, 1, ""),
        (4, 9, "e"),
        (5, 9, ""),
        (i32::MIN, i32::MAX, "abcde"),
        (i32::MAX, i32::MIN, ""),
        (i32::MAX, i32::MAX, ""),
        (i32::MIN, i32::MIN, ""),
    ] {
        let expected: Vec<String> = expected.chars().map(String::from).collect();
        assert_eq!(store.range("l", start, stop).await, Ok(expected), "{start}..={stop}");
    }
    assert_eq!(store.range("missing", 0, -1).await, Ok(vec![]));
}

async fn long(bench: Bench) {
    const COUNT: i32 = 300;
    let store = bench.store().await;
    for number in (0..COUNT).rev() {
        store.push("l", &number.to_string()).await.expect("Push on a list");
    }
    assert_eq!(store.list_item_delete("l", "100").await, Ok(COUNT - 1));
    let numbers: Vec<String> =
        (0..COUNT).filter(|n| *n != 100).map(|number| number.to_string()).collect();
    for (start, stop) in [(0, 9), (95, 105), (-10, -1), (280, 298), (150, 150), (0, -1)] {
        let last = usize::try_from(if stop < 0 { COUNT - 1 + stop } else { stop });
        let first = usize::try_from(if start < 0 { COUNT - 1 + start } else { start });
        let expected = &numbers[first.expect("a position")..=last.expect("a position")];
        let got = store.range("l", start, stop).await.expect("Range on a list");
        assert_eq!(got, expected, "{start}..={stop}");
    }
}

async fn items_removed(bench: Bench) {
    let store = bench.store().await;
    for item in ["a", "b", "a", "c", "a"] {
        store.push("l", item).await.expect("Push on a list");
    }
    assert_eq!(store.list_item_delete("l", "x").await, Ok(5), "a missing item is no error");
    assert_eq!(store.list_item_delete("l", "a").await, Ok(2));
    assert_eq!(store.range("l", 0, -1).await, Ok(texts(&["c", "b"])));
    assert_eq!(store.push("l", "d").await, Ok(3));
    assert_eq!(store.range("l", 0, -1).await, Ok(texts(&["d", "c", "b"])));
    assert_eq!(store.range("l", -1, -1).await, Ok(texts(&["b"])));
    assert_eq!(store.list_item_delete("missing", "x").await, Ok(0));
    assert_eq!(store.key_exists("missing").await, Ok(false));
}

async fn cleared(bench: Bench) {
    let store = bench.store().await;
    store.push("l", "a").await.expect("Push on a new key");
    assert_eq!(store.clear("l").await, Ok(()));
    assert_eq!(store.key_exists("l").await, Ok(false));
    assert_eq!(store.clear("missing").await, Ok(()));
    store.set("text", "t").await.expect("Set");
    store.set_add("set", "m").await.expect("SetAdd on a new key");
    for key in ["text", "set"] {
        assert_refused(store.clear(key).await, Code::WrongType);
        assert_eq!(store.key_exists(key).await, Ok(true), "nothing was changed");
    }
}

async fn members(bench: Bench) {
    let store = bench.store().await;
    assert_eq!(store.set_add("s", "b").await, Ok(1));
    assert_eq!(store.set_add("s", "a").await, Ok(2));
    assert_eq!(store.set_add("s", "b").await, Ok(2), "adding twice changes nothing");
    for member in ["", "ü", "B", "ab", "a\0", "10", "9"] {
        store.set_add("s", member).await.expect("SetAdd on a set");
    }
    let ascending = texts(&["", "10", "9", "B", "a", "a\0", "ab", "b", "ü"]);
    assert_eq!(store.set_query("s").await, Ok(ascending));
    assert_eq!(store.set_remove("s", "a").await, Ok(8));
    assert_eq!(store.set_remove("s", "a").await, Ok(8), "a missing member is no error");
    assert_eq!(store.set_remove("missing", "a").await, Ok(0));
    assert_eq!(store.set_query("missing").await, Ok(vec![]));
    assert_eq!(store.key_exists("missing").await, Ok(false));
}

async fn united(bench: Bench) {
    let store = three_sets(&bench).await;
    for (keys, expected) in [
        (&["one", "two"][..], &["a", "b", "c", "d"][..]),
        (&["two", "one", "three"], &["a", "b", "c", "d", "e"]),
        (&["one", "one"], &["a", "b", "c"]),
        (&["one", "missing"], &["a", "b", "c"]),
        (&["missing"], &[]),
        (&[], &[]),
    ] {
        assert_eq!(store.set_union(keys).await, Ok(texts(expected)), "{keys:?}");
    }
    assert_eq!(store.set_query("one").await, Ok(texts(&["a", "b", "c"])), "nothing was changed");
}

async fn intersected(bench: Bench) {
    let store = three_sets(&bench).await;
    for (keys, expected) in [
        (&["one", "two"][..], &["b", "c"][..]),
        (&["two", "one", "three"], &["c"]),
        (&["one", "one"], &["a", "b", "c"]),
        (&["one"], &["a", "b", "c"]),
        (&["one", "missing"], &[]),
        (&["missing", "one"], &[]),
        (&[], &[]),
    ] {
        assert_eq!(store.set_intersection(keys).await, Ok(texts(expected)), "{keys:?}");
    }
}

async fn emptied(bench: Bench) {
    let store = bench.store().await;
    store.push("l", "a").await.expect("Push on a new key");
    assert_eq!(store.list_item_delete("l", "a").await, Ok(0));
    store.set_add("s", "a").await.expect("SetAdd on a new key");
    assert_eq!(store.set_remove("s", "a").await, Ok(0));
    for key in ["l", "s"] {
        assert_eq!(store.key_exists(key).await, Ok(false), "{key}");
    }
    assert_eq!(store.set_add("l", "m").await, Ok(1), "the key is free for another kind");
    assert_eq!(store.push("s", "i").await, Ok(1), "the key is free for another kind");
}

async fn kinds(bench: Bench) {
    let store = bench.store().await;
    store.set("text", "t").await.expect("Set");
    store.push("list", "i").await.expect("Push on a new key");
    store.set_add("set", "m").await.expect("SetAdd on a new key");
    for key in ["text", "set"] {
        assert_refused(store.range(key, 0, -1).await, Code::WrongType);
        assert_refused(store.push(key, "i").await, Code::WrongType);
        assert_refused(store.list_item_delete(key, "i").await, Code::WrongType);
    }
    for key in ["text", "list"] {
        assert_refused(store.set_add(key, "m").await, Code::WrongType);
        assert_refused(store.set_remove(key, "m").await, Code::WrongType);
        assert_refused(store.set_query(key).await, Code::WrongType);
        for keys in [&[key][..], &["set", key], &[key, "missing"], &["missing", key]] {
            assert_refused(store.set_union(keys).await, Code::WrongType);
            assert_refused(store.set_intersection(keys).await, Code::WrongType);
        }
    }
    assert_eq!(store.get("text").await, Ok(Some("t".to_owned())), "nothing was changed");
    assert_eq!(store.range("list", 0, -1).await, Ok(texts(&["i"])), "nothing was changed");
    assert_eq!(store.set_query("set").await, Ok(texts(&["m"])), "nothing was changed");
}

async fn three_sets(bench: &Bench) -> Store {
    let store = bench.store().await;
    for (key, members) in [("one", "cab"), ("two", "dcb"), ("three", "ec")] {
        for member in members.chars() {
            store.set_add(key, &member.to_string()).await.expect("SetAdd on a set");
        }
    }
    store
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}
