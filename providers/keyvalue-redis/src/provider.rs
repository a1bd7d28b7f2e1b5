//! The provider: bindings, and the servers they share.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use trellis_capabilities_keyvalue as contract;
use trellis_core::{CallError, Code, Contract};
use trellis_providers_sdk::{
    Binding, BindingId, BoxFuture, Call, Context, Created, Descriptor, Health, Provider,
    ProviderFactory, Reply, Sample, ValueProblem, Values, Wanted,
};

use crate::link::Link;
use crate::metrics::Metrics;
use crate::operations::Commands;
use crate::server::Server;
use crate::settings::{SETTINGS, Settings};

const CONTRACTS: &[Contract] = &[contract::CONTRACT];

/// How the composition root knows this provider.
#[derive(Clone, Copy, Debug)]
pub struct Factory;

impl ProviderFactory for Factory {
    fn descriptor(&self) -> Descriptor {
        let text =
            ("keyvalue-redis", env!("CARGO_PKG_VERSION"), "Keys and values in a Redis server.");
        Descriptor { stateful: true, ..Descriptor::new(text, CONTRACTS, SETTINGS) }
    }

    fn validate(&self, wanted: &Wanted) -> Vec<ValueProblem> {
        let mut problems = Vec::new();
        wanted.read_each(&mut problems, Settings::read);
        problems
    }

    fn create(&self, _: Context, values: Values) -> Created {
        Box::pin(async move { Ok(Arc::new(RedisKeyValue::new(values)) as Arc<dyn Provider>) })
    }
}

/// `keyvalue-redis`: bindings to Redis servers.
pub struct RedisKeyValue {
    values: Values,
    /// Read by every call, changed by the few that bind.
    links: ArcSwap<HashMap<BindingId, Arc<Link>>>,
    /// The servers in use, by URL and timeout.
    servers: Mutex<HashMap<(String, Duration), Weak<Server>>>,
    metrics: Metrics,
}

impl RedisKeyValue {
    /// A provider with these values, which hold for every binding that has none of its own.
    #[must_use]
    pub fn new(values: Values) -> Self {
        Self {
            values,
            links: ArcSwap::default(),
            servers: Mutex::default(),
            metrics: Metrics::default(),
        }
    }

    fn link(&self, binding: &Binding) -> Result<Link, CallError> {
        let Settings { url, prefix, timeout } = Settings::read(&binding.values.over(&self.values))?;
        let mut servers = self.servers.lock();
        servers.retain(|_, server| server.strong_count() > 0);
        let key = (url, timeout);
        if let Some(server) = servers.get(&key).and_then(Weak::upgrade) {
            return Ok(Link { server, prefix });
        }
        let server = Arc::new(Server::new(&key.0, timeout, self.metrics.clone())?);
        servers.insert(key, Arc::downgrade(&server));
        Ok(Link { server, prefix })
    }
}

impl Provider for RedisKeyValue {
    fn bind(&self, binding: Binding) -> BoxFuture<'_, Result<(), CallError>> {
        Box::pin(async move {
            let link = Arc::new(self.link(&binding)?);
            self.links.rcu(|links| {
                let mut links = HashMap::clone(links);
                links.insert(binding.id, Arc::clone(&link));
                links
            });
            Ok(())
        })
    }

    fn unbind(&self, id: BindingId) -> BoxFuture<'_, ()> {
        self.links.rcu(|links| {
            let mut links = HashMap::clone(links);
            links.remove(&id);
            links
        });
        Box::pin(async {})
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Reply> {
        let link = self.links.load().get(&call.binding).map(Arc::clone);
        Box::pin(async move {
            let link = link.ok_or_else(|| {
                CallError::new(Code::NotFound, "keyvalue-redis has no such binding")
            })?;
            contract::serve(&Commands, &link, &call.operation, &call.payload).await
        })
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        let servers: Vec<_> = self.servers.lock().values().filter_map(Weak::upgrade).collect();
        Box::pin(async move {
            for server in servers {
                if let Some(trouble) = server.trouble().await {
                    return Health::Degraded(trouble);
                }
            }
            Health::Healthy
        })
    }

    fn samples(&self) -> Vec<Sample> {
        self.metrics.samples()
    }
}

impl fmt::Debug for RedisKeyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values may hold a password.
        let bindings = self.links.load().len();
        f.debug_struct("RedisKeyValue").field("bindings", &bindings).finish_non_exhaustive()
    }
}
