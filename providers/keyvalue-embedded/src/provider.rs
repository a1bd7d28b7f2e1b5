//! The provider: bindings, and the store behind them.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use trellis_capabilities_keyvalue as contract;
use trellis_capabilities_keyvalue::Bounds;
use trellis_core::{CallError, Code, Contract};
use trellis_providers_sdk::{
    Binding, BindingId, Bindings, BoxFuture, Call, Context, Created, Descriptor, Finding, Health,
    Keyspace, Place, Provider, ProviderFactory, Reply, Sample, ValueError, ValueProblem, Values,
    Wanted, data,
};

use crate::clock::{Clock, SystemClock};
use crate::file::{FileConfig, FileStore, Seen, survey};
use crate::memory::Memory;
use crate::metrics::{FileMetrics, Held, Metrics};
use crate::namespace::{Namespace, Namespaces};
use crate::settings::{SETTINGS, Settings};
use crate::store::Store;

const CONTRACTS: &[Contract] = &[contract::CONTRACT];

/// How the composition root knows this provider.
#[derive(Clone, Copy, Debug)]
pub struct Factory;

impl ProviderFactory for Factory {
    fn descriptor(&self) -> Descriptor {
        let doc = "Keys and values in the host itself: in memory, or in a crash-safe file.";
        let text = ("keyvalue-embedded", env!("CARGO_PKG_VERSION"), doc);
        let data = Some(data::CONTRACT.id);
        Descriptor { stateful: true, data, ..Descriptor::new(text, CONTRACTS, SETTINGS) }
    }

    fn validate(&self, wanted: &Wanted) -> Vec<ValueProblem> {
        let mut problems = Vec::new();
        wanted.read_each(&mut problems, |values| {
            Keyspace::read(values)?;
            Settings::read(values)
        });
        problems
    }

    fn survey(&self, wanted: Wanted) -> BoxFuture<'static, Vec<Finding>> {
        let path = Settings::read(&wanted.values).ok().and_then(|settings| settings.path);
        Box::pin(async move {
            let Some(path) = path else { return Vec::new() };
            let shown = shown(&path);
            // The one error is a runtime that ends.
            let seen = tokio::task::spawn_blocking(move || survey(&path)).await;
            let (error, hinders) = match seen {
                Err(_) | Ok(Seen::Store) => return Vec::new(),
                Ok(Seen::New(note)) => (note, false),
                Ok(Seen::Unusable(error)) => (error, true),
            };
            let error = ValueError::new("PATH", format!("{shown}: {}", error.message()));
            let about = ValueProblem { place: Place::Provider, error };
            vec![Finding { about, hinders }]
        })
    }

    fn create(&self, context: Context, values: Values) -> Created {
        Box::pin(async move {
            let clock = Arc::new(SystemClock);
            let provider = Embedded::succeed(context.lineage(), &values, clock).await?;
            Ok(Arc::new(provider) as Arc<dyn Provider>)
        })
    }
}

/// The whole path, so that nobody has to guess where a relative one started.
fn shown(path: &Path) -> String {
    std::path::absolute(path).as_deref().unwrap_or(path).display().to_string()
}

/// `keyvalue-embedded`: one store and the bindings to it.
pub struct Embedded {
    store: Store,
    /// The provider's own values, below every binding's.
    values: Values,
    namespaces: Arc<Namespaces>,
    bindings: Bindings<Namespace>,
    bounds: Bounds,
    metrics: Metrics,
}

impl Embedded {
    /// Opens the store the values describe. Must run within the runtime: a task of it removes
    /// expired keys for as long as the provider lives.
    ///
    /// # Errors
    /// [`Code::Config`] naming a wrong value; [`Code::Storage`] naming what is wrong with `PATH`.
    pub async fn open(values: &Values, clock: Arc<dyn Clock>) -> Result<Self, CallError> {
        Self::succeed("", values, clock).await
    }

    /// The same in a host, to take over from the instances of a lineage: a store in memory has
    /// their keys.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn succeed(
        lineage: &str,
        values: &Values,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, CallError> {
        let settings = Settings::read_unchecked(values)?;
        let (store, namespaces) = match settings.path {
            None => {
                let (max, bounds) = (settings.memory_bytes_max, settings.bounds);
                let memory = Memory::new(lineage, clock, max, bounds);
                let namespaces = memory.namespaces();
                (Store::Memory(Arc::new(memory)), namespaces)
            }
            Some(path) => {
                let config = FileConfig {
                    path,
                    cache_bytes: settings.cache_bytes,
                    immediate: settings.immediate,
                    bytes_max: settings.file_bytes_max,
                    bounds: settings.bounds,
                };
                let shown = shown(&config.path);
                let opened = FileStore::open(config, clock).await;
                // This one error is for whoever wrote the manifest, so it may name the path.
                let named =
                    |e: CallError| CallError::new(e.code(), format!("{shown}: {}", e.message()));
                let file = opened.map_err(named)?;
                tracing::info!(path = %shown, "the key-value file is open");
                (Store::File(Arc::new(file)), Arc::default())
            }
        };
        store.keep_swept();
        Ok(Self {
            store,
            values: values.clone(),
            namespaces,
            bindings: Bindings::default(),
            bounds: settings.bounds,
            metrics: Metrics::default(),
        })
    }

    fn namespace(&self, binding: &Binding) -> Result<Namespace, CallError> {
        let values = binding.values.over(&self.values);
        Ok(self.namespaces.named(Keyspace::read(&values)?.name(binding.actor.as_str())))
    }
}

impl Provider for Embedded {
    fn bind(&self, binding: Binding) -> BoxFuture<'_, Result<(), CallError>> {
        let space = match self.namespace(&binding) {
            Ok(space) => space,
            Err(error) => return Box::pin(async { Err(error) }),
        };
        // At once: whoever does not await may call.
        self.bindings.insert(binding.id, space);
        Box::pin(async { Ok(()) })
    }

    fn unbind(&self, id: BindingId) -> BoxFuture<'_, ()> {
        self.bindings.remove(id);
        Box::pin(async {})
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Reply> {
        let bound = self.bindings.get(call.binding).ok_or_else(|| {
            CallError::new(Code::NotFound, "the key-value store has no such binding")
        });
        let bound = bound.and_then(|namespace| {
            self.bounds.check_request(&call.operation, &call.payload)?;
            Ok(namespace)
        });
        let namespace = match bound {
            Ok(namespace) => namespace,
            Err(error) => {
                self.metrics.failed(&error);
                return Box::pin(async { Err(error) });
            }
        };
        if data::is_one(&call.operation) {
            return Box::pin(self.store.serve_data(namespace, call));
        }
        // Two futures, so that a call in memory does not carry the room a call to a file needs.
        match &self.store {
            Store::Memory(memory) => Box::pin(async move {
                contract::serve(&**memory, &namespace, &call.operation, &call.payload)
                    .await
                    .inspect_err(|error| self.metrics.failed(error))
            }),
            Store::File(file) => Box::pin(async move {
                contract::serve(&**file, &namespace, &call.operation, &call.payload)
                    .await
                    .inspect_err(|error| self.metrics.failed(error))
            }),
        }
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        let ailment = match &self.store {
            Store::File(file) => file.ailment(),
            Store::Memory(_) => None,
        };
        let health = ailment.map_or(Health::Healthy, Health::Degraded);
        Box::pin(async { health })
    }

    fn samples(&self) -> Vec<Sample> {
        let unused = FileMetrics::default();
        match &self.store {
            Store::Memory(memory) => {
                let held = Held { memory_bytes: memory.bytes(), ..Held::default() };
                self.metrics.samples(held, &unused)
            }
            Store::File(file) => {
                let (file_bytes, cache_bytes) = (file.bytes(), file.cache_bytes());
                let held = Held { file_bytes, cache_bytes, ..Held::default() };
                self.metrics.samples(held, file.metrics())
            }
        }
    }

    fn shutdown(&self, grace: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Store::File(file) = &self.store {
                // Past the grace the writer still finishes by itself; nobody waits for it.
                let _ = tokio::time::timeout(grace, file.close()).await;
            }
        })
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("bindings", &self.bindings.len()).finish_non_exhaustive()
    }
}
