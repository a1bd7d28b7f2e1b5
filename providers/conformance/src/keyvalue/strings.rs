//! Strings and counters.

use trellis_core::Code;

use super::bench::{Bench, Case};
use crate::suite::assert_refused;

pub(super) const CASES: &[Case] = &[
    Case { name: "a missing key is no error", check: |b| Box::pin(missing(b)) },
    Case { name: "a string is kept as it is", check: |b| Box::pin(kept(b)) },
    Case { name: "a string may be large", check: |b| Box::pin(large(b)) },
    Case { name: "Set replaces any kind", check: |b| Box::pin(replaced(b)) },
    Case { name: "Del removes any kind", check: |b| Box::pin(removed(b)) },
    Case { name: "Add counts", check: |b| Box::pin(counts(b)) },
    Case { name: "Add stays within 32 bits", check: |b| Box::pin(in_range(b)) },
    Case { name: "Add takes counters only", check: |b| Box::pin(counters_only(b)) },
    Case { name: "stores do not see one another", check: |b| Box::pin(apart(b)) },
    Case { name: "bindings to one store share it", check: |b| Box::pin(shared(b)) },
];

async fn missing(bench: Bench) {
    let store = bench.store().await;
    assert_eq!(store.get("k").await, Ok(None));
    assert_eq!(store.key_exists("k").await, Ok(false));
    assert_eq!(store.del("k").await, Ok(()));
    assert_eq!(store.get("k").await, Ok(None));
}

async fn kept(bench: Bench) {
    let store = bench.store().await;
    let texts = [
        "",
        " ",
        "text",
        "0",
        "42",
        "-7",
        "007",
        "+1",
        "-0",
        "2147483648",
        "1.5",
        "a\0b",
        "\n\r\t",
        "ü",
        "u\u{308}",
        "日本語",
        "🌱",
        "'\"\\%s{}:*?[x]",
    ];
    for key in texts {
        for value in texts {
            assert_eq!(store.set(key, value).await, Ok(()));
            assert_eq!(store.get(key).await, Ok(Some(value.to_owned())), "{key:?} = {value:?}");
        }
    }
    for key in texts {
        assert_eq!(store.key_exists(key).await, Ok(true), "{key:?}");
    }
}

async fn large(bench: Bench) {
    let store = bench.store().await;
    let (key, value) = ("k".repeat(10_000), "v".repeat(1 << 20));
    assert_eq!(store.set(&key, &value).await, Ok(()));
    let got = store.get(&key).await.expect("a large string is no error");
    assert!(got.as_deref() == Some(value.as_str()), "the large string comes back whole");
}

async fn replaced(bench: Bench) {
    let store = bench.store().await;
    assert_eq!(store.push("list", "item").await, Ok(1));
    assert_eq!(store.set_add("set", "member").await, Ok(1));
    for key in ["list", "set"] {
        assert_eq!(store.set(key, "text").await, Ok(()));
        assert_eq!(store.get(key).await, Ok(Some("text".to_owned())));
        assert_eq!(store.del(key).await, Ok(()));
    }
    assert_eq!(store.range("list", 0, -1).await, Ok(vec![]), "no item outlives its list");
    assert_eq!(store.set_query("set").await, Ok(vec![]), "no member outlives its set");
    assert_eq!(store.set_add("list", "member").await, Ok(1));
    assert_eq!(store.push("set", "item").await, Ok(1));
}

async fn removed(bench: Bench) {
    let store = bench.store().await;
    assert_eq!(store.set("text", "t").await, Ok(()));
    assert_eq!(store.add("counter", 1).await, Ok(1));
    assert_eq!(store.push("list", "item").await, Ok(1));
    assert_eq!(store.set_add("set", "member").await, Ok(1));
    for key in ["text", "counter", "list", "set"] {
        assert_eq!(store.key_exists(key).await, Ok(true), "{key}");
        assert_eq!(store.del(key).await, Ok(()));
        assert_eq!(store.key_exists(key).await, Ok(false), "{key}");
    }
    assert_eq!(store.push("list", "new").await, Ok(1), "nothing is left of the old list");
    assert_eq!(store.range("list", 0, -1).await, Ok(vec!["new".to_owned()]));
    assert_eq!(store.set_add("set", "new").await, Ok(1), "nothing is left of the old set");
    assert_eq!(store.set_query("set").await, Ok(vec!["new".to_owned()]));
}

async fn counts(bench: Bench) {
    let store = bench.store().await;
    assert_eq!(store.add("n", 1).await, Ok(1));
    assert_eq!(store.add("n", 41).await, Ok(42));
    assert_eq!(store.add("n", -50).await, Ok(-8));
    assert_eq!(store.add("n", 0).await, Ok(-8));
    assert_eq!(store.get("n").await, Ok(Some("-8".to_owned())));
    assert_eq!(store.add("new", 0).await, Ok(0), "a sum of 0 makes the key too");
    assert_eq!(store.key_exists("new").await, Ok(true));
    assert_eq!(store.set("n", "2147483646").await, Ok(()));
    assert_eq!(store.add("n", 1).await, Ok(i32::MAX), "a counter may be set");
}

async fn in_range(bench: Bench) {
    let store = bench.store().await;
    assert_eq!(store.add("high", i32::MAX).await, Ok(i32::MAX));
    assert_refused(store.add("high", 1).await, Code::Range);
    assert_refused(store.add("high", i32::MAX).await, Code::Range);
    assert_eq!(store.get("high").await, Ok(Some(i32::MAX.to_string())), "nothing was changed");
    assert_eq!(store.add("high", i32::MIN).await, Ok(-1));
    assert_eq!(store.add("low", i32::MIN).await, Ok(i32::MIN));
    assert_refused(store.add("low", -1).await, Code::Range);
    assert_eq!(store.add("low", 0).await, Ok(i32::MIN), "nothing was changed");
}

async fn counters_only(bench: Bench) {
    let store = bench.store().await;
    let texts = [
        "",
        " ",
        "x",
        "007",
        "00",
        "+1",
        "-0",
        "-",
        " 1",
        "1 ",
        "1.0",
        "1e3",
        "0x10",
        "2147483648",
        "-2147483649",
        "99999999999999999999",
        "1\0",
        "١",
    ];
    for text in texts {
        assert_eq!(store.set("k", text).await, Ok(()));
        assert_refused(store.add("k", 1).await, Code::WrongType);
        assert_eq!(store.get("k").await, Ok(Some(text.to_owned())), "nothing was changed");
    }
    assert_eq!(store.push("list", "1").await, Ok(1));
    assert_eq!(store.set_add("set", "1").await, Ok(1));
    for key in ["list", "set"] {
        assert_refused(store.add(key, 1).await, Code::WrongType);
        assert_refused(store.get(key).await, Code::WrongType);
    }
}

async fn apart(bench: Bench) {
    let (one, other) = (bench.store_in("one").await, bench.store_in("other").await);
    assert_eq!(one.set("k", "1").await, Ok(()));
    assert_eq!(other.get("k").await, Ok(None));
    assert_eq!(other.add("k", 5).await, Ok(5));
    assert_eq!(one.del("k").await, Ok(()));
    assert_eq!(other.get("k").await, Ok(Some("5".to_owned())));
    assert_eq!(one.set_add("s", "a").await, Ok(1));
    assert_eq!(other.set_union(&["s"]).await, Ok(vec![]));
}

async fn shared(bench: Bench) {
    let (one, other) = (bench.store_in("same").await, bench.store_in("same").await);
    assert_eq!(one.set("k", "1").await, Ok(()));
    assert_eq!(other.get("k").await, Ok(Some("1".to_owned())));
    assert_eq!(other.add("k", 1).await, Ok(2));
    assert_eq!(one.get("k").await, Ok(Some("2".to_owned())));
    one.unbind().await;
    assert_eq!(other.get("k").await, Ok(Some("2".to_owned())), "keys outlive a binding");
}
