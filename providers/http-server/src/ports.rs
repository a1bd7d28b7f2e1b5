//! Which bindings share which ports: the control plane's own state.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use trellis_core::{BindingName, CallError, Code};
use trellis_providers_sdk::{Binding, BindingId, Listening};

use crate::config::{Config, Host};
use crate::conflict::{Tenant, conflict};
use crate::listener::Port;
use crate::routes::{Route, Table};
use crate::sockets;
use crate::workers::Workers;

/// Every open port and every binding on it.
#[derive(Default, Debug)]
pub(crate) struct Ports {
    open: HashMap<SocketAddr, Arc<Port>>,
    bound: HashMap<BindingId, Bound>,
    /// Routes whose binding was taken over by a later one of the same actor and name, and is not
    /// unbound yet.
    superseded: HashMap<BindingId, Arc<Route>>,
    stopping: bool,
}

#[derive(Debug)]
struct Bound {
    name: BindingName,
    config: Config,
    /// The bound address: the configured one, or the port the system chose.
    address: SocketAddr,
    route: Arc<Route>,
}

/// What is left to wait for once a binding is gone.
#[derive(Default, Debug)]
pub(crate) struct Leaving {
    pub(crate) route: Option<Arc<Route>>,
    pub(crate) port: Option<Arc<Port>>,
}

impl Ports {
    /// Adds a binding, or replaces what it was before; requests see it at once.
    ///
    /// # Errors
    /// [`Code::Config`] when another actor has the same port, host and path, or other limits for
    /// the port; [`Code::Address`] when the port cannot be had. Nothing has changed then.
    pub(crate) fn bind(
        &mut self,
        binding: &Binding,
        config: Config,
        workers: &Workers,
    ) -> Result<(), CallError> {
        if self.stopping {
            return Err(CallError::new(Code::Stopping, "the HTTP server is being stopped"));
        }
        let replaced: Vec<_> = self.replaced_by(binding).collect();
        let wanted = self.wanted_address(&replaced, &config);
        for (id, other) in &self.bound {
            if Some(other.address) == wanted && !replaced.contains(id) {
                let one = Tenant { actor: &binding.actor_name, config: &config };
                let error = conflict(one, other.tenant(), other.address);
                error.map_or(Ok(()), |error| Err(CallError::from(error)))?;
            }
        }
        let name = binding.actor_name.clone();
        let route = Arc::new(Route::new(binding.id, name, &config, workers.count()));
        let address = match wanted.filter(|address| self.open.contains_key(address)) {
            Some(address) => address,
            None => self.open(&config, &route, workers)?,
        };
        let mut left = Vec::new();
        for id in replaced {
            if let Some(old) = self.bound.remove(&id) {
                left.push(old.address);
                if id != binding.id {
                    self.superseded.insert(id, old.route);
                }
            }
        }
        let name = binding.name.clone();
        self.bound.insert(binding.id, Bound { name, config, address, route });
        self.publish(address);
        for old in left.into_iter().filter(|old| *old != address) {
            self.publish(old);
        }
        Ok(())
    }

    /// Removes a binding; requests no longer see it.
    pub(crate) fn unbind(&mut self, id: BindingId) -> Leaving {
        let Some(bound) = self.bound.remove(&id) else {
            return Leaving { route: self.superseded.remove(&id), port: None };
        };
        Leaving { port: self.publish(bound.address), route: Some(bound.route) }
    }

    /// Takes no more bindings; every port that was open.
    pub(crate) fn stop(&mut self) -> Vec<Arc<Port>> {
        self.stopping = true;
        self.open.values().cloned().collect()
    }

    /// Where each binding can be reached, in the order of the bindings.
    pub(crate) fn addresses(&self) -> Vec<Listening> {
        let mut addresses: Vec<_> =
            self.bound.iter().map(|(id, bound)| bound.listening(*id)).collect();
        addresses.sort_by_key(|listening| listening.binding);
        addresses
    }

    /// Earlier bindings this one takes the place of: itself with other values, or the binding of the
    /// same name of an earlier version of the actor, whatever its key was.
    fn replaced_by(&self, binding: &Binding) -> impl Iterator<Item = BindingId> {
        self.bound
            .iter()
            .filter(|(id, bound)| {
                let same =
                    bound.route.actor_name == binding.actor_name && bound.name == binding.name;
                **id == binding.id || same
            })
            .map(|(id, _)| *id)
    }

    /// The address to serve; `None` when the system shall choose a port. A binding that let the
    /// system choose keeps its port when its values change.
    fn wanted_address(&self, replaced: &[BindingId], config: &Config) -> Option<SocketAddr> {
        if config.address.port() != 0 {
            return Some(config.address);
        }
        let mut before = replaced.iter().filter_map(|id| self.bound.get(id));
        let same = before.find(|before| before.config.address == config.address)?;
        Some(same.address)
    }

    fn open(
        &mut self,
        config: &Config,
        route: &Arc<Route>,
        workers: &Workers,
    ) -> Result<SocketAddr, CallError> {
        let explain = |error| sockets::explain(config.address, &route.actor_name, &error);
        let listeners = sockets::listen(config.address, workers.count()).map_err(explain)?;
        let first = listeners.first().ok_or_else(|| explain(std::io::Error::other("no worker")))?;
        let address = first.local_addr().map_err(explain)?;
        let port = Arc::new(Port::new(Table::new(config.port, vec![Arc::clone(route)])));
        workers.open(&port, listeners)?;
        self.open.insert(address, port);
        Ok(address)
    }

    /// Publishes what a port serves now, or closes it when that is nothing.
    fn publish(&mut self, address: SocketAddr) -> Option<Arc<Port>> {
        let here: Vec<_> = self.bound.values().filter(|bound| bound.address == address).collect();
        let routes = here.iter().map(|bound| Arc::clone(&bound.route)).collect();
        if let Some(bound) = here.first() {
            let port = self.open.get(&address)?;
            port.table.store(Arc::new(Table::new(bound.config.port, routes)));
            return None;
        }
        let port = self.open.remove(&address)?;
        let table = port.table.load();
        let longest = table.routes.iter().map(|route| route.limits.time_max).max();
        port.table.store(Arc::new(Table::new(table.limits, routes)));
        port.drain(Instant::now() + longest.unwrap_or_default());
        drop(table);
        Some(port)
    }
}

impl Bound {
    fn tenant(&self) -> Tenant<'_> {
        Tenant { actor: &self.route.actor_name, config: &self.config }
    }

    fn listening(&self, binding: BindingId) -> Listening {
        let port = self.address.port();
        let host = match self.config.hosts.first() {
            Some(Host::Exact(name)) => name.clone(),
            Some(Host::Below(name)) => format!("*{name}"),
            None => match self.address.ip() {
                IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
                IpAddr::V6(ip) if ip.is_unspecified() => format!("[{}]", Ipv6Addr::LOCALHOST),
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => format!("[{ip}]"),
            },
        };
        let path = if self.config.path.is_empty() { "/" } else { &self.config.path };
        Listening { binding, address: self.address, url: format!("http://{host}:{port}{path}") }
    }
}
