//! The trivial provider: it replies with what it was sent, as the peer's callback does.

use std::borrow::Cow;
use std::sync::Arc;

use trellis_core::{CallError, Contract, ContractId, Direction, Operation};
use trellis_providers_sdk::{
    Binding, BindingId, BoxFuture, Call, Context, Created, Descriptor, Provider, ProviderFactory,
    Reply, ValueProblem, Values, Wanted,
};

/// The id of the contract that the relay guest calls.
pub(super) const CAPABILITY: &str = "bench:echo";

/// The factory that the host gets.
pub(super) struct Factory;

impl ProviderFactory for Factory {
    fn descriptor(&self) -> Descriptor {
        let text = ("bench-echo", "1.0.0", "Replies with what it was sent.");
        Descriptor { contracts: vec![contract()].into(), ..Descriptor::new(text, &[], &[]) }
    }

    fn validate(&self, _: &Wanted) -> Vec<ValueProblem> {
        Vec::new()
    }

    fn create(&self, _: Context, _: Values) -> Created {
        Box::pin(async { Ok(Arc::new(Echo) as Arc<dyn Provider>) })
    }
}

struct Echo;

impl Provider for Echo {
    fn bind(&self, _: Binding) -> BoxFuture<'_, Result<(), CallError>> {
        Box::pin(async { Ok(()) })
    }

    fn unbind(&self, _: BindingId) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Reply> {
        Box::pin(async move { Ok(call.payload) })
    }
}

pub(super) fn contract() -> Contract {
    let echo = Operation {
        name: Cow::Borrowed("Echo"),
        direction: Direction::ToProvider,
        doc: Cow::Borrowed("Replies with what it was sent."),
        idempotent: false,
    };
    Contract {
        id: ContractId::from_static(CAPABILITY),
        aliases: Cow::Borrowed(&[]),
        operations: Cow::Owned(vec![echo]),
    }
}
