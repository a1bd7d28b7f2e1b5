//! What a case of the suite works with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use trellis_core::{ActorKey, BindingName, CallError, Code};
use trellis_providers_sdk::{Binding, BindingId, BoxFuture, Provider};

use super::client::Store;

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

/// One rule, and the code that checks it.
#[derive(Clone, Copy)]
pub struct Case {
    /// The rule in a few words; unique within the suite.
    pub name: &'static str,
    pub(super) check: fn(Bench) -> BoxFuture<'static, ()>,
}

/// What a case works with: stores of its own.
#[derive(Clone)]
pub struct Bench {
    subject: Subject,
    case: &'static str,
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

impl Case {
    /// Runs the case; panics when the provider breaks the rule.
    pub async fn run(&self, subject: &Subject) {
        let bench = Bench { subject: subject.clone(), case: self.name };
        (self.check)(bench).await;
    }
}

impl Bench {
    /// A binding to a store only this case uses.
    pub async fn store(&self) -> Store {
        self.store_in("").await
    }

    /// A binding to the case's store of that name; the same name is the same store.
    pub async fn store_in(&self, name: &str) -> Store {
        let namespace = format!("{}/{name}/", self.case);
        let bound = self.bind("MCONFORMANCE", &[("NAMESPACE", &namespace)]).await;
        bound.expect("the suite's values are right")
    }

    /// A binding of `actor` with these values.
    ///
    /// # Errors
    /// What the provider refuses.
    pub async fn bind(&self, actor: &str, values: &[(&str, &str)]) -> Result<Store, CallError> {
        let provider = Arc::clone(&self.subject.provider);
        bind(provider, actor, values).await
    }

    pub(super) fn time(&self) -> &dyn Time {
        &*self.subject.time
    }
}

/// A new binding of `actor` to a provider, with these values.
///
/// # Errors
/// What the provider refuses.
pub async fn bind(
    provider: Arc<dyn Provider>,
    actor: &str,
    values: &[(&str, &str)],
) -> Result<Store, CallError> {
    // Relaxed: all that matters is that no two are the same.
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let id = BindingId(NEXT.fetch_add(1, Ordering::Relaxed));
    let binding = Binding {
        id,
        actor: ActorKey::new(actor),
        actor_name: actor.to_lowercase(),
        contract: trellis_capabilities::keyvalue::CONTRACT.id.clone(),
        name: BindingName::default(),
        payload_bytes_max: 17 << 20,
        values: values.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect(),
    };
    provider.bind(binding).await?;
    Ok(Store::new(provider, id))
}

/// Asserts that an operation was refused with `code`.
pub(super) fn assert_refused<T: std::fmt::Debug>(
    answer: Result<T, trellis_core::CallError>,
    code: Code,
) {
    match answer {
        Ok(reply) => panic!("expected {code}, got the reply {reply:?}"),
        Err(error) => assert_eq!(error.code(), code, "{error}"),
    }
}
