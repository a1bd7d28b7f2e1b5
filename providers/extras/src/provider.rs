//! The provider: bindings and their sequences.

use std::sync::Arc;

use trellis_capabilities_extras as contract;
use trellis_core::{CallError, Code, Contract};
use trellis_providers_sdk::{
    Binding, BindingId, Bindings, BoxFuture, Call, Context, Created, Descriptor, Provider,
    ProviderFactory, Reply, ValueProblem, Values, Wanted,
};

use crate::generator::{Generator, Sequence};

const CONTRACTS: &[Contract] = &[contract::CONTRACT];

/// How the composition root knows this provider.
#[derive(Clone, Copy, Debug)]
pub struct Factory;

impl ProviderFactory for Factory {
    fn descriptor(&self) -> Descriptor {
        let doc = "Unique ids, sequence numbers and random numbers.";
        let descriptor =
            Descriptor::new(("extras", env!("CARGO_PKG_VERSION"), doc), CONTRACTS, &[]);
        // As in waSCC: an actor that claims the contract has it, without a binding in the manifest.
        Descriptor { implicit: true, ..descriptor }
    }

    /// There is nothing to configure.
    fn validate(&self, _: &Wanted) -> Vec<ValueProblem> {
        Vec::new()
    }

    fn create(&self, _: Context, _: Values) -> Created {
        Box::pin(async { Ok(Arc::new(Extras::default()) as Arc<dyn Provider>) })
    }
}

/// `extras`: one sequence for each binding.
#[derive(Default, Debug)]
pub struct Extras {
    sequences: Bindings<Sequence>,
}

impl Provider for Extras {
    fn bind(&self, binding: Binding) -> BoxFuture<'_, Result<(), CallError>> {
        // Bound again, it goes on where it was.
        if self.sequences.get(binding.id).is_none() {
            self.sequences.insert(binding.id, Sequence::default());
        }
        Box::pin(async { Ok(()) })
    }

    fn unbind(&self, id: BindingId) -> BoxFuture<'_, ()> {
        self.sequences.remove(id);
        Box::pin(async {})
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Reply> {
        let sequence = self.sequences.get(call.binding);
        Box::pin(async move {
            let sequence = sequence
                .ok_or_else(|| CallError::new(Code::NotFound, "extras has no such binding"))?;
            contract::serve(&Generator, &sequence, &call.operation, &call.payload).await
        })
    }
}
