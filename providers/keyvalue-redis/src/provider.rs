//! The provider: bindings, and the servers they share.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use trellis_capabilities_keyvalue as contract;
use trellis_core::{CallError, Code, Contract};
use trellis_providers_sdk::{
    Binding, BindingId, Bindings, BoxFuture, Call, Context, Created, Descriptor, Health, Provider,
    ProviderFactory, Reply, Sample, ValueProblem, Values, Wanted, data,
};

use crate::data::Data;
use crate::keys::Keys;
use crate::metrics::Metrics;
use crate::operations::Commands;
use crate::seat::Seat;
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
        let data = Some(data::CONTRACT.id);
        Descriptor { stateful: true, data, ..Descriptor::new(text, CONTRACTS, SETTINGS) }
    }

    fn validate(&self, wanted: &Wanted) -> Vec<ValueProblem> {
        let mut problems = Vec::new();
        wanted.read_each(&mut problems, |values| {
            Keys::of(values, "")?;
            Settings::read(values)
        });
        problems
    }

    fn create(&self, _: Context, values: Values) -> Created {
        Box::pin(async move { Ok(Arc::new(RedisKeyValue::new(values)) as Arc<dyn Provider>) })
    }
}

/// `keyvalue-redis`: bindings to Redis servers.
pub struct RedisKeyValue {
    values: Values,
    seats: Bindings<Seat>,
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
            seats: Bindings::default(),
            servers: Mutex::default(),
            metrics: Metrics::default(),
        }
    }

    fn seat(&self, binding: &Binding) -> Result<Seat, CallError> {
        let values = binding.values.over(&self.values);
        let Settings { url, timeout, bounds } = Settings::read(&values)?;
        let keys = Keys::of(&values, binding.actor.as_str())?;
        let mut servers = self.servers.lock();
        let key = (url, timeout);
        if let Some(server) = servers.get(&key).and_then(Weak::upgrade) {
            return Ok(Seat { server, keys, bounds });
        }
        servers.retain(|_, server| server.strong_count() > 0);
        let server = Arc::new(Server::new(&key.0, timeout, self.metrics.clone())?);
        servers.insert(key, Arc::downgrade(&server));
        Ok(Seat { server, keys, bounds })
    }
}

impl Provider for RedisKeyValue {
    fn bind(&self, binding: Binding) -> BoxFuture<'_, Result<(), CallError>> {
        Box::pin(async move {
            self.seats.insert(binding.id, self.seat(&binding)?);
            Ok(())
        })
    }

    fn unbind(&self, id: BindingId) -> BoxFuture<'_, ()> {
        self.seats.remove(id);
        Box::pin(async {})
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Reply> {
        let seat = self.seats.get(call.binding);
        Box::pin(async move {
            let seat = seat.ok_or_else(|| {
                CallError::new(Code::NotFound, "keyvalue-redis has no such binding")
            })?;
            seat.bounds
                .check_request(&call.operation, &call.payload)
                .inspect_err(|error| self.metrics.failed(error))?;
            if data::is_one(&call.operation) {
                return data::serve(&Data, &seat, &call.operation, &call.payload).await;
            }
            contract::serve(&Commands, &seat, &call.operation, &call.payload).await
        })
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        let servers: Vec<_> = self.servers.lock().values().filter_map(Weak::upgrade).collect();
        Box::pin(async move {
            let asked = servers.iter().map(|server| server.trouble());
            let trouble = join_all(asked).await.into_iter().flatten().next();
            trouble.map_or(Health::Healthy, Health::Degraded)
        })
    }

    fn health_of_each(&self, ids: Vec<BindingId>) -> BoxFuture<'_, Vec<Health>> {
        let seats: Vec<_> = ids.into_iter().map(|id| self.seats.get(id)).collect();
        Box::pin(async move {
            // Many bindings share few servers: each is asked once.
            let servers: HashMap<_, _> = (seats.iter().flatten())
                .map(|seat| (Arc::as_ptr(&seat.server).addr(), &*seat.server))
                .collect();
            let asked =
                servers.into_iter().map(|(at, server)| async move { (at, server.trouble().await) });
            let troubles: HashMap<_, _> = join_all(asked).await.into_iter().collect();
            let trouble = |seat: &Seat| troubles.get(&Arc::as_ptr(&seat.server).addr())?.clone();
            let health = |seat: Option<Arc<Seat>>| match seat.and_then(|seat| trouble(&seat)) {
                Some(trouble) => Health::Degraded(trouble),
                // One it does not have depends on nothing.
                None => Health::Healthy,
            };
            seats.into_iter().map(health).collect()
        })
    }

    fn samples(&self) -> Vec<Sample> {
        self.metrics.samples()
    }
}

impl fmt::Debug for RedisKeyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values may hold a password.
        f.debug_struct("RedisKeyValue").field("seats", &self.seats).finish_non_exhaustive()
    }
}
