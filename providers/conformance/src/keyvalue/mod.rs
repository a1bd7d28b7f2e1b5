//! The behavior of `wascc:keyvalue`, as the contract's crate page and WIT file state it.

mod bench;
pub mod bounds;
mod client;
mod collections;
mod concurrency;
mod expiry;
mod keyspaces;
mod strings;
mod wire;

pub use bench::{Bench, Case, RealTime, Subject, Time, bind};
pub use client::Store;

/// Every rule of the contract.
#[must_use]
pub fn suite() -> Vec<Case> {
    [
        strings::CASES,
        collections::CASES,
        expiry::CASES,
        keyspaces::CASES,
        concurrency::CASES,
        wire::CASES,
    ]
    .concat()
}

/// Runs the whole suite, case after case, so that a failure is read beside its name.
pub async fn run(subject: &Subject) {
    for case in suite() {
        let task = tokio::spawn({
            let subject = subject.clone();
            async move { case.run(&subject).await }
        });
        if let Err(failure) = task.await {
            panic!("the provider breaks the rule \"{}\": {failure}", case.name);
        }
    }
}
