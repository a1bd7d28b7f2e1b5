//! The provider: bindings and what the host knows of their actors.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Mutex, RwLock};
use trellis_capabilities_logging as contract;
use trellis_core::{CallError, Code, Contract};
use trellis_providers_sdk::{
    Binding, BindingId, BoxFuture, Call, Context, Created, Descriptor, Provider, ProviderFactory,
    Reply, Sample, TokenBucket, ValueProblem, Values, Wanted,
};

use crate::metrics::Metrics;
use crate::settings::{Rate, SETTINGS};
use crate::text::one_line;
use crate::writer::{Source, Writer};

const CONTRACTS: &[Contract] = &[contract::CONTRACT];

/// How the composition root knows this provider.
#[derive(Clone, Copy, Debug)]
pub struct Factory;

impl ProviderFactory for Factory {
    fn descriptor(&self) -> Descriptor {
        let doc = "Actors' lines in the host's own log.";
        Descriptor::new(("logging", env!("CARGO_PKG_VERSION"), doc), CONTRACTS, SETTINGS)
    }

    fn validate(&self, wanted: &Wanted) -> Vec<ValueProblem> {
        let mut problems = Vec::new();
        wanted.read_each(&mut problems, Rate::read);
        problems
    }

    fn create(&self, _: Context, values: Values) -> Created {
        Box::pin(async move { Ok(Arc::new(Logging::new(values)) as Arc<dyn Provider>) })
    }
}

/// Longest actor name a line carries, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// `logging`: actors' lines in the host's log.
#[derive(Debug)]
pub struct Logging {
    values: Values,
    writer: Writer,
    sources: RwLock<HashMap<BindingId, Arc<Source>>>,
    metrics: Metrics,
}

impl Logging {
    /// A provider with these values, which hold for every binding that has none of its own.
    #[must_use]
    pub fn new(values: Values) -> Self {
        let metrics = Metrics::default();
        let writer = Writer::new(metrics.clone());
        Self { values, writer, sources: RwLock::default(), metrics }
    }
}

impl Provider for Logging {
    fn bind(&self, binding: Binding) -> BoxFuture<'_, Result<(), CallError>> {
        let rate = Rate::read(&binding.values.over(&self.values)).map_err(CallError::from);
        let bound = rate.map(|rate| {
            let bucket = TokenBucket::new(rate.lines_per_s, rate.burst_lines, Instant::now());
            let name = one_line(&binding.actor_name, NAME_BYTES_MAX).0.into_owned();
            let source = Source { key: binding.actor, name, bucket: Mutex::new(bucket) };
            self.sources.write().insert(binding.id, Arc::new(source));
        });
        Box::pin(async { bound })
    }

    fn unbind(&self, id: BindingId) -> BoxFuture<'_, ()> {
        self.sources.write().remove(&id);
        Box::pin(async {})
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Reply> {
        let source = self.sources.read().get(&call.binding).map(Arc::clone);
        Box::pin(async move {
            let source = source
                .ok_or_else(|| CallError::new(Code::NotFound, "logging has no such binding"))?;
            contract::serve(&self.writer, &source, &call.operation, &call.payload).await
        })
    }

    fn samples(&self) -> Vec<Sample> {
        self.metrics.samples()
    }
}
