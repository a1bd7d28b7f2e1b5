//! The provider: bindings in, ports out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use trellis_capabilities_http_server::CONTRACT;
use trellis_core::{CallError, Code, Contract};
use trellis_providers_sdk::{
    Binding, BindingId, BoxFuture, Call, Context, Created, Descriptor, Health, Listening, Newcomer,
    Provider, ProviderFactory, Reply, Sample, ValueProblem, Values, Wanted,
};

use crate::access::AccessLog;
use crate::budget::{Bodies, Budget};
use crate::config::Config;
use crate::config::limits::{answers_bytes_max, bodies_bytes_max};
use crate::config::settings::SETTINGS;
use crate::conflict::conflicts;
use crate::doors::Doors;
use crate::metrics::Metrics;
use crate::port::{Common, Port};
use crate::ports::Ports;
use crate::ports::arrivals::{Arrival, Refused};
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
        Box::pin(create(context, values))
    }
}

/// How long past the deadline of a shutdown the workers have for letting go.
const LAST_WORDS: Duration = Duration::from_millis(250);

struct HttpServer {
    /// The provider's own values, below every binding's.
    values: Values,
    metrics: Arc<Metrics>,
    common: Common,
    ports: Mutex<Ports>,
    workers: Workers,
}

async fn create(context: Context, values: Values) -> Result<Arc<dyn Provider>, CallError> {
    // Wrong values are told at the start, not with the first binding.
    Config::read(&values)?;
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let metrics = Arc::new(Metrics::new(count));
    let lineage = context.lineage();
    let bodies = Budget::of(lineage, Bodies::OfRequests, bodies_bytes_max(&values)?);
    let answers = Budget::of(lineage, Bodies::OfAnswers, answers_bytes_max(&values)?);
    let ports = Mutex::new(Ports::new(Doors::of(&context)));
    let common = Common { context, access_log: AccessLog::default(), bodies, answers };
    let workers = Workers::start(count, common.clone(), Arc::clone(&metrics)).await?;
    Ok(Arc::new(HttpServer { values, metrics, common, ports, workers }))
}

impl HttpServer {
    fn read(&self, binding: &Binding) -> Result<Config, CallError> {
        let values = binding.values.over(&self.values);
        let config = Config::read(&values)?.for_messages_of(binding.payload_bytes_max);
        if values.get("BODY_BYTES_MAX").is_some() && !config.request.admits_largest_body() {
            tell_of_narrower_limit(binding, &config);
        }
        Ok(config)
    }
}

impl HttpServer {
    /// What comes of each newcomer: those whose values can be read are tried together, again once
    /// the ports that are in the way have been closed.
    async fn tried(
        &self,
        newcomers: &[Newcomer],
        attempt: impl Fn(&[Arrival<'_>]) -> Result<Refused, Vec<Arc<Port>>>,
    ) -> Vec<Result<(), CallError>> {
        let (mut bound, mut arrivals) = (Vec::new(), Vec::new());
        for (place, newcomer) in newcomers.iter().enumerate() {
            let read = self.read(&newcomer.binding);
            bound.push(read.map(|config| arrivals.push(Arrival { place, newcomer, config })));
        }
        let refused = loop {
            match attempt(&arrivals) {
                Ok(refused) => break refused,
                Err(closing) => {
                    for port in closing {
                        port.stopped().await;
                    }
                }
            }
        };
        for (place, error) in refused {
            bound[place] = Err(error);
        }
        bound
    }
}

/// Warns a user who raised `BODY_BYTES_MAX` that the actor's own, smaller limit still refuses
/// larger bodies.
#[cold]
fn tell_of_narrower_limit(binding: &Binding, config: &Config) {
    tracing::warn!(
        actor = binding.actor_name,
        body_bytes_max = config.request.body_bytes_max,
        payload_bytes_max = binding.payload_bytes_max,
        "a body of BODY_BYTES_MAX does not fit into the actor's payload_bytes_max; raise \
         `limits.payload_bytes` of the actor above it"
    );
}

impl Provider for HttpServer {
    fn bind(&self, binding: Binding) -> BoxFuture<'_, Result<(), CallError>> {
        Box::pin(async move {
            let bound = self.bind_all(vec![binding.into()], Vec::new()).await;
            bound.into_iter().next().unwrap_or(Ok(()))
        })
    }

    fn bind_all(
        &self,
        newcomers: Vec<Newcomer>,
        leaving: Vec<BindingId>,
    ) -> BoxFuture<'_, Vec<Result<(), CallError>>> {
        Box::pin(async move {
            let bind = |arrivals: &[Arrival<'_>]| {
                self.ports.lock().bind_all(arrivals, &leaving, &self.workers)
            };
            self.tried(&newcomers, bind).await
        })
    }

    fn reserve_all(
        &self,
        newcomers: Vec<Newcomer>,
        leaving: Vec<BindingId>,
    ) -> BoxFuture<'_, Vec<Result<(), CallError>>> {
        Box::pin(async move {
            let reserve = |arrivals: &[Arrival<'_>]| {
                self.ports.lock().reserve_all(arrivals, &leaving, &self.workers)
            };
            self.tried(&newcomers, reserve).await
        })
    }

    fn unbind(&self, id: BindingId) -> BoxFuture<'_, ()> {
        self.unbind_all(vec![id])
    }

    fn unbind_all(&self, ids: Vec<BindingId>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let leaving = self.ports.lock().unbind_all(&ids);
            for route in leaving.routes {
                route.finished().await;
            }
            // Its connections may take longer: no call comes from them any more.
            for port in leaving.ports {
                port.stopped().await;
            }
        })
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Reply> {
        let text = format!("the HTTP server has no operation `{}`: it only calls", call.operation);
        Box::pin(async { Err(CallError::new(Code::NotFound, text)) })
    }

    /// Tries again what the system refused.
    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(async {
            match self.workers.complete().await {
                Ok(()) => Health::Healthy,
                Err(error) => Health::Degraded(error.message().to_owned()),
            }
        })
    }

    fn addresses(&self) -> Vec<Listening> {
        self.ports.lock().addresses()
    }

    fn samples(&self) -> Vec<Sample> {
        let mut samples = self.metrics.samples();
        let help = "Lines of the access log that nobody read in time, or that could not be written";
        samples.push(Sample::counter(
            "http_access_log_dropped",
            help,
            self.common.access_log.dropped(),
        ));
        let bytes = |name, help, budget: &Budget| {
            let taken = i64::try_from(budget.taken()).unwrap_or(i64::MAX);
            Sample::gauge(name, help, taken).unit("bytes")
        };
        let help = "Memory of request bodies, as BODIES_BYTES_MAX counts it";
        samples.push(bytes("http_bodies", help, &self.common.bodies));
        let help = "Memory of answers, as ANSWERS_BYTES_MAX counts it";
        samples.push(bytes("http_answers", help, &self.common.answers));
        samples
    }

    fn leave(&self, grace: Duration) -> BoxFuture<'_, ()> {
        let deadline = Instant::now() + grace;
        Box::pin(async move {
            let open = self.ports.lock().stop(deadline);
            for port in &open {
                port.stopped().await;
            }
        })
    }

    fn shutdown(&self, grace: Duration) -> BoxFuture<'_, ()> {
        let deadline = Instant::now() + grace;
        Box::pin(async move {
            let open = self.ports.lock().stop(deadline);
            let closed = async {
                for port in &open {
                    port.closed().await;
                }
            };
            // A worker that a guest keeps busy beyond the deadline is not waited for, nor is
            // whoever does not read the access log.
            let _ = tokio::time::timeout_at((deadline + LAST_WORDS).into(), closed).await;
            let _ = tokio::time::timeout(LAST_WORDS, self.common.access_log.flush()).await;
        })
    }
}
