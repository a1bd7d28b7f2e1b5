//! A provider that is a module: called by the engine, as an actor is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;
use trellis_core::{CallError, Code};
use trellis_engine::Actor;
use trellis_providers_sdk::{Binding, BindingId, BoxFuture, Call, Health, Provider, Reply};

use super::bound::Bound;
use super::teller::Teller;
use crate::text::shown;

/// Longest text of an error, in bytes.
const ERROR_BYTES_MAX: usize = 4 << 10;

/// A provider that is a module.
pub(super) struct ModuleProvider {
    name: Arc<str>,
    module: Actor,
    bound: Arc<Bound>,
    teller: Teller,
    /// Ends with this: what could not be told is told again.
    telling: AbortHandle,
}

impl ModuleProvider {
    /// Serves with this module. To be made inside a runtime.
    pub(super) fn new(name: Arc<str>, module: Actor, bound: Arc<Bound>) -> Self {
        let teller = Teller::new(module.clone(), Arc::clone(&bound));
        let telling = teller.keep_telling();
        Self { name, module, bound, teller, telling }
    }

    async fn bind_now(&self, binding: Binding) -> Result<(), CallError> {
        let id = binding.id;
        let before = self.bound.put(binding)?;
        let told = self.teller.tell().await;
        let verdict = self.bound.verdict(id).unwrap_or_else(|| {
            let silent = || CallError::new(Code::Provider, "no instance was told of the binding");
            Err(told.err().unwrap_or_else(silent))
        });
        let Err(error) = verdict else { return Ok(()) };
        self.bound.take_back(id, before);
        // What instances know is right again before their next call in any case.
        drop(self.teller.tell().await);
        Err(self.failure(error))
    }

    /// What an actor is told of how its call failed.
    ///
    /// A module answers with a text. When that begins with a code, it means that code, as it does
    /// for a provider that is a program. A module that broke is a provider that failed.
    fn failure(&self, error: CallError) -> CallError {
        match error.code() {
            Code::Guest => {
                let text = shown(error.message(), ERROR_BYTES_MAX);
                CallError::from_text(text, Code::Provider)
            }
            Code::Trap | Code::Stack | Code::Memory | Code::GuestPointer => {
                CallError::new(Code::Provider, format!("provider {} broke: {error}", self.name))
            }
            _ => error,
        }
    }
}

impl Provider for ModuleProvider {
    fn bind(&self, binding: Binding) -> BoxFuture<'_, Result<(), CallError>> {
        Box::pin(self.bind_now(binding))
    }

    fn unbind(&self, id: BindingId) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if self.bound.remove(id) {
                // Whatever it says to that, it is not bound any more.
                drop(self.teller.tell().await);
            }
        })
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Reply> {
        Box::pin(async move {
            self.bound.get(call.binding)?;
            let deadline = call.deadline();
            let Call { binding, operation, payload, trace, depth, .. } = call;
            let caller = binding.0;
            let call = trellis_engine::Call { operation, payload, deadline, depth, trace, caller };
            self.module.call(call).await.map_err(|error| self.failure(error))
        })
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        let ailments = self.bound.ailments();
        Box::pin(async { ailments.map_or(Health::Healthy, Health::Degraded) })
    }

    fn health_of_each(&self, ids: Vec<BindingId>) -> BoxFuture<'_, Vec<Health>> {
        let ailment = |id| self.bound.ailment(id).map_or(Health::Healthy, Health::Degraded);
        let healths = ids.into_iter().map(ailment).collect();
        Box::pin(async { healths })
    }

    fn shutdown(&self, grace: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.telling.abort();
            // What has not ended by then is dropped with the provider.
            let _ = self.module.drain(Instant::now() + grace).await;
        })
    }
}

impl Drop for ModuleProvider {
    fn drop(&mut self) {
        self.telling.abort();
    }
}
