//! What the tests of this provider share.
#![allow(dead_code, reason = "each test uses its part")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use trellis_providers_conformance::keyvalue::{Store, Subject, Time};
use trellis_providers_keyvalue_embedded::{Clock, Embedded, SystemClock};
use trellis_providers_sdk::{BoxFuture, Provider, Values};

/// A clock that only a test moves.
#[derive(Debug)]
pub(crate) struct ManualClock(AtomicU64);

impl Default for ManualClock {
    fn default() -> Self {
        Self(AtomicU64::new(1_700_000_000_000))
    }
}

impl ManualClock {
    pub(crate) fn pass_ms(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Time for ManualClock {
    fn now_ms(&self) -> u64 {
        Clock::now_ms(self)
    }

    fn tick(&self) -> BoxFuture<'_, ()> {
        self.pass_ms(10);
        Box::pin(async {})
    }
}

pub(crate) fn values(pairs: &[(&str, &str)]) -> Values {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// The values of a provider that keeps its keys in `path`.
pub(crate) fn in_file(path: &Path) -> Values {
    values(&[("PATH", path.to_str().expect("test paths are UTF-8"))])
}

pub(crate) async fn open(given: &Values) -> Arc<Embedded> {
    let opened = Embedded::open(given, Arc::new(SystemClock)).await;
    Arc::new(opened.expect("the values are right"))
}

/// The provider as the conformance suite wants it, with a clock of its own.
pub(crate) async fn subject(given: &Values) -> Subject {
    let clock = Arc::new(ManualClock::default());
    let opened = Embedded::open(given, Arc::clone(&clock) as Arc<dyn Clock>).await;
    Subject { provider: Arc::new(opened.expect("the values are right")), time: clock }
}

/// A binding of `actor` with these values.
pub(crate) async fn bind(provider: &Arc<Embedded>, actor: &str, given: Values) -> Store {
    let provider = Arc::clone(provider) as Arc<dyn Provider>;
    Store::bind(&provider, actor, given).await.expect("the binding's values are right")
}
