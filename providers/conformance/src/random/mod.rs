//! The behavior of `trellis:random`, as the contract's crate page states it.

use std::collections::BTreeSet;
use std::sync::Arc;

use trellis_capabilities::random::{BYTES_MAX, CONTRACT, Draw, DrawRequest};
use trellis_core::{CallError, Code};
use trellis_providers_sdk::{Provider, Values};

use crate::suite::{self, Caller, Case, assert_refused};

type Subject = Arc<dyn Provider>;

/// Every rule of the contract.
pub const CASES: &[Case<Subject>] = &[
    Case { name: "an answer has as many bytes as were asked for", check: |s| Box::pin(length(s)) },
    Case { name: "more than the bound is refused", check: |s| Box::pin(bounded(s)) },
    Case { name: "no two answers are alike", check: |s| Box::pin(unlike(s)) },
    Case { name: "every byte comes", check: |s| Box::pin(spread(s)) },
    Case { name: "anything else is refused", check: |s| Box::pin(refusals(s)) },
];

/// Runs the whole suite.
pub async fn run(subject: &Subject) {
    suite::run(CASES, subject).await;
}

async fn length(subject: Subject) {
    let caller = bound(&subject).await;
    for count in [0, 1, 2, 31, 32, 255, 256, 4_097, BYTES_MAX] {
        assert_eq!(draw(&caller, count).await.expect("within the bound").len(), count as usize);
    }
}

async fn bounded(subject: Subject) {
    let caller = bound(&subject).await;
    for count in [BYTES_MAX + 1, u32::MAX] {
        assert_refused(draw(&caller, count).await, Code::TooLarge);
    }
}

async fn unlike(subject: Subject) {
    let callers = [bound(&subject).await, bound(&subject).await];
    let mut seen = BTreeSet::new();
    for turn in 0..200 {
        let bytes = draw(&callers[turn % 2], 16).await.expect("within the bound");
        assert!(seen.insert(bytes), "16 random bytes came twice");
    }
}

async fn spread(subject: Subject) {
    let bytes = draw(&bound(&subject).await, BYTES_MAX).await.expect("within the bound");
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(byte)] += 1;
    }
    // 256 are expected of each; a fair source is this far off in one of 10^15 runs.
    let (least, most) = (counts.iter().min(), counts.iter().max());
    assert!(least > Some(&100) && most < Some(&450), "{least:?} to {most:?} of 256");
}

async fn refusals(subject: Subject) {
    bound(&subject).await.refuses_what_is_not_of_the_contract(&CONTRACT).await;
}

async fn bound(subject: &Subject) -> Caller {
    Caller::bind(subject, &CONTRACT, Values::default()).await
}

async fn draw(caller: &Caller, count: u32) -> Result<Vec<u8>, CallError> {
    caller.ask::<Draw>(&DrawRequest { count }).await.map(|bytes| bytes.into_vec())
}
