//! The provider, which keeps nothing: every binding is served alike.

use std::sync::Arc;

use trellis_capabilities_random as contract;
use trellis_capabilities_random::BYTES_MAX;
use trellis_core::wire::Blob;
use trellis_core::{CallError, Code, Contract};
use trellis_providers_sdk::{
    Binding, BindingId, BoxFuture, Call, Context, Created, Descriptor, Provider, ProviderFactory,
    Reply, ValueProblem, Values, Wanted,
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
        Box::pin(async { Ok(Arc::new(Random) as Arc<dyn Provider>) })
    }
}

/// `random`: hands out what the operating system draws.
#[derive(Clone, Copy, Debug)]
pub struct Random;

impl Provider for Random {
    fn bind(&self, _: Binding) -> BoxFuture<'_, Result<(), CallError>> {
        Box::pin(async { Ok(()) })
    }

    fn unbind(&self, _: BindingId) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Reply> {
        Box::pin(async move { contract::serve(self, &(), &call.operation, &call.payload).await })
    }
}

impl contract::Provider for Random {
    type Caller = ();

    async fn draw(&self, _: &(), request: contract::DrawRequest) -> Result<Blob, CallError> {
        let count = request.count;
        // Before there is memory for it.
        if count > BYTES_MAX {
            let sentence = format!("{count} random bytes at once; at most {BYTES_MAX}");
            return Err(CallError::new(Code::TooLarge, sentence));
        }
        let mut bytes = vec![0; count as usize];
        getrandom::fill(&mut bytes).map_err(|_| {
            CallError::new(Code::Provider, "the operating system gives no random numbers")
        })?;
        Ok(bytes.into())
    }
}
