//! A provider that is late is asked how it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use trellis_core::CallError;
use trellis_dispatch::Target;
use trellis_providers_sdk::{BoxFuture, Call, Provider, Reply, Restart};
use trellis_targets::{Overseer, ProviderTarget};

struct Idle;

impl Provider for Idle {
    fn call(&self, _: Call) -> BoxFuture<'_, Reply> {
        Box::pin(async { Ok(Bytes::new()) })
    }
}

/// Counts how often it is to ask.
#[derive(Default)]
struct Asks(AtomicU32);

impl Overseer for Asks {
    fn name(&self) -> Arc<str> {
        Arc::default()
    }

    fn failed(&self, _: Restart, _: &CallError) {}

    fn recovered(&self) {}

    fn health_changed(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn many_late_calls_have_it_asked_once() {
    let asks = Arc::<Asks>::default();
    let target = ProviderTarget::new(Arc::new(Idle), Arc::clone(&asks) as Arc<_>);
    assert_eq!(asks.0.load(Ordering::SeqCst), 0);
    (0..1_000).for_each(|_| target.was_late());
    assert_eq!(asks.0.load(Ordering::SeqCst), 1);
}
