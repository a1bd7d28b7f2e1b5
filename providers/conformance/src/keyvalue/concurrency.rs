//! Many callers at once.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use super::bench::{Bench, Case};
use super::client::Store;

pub(super) const CASES: &[Case] = &[
    Case { name: "every Add is counted, once", check: |b| Box::pin(counted(b)) },
    Case { name: "every Push is kept", check: |b| Box::pin(pushed(b)) },
    Case { name: "members are added and removed whole", check: |b| Box::pin(members(b)) },
];

const TASKS: usize = 16;
const EACH: usize = 50;

async fn counted(bench: Bench) {
    let sums = at_once(&bench, |store, _| async move { store.add("n", 1).await }).await;
    let distinct: BTreeSet<i32> = sums.iter().copied().collect();
    let total = i32::try_from(TASKS * EACH).expect("a small number");
    assert_eq!(distinct, (1..=total).collect(), "every sum is answered once");
    assert_eq!(bench.store().await.get("n").await, Ok(Some(total.to_string())));
}

async fn pushed(bench: Bench) {
    let push =
        |store: Store, number: usize| async move { store.push("l", &number.to_string()).await };
    let counts: BTreeSet<i32> = at_once(&bench, push).await.into_iter().collect();
    assert_eq!(counts.len(), TASKS * EACH, "every length is answered once");
    let items = bench.store().await.range("l", 0, -1).await.expect("Range on a list");
    let distinct: BTreeSet<&String> = items.iter().collect();
    assert_eq!((items.len(), distinct.len()), (TASKS * EACH, TASKS * EACH));
}

async fn members(bench: Bench) {
    let add = |store: Store, number: usize| async move {
        let member = (number % 100).to_string();
        store.set_add("s", &member).await
    };
    at_once(&bench, add).await;
    assert_eq!(bench.store().await.set_query("s").await.expect("SetQuery on a set").len(), 100);
    let remove = |store: Store, number: usize| async move {
        let member = (number % 100).to_string();
        store.set_remove("s", &member).await
    };
    at_once(&bench, remove).await;
    assert_eq!(bench.store().await.key_exists("s").await, Ok(false));
}

/// Runs `operation` from many tasks, half through one binding and half through another, each time
/// with another number.
async fn at_once<F, A>(bench: &Bench, operation: F) -> Vec<i32>
where
    F: Fn(Store, usize) -> A + Copy + Send + 'static,
    A: Future<Output = Result<i32, trellis_core::CallError>> + Send,
{
    let bindings = [bench.store().await, bench.store().await];
    let tasks = (0..TASKS).map(|task| {
        let store = bindings[task % bindings.len()].clone();
        tokio::spawn(async move {
            let mut answers = Vec::with_capacity(EACH);
            for number in 0..EACH {
                let answer = operation(store.clone(), task * EACH + number).await;
                answers.push(answer.expect("the operation fits the key"));
            }
            answers
        })
    });
    let answers = join_all(tasks).await;
    answers.into_iter().flat_map(|task| task.expect("no task panics")).collect()
}
