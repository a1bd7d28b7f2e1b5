//! The provider: bindings in, ports out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use trellis_capabilities_http_server::CONTRACT;
use trellis_core::{CallError, Code, Contract};
use trellis_providers_sdk::{
    Binding, BindingId, BoxFuture, Call, Context, Created, Descriptor, Listening, Provider,
    ProviderFactory, Reply, Sample, ValueProblem, Values, Wanted,
};

use crate::config::{Config, SETTINGS};
use crate::conflict::conflicts;
use crate::metrics::Metrics;
use crate::ports::Ports;
use crate::workers::Workers;

const CONTRACTS: &[Contract] = &[CONTRACT];

/// How to describe, check and make the provider.
#[derive(Clone, Copy, Debug)]
pub struct Factory;

impl ProviderFactory for Factory {
    fn descriptor(&self) -> Descriptor {
        let doc =
            "Serves HTTP/1.1 and hands each request to the actor its host and path belong to.";
        Descriptor::new(("http-server", env!("CARGO_PKG_VERSION"), doc), CONTRACTS, SETTINGS)
    }

    fn validate(&self, wanted: &Wanted) -> Vec<ValueProblem> {
        let mut problems = Vec::new();
        let configs = wanted.read_each(&mut problems, Config::read);
        problems.extend(conflicts(wanted, &configs));
        problems
    }

    fn create(&self, context: Context, values: Values) -> Created {
        Box::pin(async { create(context, values) })
    }
}

/// How long past the deadline of a shutdown the workers have for letting go.
const LAST_WORDS: Duration = Duration::from_millis(250);

struct HttpServer {
    /// The provider's own values, below every binding's.
    values: Values,
    metrics: Arc<Metrics>,
    ports: Mutex<Ports>,
    workers: Workers,
}

fn create(context: Context, values: Values) -> Result<Arc<dyn Provider>, CallError> {
    // Wrong values are told at the start, not with the first binding.
    Config::read(&values)?;
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let metrics = Arc::new(Metrics::new(count));
    let workers = Workers::start(count, &context, &metrics)?;
    Ok(Arc::new(HttpServer { values, metrics, ports: Mutex::default(), workers }))
}

impl Provider for HttpServer {
    fn bind(&self, binding: Binding) -> BoxFuture<'_, Result<(), CallError>> {
        Box::pin(async move {
            let config = Config::read(&binding.values.over(&self.values))?;
            self.ports.lock().bind(&binding, config, &self.workers)
        })
    }

    fn unbind(&self, id: BindingId) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let leaving = self.ports.lock().unbind(id);
            if let Some(route) = leaving.route {
                route.retire().await;
            }
            if let Some(port) = leaving.port {
                port.closed().await;
            }
        })
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Reply> {
        let text = format!("the HTTP server has no operation `{}`: it only calls", call.operation);
        Box::pin(async { Err(CallError::new(Code::NotFound, text)) })
    }

    fn addresses(&self) -> Vec<Listening> {
        self.ports.lock().addresses()
    }

    fn samples(&self) -> Vec<Sample> {
        self.metrics.samples()
    }

    fn shutdown(&self, grace: Duration) -> BoxFuture<'_, ()> {
        let deadline = Instant::now() + grace;
        Box::pin(async move {
            let open = self.ports.lock().stop();
            for port in &open {
                port.drain(deadline);
            }
            let closed = async {
                for port in &open {
                    port.closed().await;
                }
            };
            // A worker that a guest keeps busy beyond the deadline is not waited for.
            let _ = tokio::time::timeout_at((deadline + LAST_WORDS).into(), closed).await;
        })
    }
}
