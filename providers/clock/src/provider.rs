//! The provider, which keeps nothing: every binding is served alike.

use std::sync::{Arc, LazyLock};
use std::time::{Instant, SystemTime};

use trellis_capabilities_clock as contract;
use trellis_core::{CallError, Contract};
use trellis_providers_sdk::{
    BoxFuture, Call, Context, Created, Descriptor, Provider, ProviderFactory, Reply, ValueProblem,
    Values, Wanted,
};

const CONTRACTS: &[Contract] = &[contract::CONTRACT];

/// How the composition root knows this provider.
#[derive(Clone, Copy, Debug)]
pub struct Factory;

impl ProviderFactory for Factory {
    fn descriptor(&self) -> Descriptor {
        let about = ("clock", env!("CARGO_PKG_VERSION"), "The time, by the clocks of the host.");
        Descriptor { implicit: true, ..Descriptor::new(about, CONTRACTS, &[]) }
    }

    /// There is nothing to configure.
    fn validate(&self, _: &Wanted) -> Vec<ValueProblem> {
        Vec::new()
    }

    fn create(&self, _: Context, _: Values) -> Created {
        Box::pin(async { Ok(Arc::new(Clock) as Arc<dyn Provider>) })
    }
}

/// `clock`: reads the clocks of the operating system.
#[derive(Clone, Copy, Debug)]
pub struct Clock;

impl Provider for Clock {
    fn call(&self, call: Call) -> BoxFuture<'_, Reply> {
        Box::pin(async move { contract::serve(self, &(), &call.operation, &call.payload).await })
    }
}

impl contract::Provider for Clock {
    type Caller = ();

    async fn now(&self, _: &()) -> Result<contract::Reading, CallError> {
        // One moment for the whole process: a provider that takes over from another goes on where
        // that one was.
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        #[expect(clippy::disallowed_methods, reason = "the system's clock is what is asked for")]
        let now = SystemTime::now();
        // A clock that stands before 1970 was never set.
        let unix = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let monotonic = START.elapsed();
        let nanos = |nanos: u128| u64::try_from(nanos).unwrap_or(u64::MAX);
        Ok(contract::Reading {
            unix_nanos: nanos(unix.as_nanos()),
            monotonic_nanos: nanos(monotonic.as_nanos()),
        })
    }
}
