//! The behavior of `wascc:keyvalue`, as the contract's crate page and WIT file state it.

mod bench;
pub mod bounds;
mod client;
mod collections;
mod concurrency;
pub mod data;
mod expiry;
mod keyspaces;
mod strings;
mod wire;

pub use bench::{RealTime, Subject, Time};
pub use client::Store;

use crate::suite;
use bench::{Bench, Case};

/// Every rule of the contract.
const CASES: &[&[Case]] = &[
    strings::CASES,
    collections::CASES,
    expiry::CASES,
    keyspaces::CASES,
    concurrency::CASES,
    wire::CASES,
];

/// Runs the whole suite.
pub async fn run(subject: &Subject) {
    for case in CASES.iter().copied().flatten() {
        let bench = Bench { subject: subject.clone(), case: case.name };
        suite::run(std::slice::from_ref(case), &bench).await;
    }
}
