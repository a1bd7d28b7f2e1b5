//! The provider: bindings and their sequences.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use trellis_capabilities_extras as contract;
use trellis_core::{CallError, Code};
use trellis_providers_sdk::{
    Binding, BindingId, BoxFuture, Builtin, Call, Descriptor, Provider, Reply,
};

use crate::generator::{Generator, Sequence};

/// How the composition root knows this provider.
pub const BUILTIN: Builtin = Builtin {
    descriptor,
    create: |_context, _values| {
        Box::pin(async { Ok(Arc::new(Extras::default()) as Arc<dyn Provider>) })
    },
};

/// `extras`: one sequence for each binding.
#[derive(Default, Debug)]
pub struct Extras {
    sequences: RwLock<HashMap<BindingId, Arc<Sequence>>>,
}

impl Provider for Extras {
    fn descriptor(&self) -> Descriptor {
        descriptor()
    }

    fn bind(&self, binding: Binding) -> BoxFuture<'_, Result<(), CallError>> {
        self.sequences.write().entry(binding.id).or_default();
        Box::pin(async { Ok(()) })
    }

    fn unbind(&self, id: BindingId) -> BoxFuture<'_, ()> {
        self.sequences.write().remove(&id);
        Box::pin(async {})
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Reply> {
        let sequence = self.sequences.read().get(&call.binding).map(Arc::clone);
        Box::pin(async move {
            let sequence = sequence
                .ok_or_else(|| CallError::new(Code::NotFound, "extras has no such binding"))?;
            contract::serve(&Generator, &sequence, &call.operation, &call.payload).await
        })
    }
}

fn descriptor() -> Descriptor {
    Descriptor {
        name: "extras",
        version: env!("CARGO_PKG_VERSION"),
        doc: "Unique ids, sequence numbers and random numbers.",
        contracts: vec![contract::CONTRACT],
        settings: &[],
    }
}
