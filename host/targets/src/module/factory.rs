//! What a module is, and providers made of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use parking_lot::Mutex;
use trellis_core::{CallError, Code, Trace};
use trellis_engine::{Actor, Call, Engine, Isolation, ModuleSource, ModuleSpec};
use trellis_limits::ActorLimits;
use trellis_providers_sdk::{
    BoxFuture, Context, Created, Descriptor, Kind, Provider, ProviderFactory, ValueProblem, Values,
    Wanted,
};

use super::bound::Bound;
use super::calls::{ModuleCalls, Silence};
use super::descriptor;
use super::messages::{DESCRIBE, question};
use super::provider::ModuleProvider;
use super::unhandled::{NO_SUCH_OPERATION, Unhandled};

/// Most modules of which it is remembered what they are.
const KNOWN_MAX: usize = 256;

/// Where the bytes of a verified module are.
pub trait ModuleFile: ModuleSource + 'static {
    /// Reads the module, on no thread that others wait for. Other bytes than those that were
    /// verified are an error.
    fn fetch(&self) -> BoxFuture<'_, Result<Bytes, CallError>>;
}

/// A verified module that is to be a provider. Cheap to clone.
#[derive(Clone)]
pub struct ProviderModule {
    /// SHA-256 of the whole file.
    pub digest: [u8; 32],
    /// What it may use, and how many instances it has.
    pub limits: ActorLimits,
    /// Where its bytes are.
    pub file: Arc<dyn ModuleFile>,
}

/// Finds out what modules are. Cheap to clone; the clones know the same.
#[derive(Clone)]
pub struct ModuleProviders {
    engine: Engine,
    known: Arc<Mutex<BTreeMap<[u8; 32], Known>>>,
}

/// What a module said of itself.
#[derive(Clone)]
struct Known {
    descriptor: Descriptor,
    unhandled: Unhandled,
}

impl ModuleProviders {
    /// Runs modules in this sandbox; nothing is known yet.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self { engine, known: Arc::default() }
    }

    /// What a module is. Asks it, unless it is known.
    ///
    /// # Errors
    /// [`Code::Provider`] when it does not say, or says what cannot be; else why it cannot be
    /// loaded.
    pub async fn factory(
        &self,
        provider: &str,
        module: ProviderModule,
    ) -> Result<Arc<dyn ProviderFactory>, CallError> {
        let known = self.known.lock().get(&module.digest).cloned();
        let known = match known {
            Some(known) => known,
            None => {
                let found = self.ask(provider, &module).await?;
                let mut all = self.known.lock();
                if all.len() >= KNOWN_MAX {
                    all.pop_first();
                }
                all.insert(module.digest, found.clone());
                found
            }
        };
        let hex: String = module.digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Arc::new(ModuleFactory {
            provider: Arc::from(provider),
            build: format!("{hex} {:?}", module.limits),
            engine: self.engine.clone(),
            module,
            known,
        }))
    }

    /// Asks an instance of its own, which may ask for nothing and is gone afterwards.
    async fn ask(&self, provider: &str, module: &ProviderModule) -> Result<Known, CallError> {
        let limits = ActorLimits { instances_min: 0, instances_max: 1, ..module.limits.clone() };
        let spec = ModuleSpec {
            isolation: Isolation::Fresh,
            limits,
            ..ModuleSpec::new(provider, module.file.fetch().await?, module.digest)
        };
        let asked = self.engine.load(spec, Arc::new(Silence)).await?;
        let answer = call(&asked, DESCRIBE, question()?).await.map_err(|error| {
            let text = format!("it does not say what it serves: {}", error.message());
            CallError::new(Code::Provider, text)
        })?;
        let descriptor = descriptor::read(&answer)?;
        let unhandled = Unhandled::of(call(&asked, NO_SUCH_OPERATION, Bytes::new()).await);
        Ok(Known { descriptor, unhandled })
    }
}

/// One call of a module, as long as its limits allow.
async fn call(module: &Actor, operation: &'static str, payload: Bytes) -> Result<Bytes, CallError> {
    let deadline = Instant::now() + module.limits().call_time_max;
    let (operation, trace) = (operation.into(), Trace::default());
    module.call(Call { operation, payload, deadline, depth: 0, trace, caller: 0 }).await
}

/// Makes providers of one module.
struct ModuleFactory {
    provider: Arc<str>,
    build: String,
    engine: Engine,
    module: ProviderModule,
    known: Known,
}

impl ProviderFactory for ModuleFactory {
    fn descriptor(&self) -> Descriptor {
        self.known.descriptor.clone()
    }

    fn kind(&self) -> Kind {
        Kind::Module
    }

    fn build(&self) -> &str {
        &self.build
    }

    /// Its descriptor's rules are all that is known before it is bound.
    fn validate(&self, _: &Wanted) -> Vec<ValueProblem> {
        Vec::new()
    }

    /// The provider's own values reach it with those of each binding.
    fn create(&self, context: Context, _: Values) -> Created {
        let (name, engine) = (Arc::clone(&self.provider), self.engine.clone());
        let (module, unhandled) = (self.module.clone(), self.known.unhandled.clone());
        Box::pin(async move {
            let backoffs_max = module.limits.start_backoffs_max;
            let bound = Arc::new(Bound::new(context.clone(), unhandled, backoffs_max));
            let spec = ModuleSpec {
                isolation: Isolation::Reuse,
                limits: module.limits,
                source: Some(Arc::clone(&module.file) as Arc<dyn ModuleSource>),
                briefing: Some(Arc::clone(&bound) as Arc<_>),
                ..ModuleSpec::new(Arc::clone(&name), module.file.fetch().await?, module.digest)
            };
            let calls = ModuleCalls { bound: Arc::clone(&bound), context };
            let module = engine.load(spec, Arc::new(calls)).await?;
            Ok(Arc::new(ModuleProvider::new(name, module, bound)) as Arc<dyn Provider>)
        })
    }
}
