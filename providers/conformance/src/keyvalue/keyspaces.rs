//! Whose keys a binding sees.

use trellis_core::Code;

use super::bench::{Bench, Case};

pub(super) const CASES: &[Case] = &[
    Case { name: "an actor sees its own keys", check: |b| Box::pin(own(b)) },
    Case { name: "a NAMESPACE is shared by its name", check: |b| Box::pin(named(b)) },
    Case { name: "SHARED bindings share one set of keys", check: |b| Box::pin(shared(b)) },
    Case { name: "NAMESPACE wins over SHARED", check: |b| Box::pin(both(b)) },
    Case { name: "a key cannot reach into another keyspace", check: |b| Box::pin(apart(b)) },
];

async fn own(bench: Bench) {
    let one = bench.bind("MOWNONE", &[]).await.expect("nothing to get wrong");
    let other = bench.bind("MOWNOTHER", &[]).await.expect("nothing to get wrong");
    let again = bench.bind("MOWNONE", &[("SHARED", "false")]).await.expect("the default, written");
    assert_eq!(one.add("n", 1).await, Ok(1));
    assert_eq!(other.add("n", 1).await, Ok(1), "another actor does not see it");
    assert_eq!(again.add("n", 1).await, Ok(2), "another binding of the actor does");
    one.del("n").await.expect("Del");
    assert_eq!(other.get("n").await, Ok(Some("1".to_owned())));
}

async fn named(bench: Bench) {
    let name = |name: &'static str| [("NAMESPACE", name)];
    let one = bench.bind("MNAMEDONE", &name("a team")).await.expect("a name");
    let other = bench.bind("MNAMEDOTHER", &name("a team")).await.expect("a name");
    let elsewhere = bench.bind("MNAMEDONE", &name("another team")).await.expect("a name");
    let own = bench.bind("MNAMEDONE", &[]).await.expect("nothing to get wrong");
    assert_eq!(one.push("l", "x").await, Ok(1));
    assert_eq!(other.push("l", "y").await, Ok(2), "the name is shared");
    assert_eq!(elsewhere.push("l", "x").await, Ok(1), "another name is not");
    assert_eq!(own.push("l", "x").await, Ok(1), "nor are the actor's own keys");
    assert_eq!(one.range("l", 0, -1).await.map(|items| items.len()), Ok(2));
}

async fn shared(bench: Bench) {
    let yes = [("SHARED", "true")];
    let one = bench.bind("MSHAREDONE", &yes).await.expect("a truth value");
    let other = bench.bind("MSHAREDOTHER", &yes).await.expect("a truth value");
    let own = bench.bind("MSHAREDONE", &[]).await.expect("nothing to get wrong");
    let key = "shared by the conformance suite";
    assert_eq!(one.set_add(key, "x").await, Ok(1));
    assert_eq!(other.set_add(key, "y").await, Ok(2), "both see it");
    assert_eq!(own.set_query(key).await, Ok(vec![]), "its own keys are others");
}

async fn both(bench: Bench) {
    let both = [("NAMESPACE", "both"), ("SHARED", "true")];
    let both = bench.bind("MBOTH", &both).await.expect("a name and a truth value");
    let named = bench.bind("MNAMED", &[("NAMESPACE", "both")]).await.expect("a name");
    assert_eq!(both.add("n", 1).await, Ok(1));
    assert_eq!(named.add("n", 1).await, Ok(2));
    let Err(error) = bench.bind("MBOTH", &[("NAMESPACE", "")]).await else {
        panic!("an empty name is no name");
    };
    assert_eq!(error.code(), Code::Config, "{error}");
    assert!(error.message().contains("NAMESPACE"), "{error}");
}

async fn apart(bench: Bench) {
    let secret = bench.bind("MAPARTONE", &[]).await.expect("nothing to get wrong");
    let near = bench.bind("MAPART", &[]).await.expect("nothing to get wrong");
    let named = bench.bind("MAPART", &[("NAMESPACE", "MAPARTON")]).await.expect("a name");
    let colon = bench.bind("MAPART", &[("NAMESPACE", "MAPARTONE:k")]).await.expect("a name");
    let shared = bench.bind("MAPART", &[("SHARED", "true")]).await.expect("a truth value");
    secret.set("k", "secret").await.expect("Set");
    secret.set("k:l", "secret").await.expect("Set");
    for store in [&near, &named, &colon, &shared] {
        // How stores spell, spelled or might spell the name of a private key.
        for key in [
            "l",
            "",
            "ONE:k",
            "E:k",
            ":ONE:k",
            "MAPARTONE:k",
            "MAPARTONE:k:l",
            "MAPARTONE\0k",
            "MAPARTONE/k",
            "MAPARTONE\u{1f}k",
            "\u{1f}MAPARTONE\u{1f}k",
            "E\0k",
            "\0k",
            "k",
        ] {
            assert_eq!(store.get(key).await, Ok(None), "{key:?}");
            store.set(key, "other").await.expect("Set");
            assert_eq!(store.get(key).await, Ok(Some("other".to_owned())), "{key:?}");
            store.del(key).await.expect("Del");
        }
    }
    for key in ["k", "k:l"] {
        assert_eq!(secret.get(key).await, Ok(Some("secret".to_owned())), "{key:?} is untouched");
    }
}
