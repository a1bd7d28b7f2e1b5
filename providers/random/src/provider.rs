//! The provider, which keeps nothing: every binding is served alike.

use std::sync::Arc;

use trellis_capabilities_random as contract;
use trellis_capabilities_random::BYTES_MAX;
use trellis_core::wire::Blob;
use trellis_core::{CallError, Code, Contract};
use trellis_providers_sdk::{
    BoxFuture, Call, Context, Counter, Created, Descriptor, Provider, ProviderFactory, Reply,
    Sample, ValueProblem, Values, Wanted,
};

const CONTRACTS: &[Contract] = &[contract::CONTRACT];

/// How the composition root knows this provider.
#[derive(Clone, Copy, Debug)]
pub struct Factory;

impl ProviderFactory for Factory {
    fn descriptor(&self) -> Descriptor {
        let about =
            ("random", env!("CARGO_PKG_VERSION"), "Random bytes from the operating system.");
        Descriptor { implicit: true, ..Descriptor::new(about, CONTRACTS, &[]) }
    }

    /// There is nothing to configure.
    fn validate(&self, _: &Wanted) -> Vec<ValueProblem> {
        Vec::new()
    }

    fn create(&self, _: Context, _: Values) -> Created {
        Box::pin(async { Ok(Arc::new(Random::default()) as Arc<dyn Provider>) })
    }
}

/// `random`: hands out what the operating system draws.
#[derive(Default, Debug)]
pub struct Random {
    /// Requests over [`BYTES_MAX`].
    refused: Counter,
}

impl Provider for Random {
    fn call(&self, call: Call) -> BoxFuture<'_, Reply> {
        Box::pin(async move { contract::serve(self, &(), &call.operation, &call.payload).await })
    }

    fn samples(&self) -> Vec<Sample> {
        let refused = "Requests refused because of a limit";
        let refused = Sample::counter("random_refused", refused, self.refused.get());
        vec![refused.label("limit", "BYTES_MAX")]
    }
}

impl contract::Provider for Random {
    type Caller = ();

    async fn draw(&self, _: &(), request: contract::DrawRequest) -> Result<Blob, CallError> {
        let count = request.count;
        // Before there is memory for it.
        if count > BYTES_MAX {
            self.refused.inc();
            let sentence = format!(
                "{count} random bytes at once, more than BYTES_MAX ({BYTES_MAX}); ask for them in \
                 parts"
            );
            return Err(CallError::new(Code::TooLarge, sentence));
        }
        let mut bytes = vec![0; count as usize];
        getrandom::fill(&mut bytes).map_err(|_| {
            CallError::new(Code::Provider, "the operating system gives no random numbers")
        })?;
        Ok(bytes.into())
    }
}
