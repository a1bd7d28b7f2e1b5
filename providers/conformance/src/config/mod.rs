//! The behavior of `trellis:config`, as the contract's crate page states it.

use std::sync::Arc;

use trellis_capabilities::config::{All, CONTRACT, Get, GetRequest};
use trellis_providers_sdk::{Provider, Values};

use crate::suite::{self, Caller, Case, values};

type Subject = Arc<dyn Provider>;

/// Every rule of the contract.
pub const CASES: &[Case<Subject>] = &[
    Case { name: "a key has its text, or nothing", check: |s| Box::pin(lookup(s)) },
    Case { name: "all keys come in order", check: |s| Box::pin(order(s)) },
    Case { name: "an actor sees its own values alone", check: |s| Box::pin(apart(s)) },
    Case { name: "changed values change the answers", check: |s| Box::pin(changes(s)) },
    Case { name: "anything else is refused", check: |s| Box::pin(refusals(s)) },
];

/// Runs the whole suite.
pub async fn run(subject: &Subject) {
    suite::run(CASES, subject).await;
}

async fn lookup(subject: Subject) {
    let given = [("BASE_URL", "https://example.org/"), ("EMPTY", ""), ("", "no name"), ("ü", "ö")];
    let caller = bound(&subject, &given).await;
    for (key, text) in given {
        assert_eq!(get(&caller, key).await.as_deref(), Some(text), "{key:?}");
    }
    for missing in ["base_url", "BASE_URL ", "BASE", "u\u{308}"] {
        assert_eq!(get(&caller, missing).await, None, "{missing:?}");
    }
}

async fn order(subject: Subject) {
    let caller = bound(&subject, &[("b", "1"), ("Z", "2"), ("é", "3"), ("a", "4")]).await;
    assert_eq!(all(&caller).await, [("Z", "2"), ("a", "4"), ("b", "1"), ("é", "3")].map(owned));
    assert_eq!(all(&bound(&subject, &[]).await).await, []);
}

async fn apart(subject: Subject) {
    let (one, other) = (bound(&subject, &[("K", "1")]).await, bound(&subject, &[("L", "2")]).await);
    assert_eq!(all(&one).await, [owned(("K", "1"))]);
    assert_eq!(all(&other).await, [owned(("L", "2"))]);
    one.unbind().await;
    assert_eq!(get(&other, "L").await.as_deref(), Some("2"));
}

async fn changes(subject: Subject) {
    let mut caller = bound(&subject, &[("K", "1"), ("GONE", "x")]).await;
    caller.change(values(&[("K", "2"), ("NEW", "y")])).await;
    assert_eq!(all(&caller).await, [("K", "2"), ("NEW", "y")].map(owned));
    assert_eq!(get(&caller, "GONE").await, None);
    caller.bind_again().await;
    assert_eq!(get(&caller, "K").await.as_deref(), Some("2"));
}

async fn refusals(subject: Subject) {
    let caller = bound(&subject, &[]).await;
    caller.refuses_what_is_not_of_the_contract(&CONTRACT).await;
    caller.is_refused_after_its_end(&CONTRACT).await;
}

async fn bound(subject: &Subject, given: &[(&str, &str)]) -> Caller {
    let given: Values = values(given);
    Caller::bind(subject, &CONTRACT, given).await
}

async fn get(caller: &Caller, key: &str) -> Option<String> {
    let request = GetRequest { key: key.to_owned() };
    caller.ask::<Get>(&request).await.expect("reading cannot fail")
}

async fn all(caller: &Caller) -> Vec<(String, String)> {
    caller.ask::<All>(&()).await.expect("reading cannot fail").0
}

fn owned((key, text): (&str, &str)) -> (String, String) {
    (key.to_owned(), text.to_owned())
}
