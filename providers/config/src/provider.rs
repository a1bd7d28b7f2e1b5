//! The provider: what each binding was given.

use std::sync::Arc;

use trellis_capabilities_config as contract;
use trellis_core::wire::Pairs;
use trellis_core::{CallError, Code, Contract};
use trellis_providers_sdk::{
    Binding, BindingId, Bindings, BoxFuture, Call, Context, Created, Descriptor, Provider,
    ProviderFactory, Reply, ValueProblem, Values, Wanted,
};

const CONTRACTS: &[Contract] = &[contract::CONTRACT];

/// How the composition root knows this provider.
#[derive(Clone, Copy, Debug)]
pub struct Factory;

impl ProviderFactory for Factory {
    fn descriptor(&self) -> Descriptor {
        let about = ("config", env!("CARGO_PKG_VERSION"), "The settings of an actor.");
        let descriptor = Descriptor::new(about, CONTRACTS, &[]);
        Descriptor { implicit: true, actor_values: true, ..descriptor }
    }

    /// Any key and any text is right: they are the actor's.
    fn validate(&self, _: &Wanted) -> Vec<ValueProblem> {
        Vec::new()
    }

    fn create(&self, _: Context, _: Values) -> Created {
        Box::pin(async { Ok(Arc::new(Config::default()) as Arc<dyn Provider>) })
    }
}

/// `config`: answers what the manifest says.
#[derive(Default, Debug)]
pub struct Config {
    values: Bindings<Values>,
}

impl Provider for Config {
    fn bind(&self, binding: Binding) -> BoxFuture<'_, Result<(), CallError>> {
        self.values.insert(binding.id, binding.values);
        Box::pin(async { Ok(()) })
    }

    fn unbind(&self, id: BindingId) -> BoxFuture<'_, ()> {
        self.values.remove(id);
        Box::pin(async {})
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Reply> {
        let values = self.values.get(call.binding);
        Box::pin(async move {
            let values = values
                .ok_or_else(|| CallError::new(Code::NotFound, "config has no such binding"))?;
            contract::serve(&Reader, &values, &call.operation, &call.payload).await
        })
    }
}

/// The operations; what they read is the caller's.
struct Reader;

impl contract::Provider for Reader {
    type Caller = Values;

    async fn get(
        &self,
        values: &Values,
        request: contract::GetRequest,
    ) -> Result<Option<String>, CallError> {
        Ok(values.get(&request.key).map(str::to_owned))
    }

    async fn all(&self, values: &Values) -> Result<Pairs<String>, CallError> {
        Ok(values.iter().collect())
    }
}
