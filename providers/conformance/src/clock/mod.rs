//! The behavior of `trellis:clock`, as the contract's crate page states it.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use trellis_capabilities::clock::{CONTRACT, Now, Reading};
use trellis_providers_sdk::{Provider, Values};

use crate::suite::{self, Caller, Case};

type Subject = Arc<dyn Provider>;

/// Every rule of the contract.
pub const CASES: &[Case<Subject>] = &[
    Case { name: "the wall clock is the system's", check: |s| Box::pin(wall_clock(s)) },
    Case { name: "the monotonic clock counts what goes by", check: |s| Box::pin(monotonic(s)) },
    Case { name: "every binding reads the same clocks", check: |s| Box::pin(shared(s)) },
    Case { name: "anything else is refused", check: |s| Box::pin(refusals(s)) },
];

/// Runs the whole suite.
pub async fn run(subject: &Subject) {
    suite::run(CASES, subject).await;
}

async fn wall_clock(subject: Subject) {
    let caller = bound(&subject).await;
    let before = since_1970();
    let reading = read(&caller).await;
    let after = since_1970();
    let unix = Duration::from_nanos(reading.unix_nanos);
    assert!(before <= unix && unix <= after, "{before:?} <= {unix:?} <= {after:?}");
}

async fn monotonic(subject: Subject) {
    let caller = bound(&subject).await;
    let start = Instant::now();
    let first = read(&caller).await;
    let inner = Instant::now();
    let mut last = first.clone();
    while inner.elapsed() < Duration::from_millis(5) {
        let next = read(&caller).await;
        assert!(next.monotonic_nanos >= last.monotonic_nanos, "{next:?} after {last:?}");
        last = next;
    }
    // Read once more: the last of the loop may lie far before its end.
    let least = inner.elapsed();
    let last = read(&caller).await;
    let passed = Duration::from_nanos(last.monotonic_nanos - first.monotonic_nanos);
    assert!(least <= passed && passed <= start.elapsed(), "{passed:?} went by");
}

async fn shared(subject: Subject) {
    let (one, other) = (bound(&subject).await, bound(&subject).await);
    let first = read(&one).await;
    let between = read(&other).await;
    let last = read(&one).await;
    let order = [first, between, last].map(|reading| reading.monotonic_nanos);
    assert!(order.is_sorted(), "{order:?}");
}

async fn refusals(subject: Subject) {
    bound(&subject).await.refuses_what_is_not_of_the_contract(&CONTRACT).await;
}

async fn bound(subject: &Subject) -> Caller {
    Caller::bind(subject, &CONTRACT, Values::default()).await
}

async fn read(caller: &Caller) -> Reading {
    caller.ask::<Now>(&()).await.expect("a clock can always be read")
}

#[expect(clippy::disallowed_methods, reason = "the system's clock is what is asked for")]
fn since_1970() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("this machine's clock is set")
}
