//! What a case of the suite works with.

use std::sync::Arc;

use trellis_core::CallError;
use trellis_providers_sdk::{BoxFuture, Provider};

use super::client::Store;
use crate::suite::{self, values};

/// One rule of the contract, and the code that checks it.
pub(super) type Case = suite::Case<Bench>;

/// The provider under test, and how to use it.
#[derive(Clone)]
pub struct Subject {
    /// The provider.
    pub provider: Arc<dyn Provider>,
    /// The time by which the provider's keys expire.
    pub time: Arc<dyn Time>,
}

/// Time as the provider under test sees it.
pub trait Time: Send + Sync {
    /// Milliseconds since some moment.
    fn now_ms(&self) -> u64;

    /// Lets a little time go by, at most 20 ms of it.
    fn tick(&self) -> BoxFuture<'_, ()>;
}

/// The real time, for providers whose clock cannot be set.
#[derive(Debug)]
pub struct RealTime(std::time::Instant);

/// What a case works with: stores of its own.
#[derive(Clone)]
pub(super) struct Bench {
    pub(super) subject: Subject,
    /// The case's name.
    pub(super) case: &'static str,
}

impl Default for RealTime {
    fn default() -> Self {
        Self(std::time::Instant::now())
    }
}

impl Time for RealTime {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn tick(&self) -> BoxFuture<'_, ()> {
        // Polling is the one way to await another process's clock.
        Box::pin(tokio::time::sleep(std::time::Duration::from_millis(10)))
    }
}

impl Bench {
    /// A binding to a store only this case uses.
    pub(super) async fn store(&self) -> Store {
        self.store_in("").await
    }

    /// A binding to the case's store of that name; the same name is the same store.
    pub(super) async fn store_in(&self, name: &str) -> Store {
        let namespace = format!("{}/{name}/", self.case);
        let bound = self.bind("MCONFORMANCE", &[("NAMESPACE", &namespace)]).await;
        bound.expect("the suite's values are right")
    }

    /// A binding of `actor` with these values.
    ///
    /// # Errors
    /// What the provider refuses.
    pub(super) async fn bind(
        &self,
        actor: &str,
        pairs: &[(&str, &str)],
    ) -> Result<Store, CallError> {
        Store::bind(&self.subject.provider, actor, values(pairs)).await
    }

    pub(super) fn time(&self) -> &dyn Time {
        &*self.subject.time
    }
}
