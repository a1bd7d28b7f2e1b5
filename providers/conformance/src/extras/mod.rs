//! The behavior of `wascc:extras`, as the contract's WIT file states it.

use std::collections::BTreeSet;
use std::sync::Arc;

use trellis_capabilities::extras::{
    CONTRACT, GeneratorRequest, GeneratorResult, RequestGuid, RequestRandom, RequestSequence,
};
use trellis_core::{CallError, Code, OperationSpec};
use trellis_providers_sdk::{Provider, Values};

use crate::suite::{self, Caller, Case, assert_refused};

type Subject = Arc<dyn Provider>;

/// Every rule of the contract.
pub const CASES: &[Case<Subject>] = &[
    Case { name: "a GUID is a random UUID of version 4", check: |s| Box::pin(guids(s)) },
    Case { name: "a sequence counts from 1 for each binding", check: |s| Box::pin(sequences(s)) },
    Case { name: "a random number lies in its range", check: |s| Box::pin(randoms(s)) },
    Case { name: "an empty range is refused", check: |s| Box::pin(empty_ranges(s)) },
    Case { name: "anything else is refused", check: |s| Box::pin(refusals(s)) },
];

/// Runs the whole suite.
pub async fn run(subject: &Subject) {
    suite::run(CASES, subject).await;
}

async fn guids(subject: Subject) {
    let caller = bound(&subject).await;
    let mut seen = BTreeSet::new();
    for _ in 0..100 {
        let guid = ask::<RequestGuid>(&caller, 0, 0).await.expect("no limits").guid;
        let guid = guid.expect("RequestGuid answers a guid");
        assert!(is_random_uuid(&guid), "{guid}");
        assert!(seen.insert(guid), "every GUID is another");
    }
}

/// RFC 9562, section 5.4: 8-4-4-4-12 hex digits, version 4, variant 10; lower case by our contract.
fn is_random_uuid(text: &str) -> bool {
    text.len() == 36
        && text.char_indices().all(|(at, c)| match at {
            8 | 13 | 18 | 23 => c == '-',
            14 => c == '4',
            19 => matches!(c, '8' | '9' | 'a' | 'b'),
            _ => matches!(c, '0'..='9' | 'a'..='f'),
        })
}

async fn sequences(subject: Subject) {
    let (one, other) = (bound(&subject).await, bound(&subject).await);
    for expected in 1..=5 {
        assert_eq!(sequence(&one).await, expected);
    }
    assert_eq!(sequence(&other).await, 1, "each binding has its own");
    one.bind_again().await;
    assert_eq!(sequence(&one).await, 6, "binding again does not begin anew");
}

async fn randoms(subject: Subject) {
    let caller = bound(&subject).await;
    let mut seen = BTreeSet::new();
    for _ in 0..500 {
        let answer = ask::<RequestRandom>(&caller, 10, 15).await.expect("10 is below 15");
        seen.insert(answer.random_number);
    }
    assert_eq!(seen, (10..15).collect(), "all of the range, and nothing else");
    let edge = ask::<RequestRandom>(&caller, u32::MAX - 1, u32::MAX).await;
    assert_eq!(edge.expect("one number wide").random_number, u32::MAX - 1);
}

async fn empty_ranges(subject: Subject) {
    let caller = bound(&subject).await;
    for (min, max) in [(5, 5), (6, 5), (0, 0), (u32::MAX, 0)] {
        assert_refused(ask::<RequestRandom>(&caller, min, max).await, Code::Message);
    }
}

async fn refusals(subject: Subject) {
    let caller = bound(&subject).await;
    caller.refuses_what_is_not_of_the_contract(&CONTRACT).await;
    caller.is_refused_after_its_end(&CONTRACT).await;
}

async fn bound(subject: &Subject) -> Caller {
    Caller::bind(subject, &CONTRACT, Values::default()).await
}

async fn sequence(caller: &Caller) -> u64 {
    ask::<RequestSequence>(caller, 0, 0).await.expect("no limits").sequence_number
}

async fn ask<O>(caller: &Caller, min: u32, max: u32) -> Result<GeneratorResult, CallError>
where
    O: OperationSpec<Input = GeneratorRequest, Output = GeneratorResult>,
{
    caller.ask::<O>(&GeneratorRequest { min, max, ..GeneratorRequest::default() }).await
}
