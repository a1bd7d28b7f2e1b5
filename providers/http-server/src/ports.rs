//! Which bindings share which ports: the control plane's own state.
//!
//! What a change costs depends on the change, not on how many bindings share the port.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use trellis_core::{BindingName, CallError, Code};
use trellis_providers_sdk::{Binding, BindingId, Listening};

use crate::config::{Config, Host};
use crate::conflict::conflict;
use crate::doors::{Choice, Doors};
use crate::port::Port;
use crate::route::Route;
use crate::sockets;
use crate::table::Table;
use crate::workers::Workers;

/// Every open port and every binding on it.
#[derive(Debug)]
pub(crate) struct Ports {
    doors: Doors,
    open: HashMap<SocketAddr, Open>,
    bound: HashMap<BindingId, Bound>,
    /// The binding in force for each actor and name.
    in_force: HashMap<Owner, BindingId>,
    /// Routes that something else has replaced while calls were under way on them.
    replaced: HashMap<BindingId, Vec<Arc<Route>>>,
    /// Ports that are being closed and may still have connections.
    closing: Vec<Weak<Port>>,
    stopping: bool,
}

/// The actor's name, and which of its bindings. Its key may be another one in its next version.
type Owner = (String, BindingName);

/// An open port, as the control plane sees it.
#[derive(Debug)]
struct Open {
    port: Arc<Port>,
    /// What is published, or about to be.
    table: Table,
    /// Which binding has each pair of host pattern and path.
    claims: HashMap<(Option<Host>, String), BindingId>,
    bindings: usize,
    /// The longest call that may be under way.
    time_max: Duration,
}

#[derive(Debug)]
struct Bound {
    owner: Owner,
    /// The bound address: the configured one, or the port the system chose.
    address: SocketAddr,
    route: Arc<Route>,
}

/// What is left to wait for once a binding is gone.
#[derive(Default, Debug)]
pub(crate) struct Leaving {
    /// Routes on which calls may be under way.
    pub(crate) routes: Vec<Arc<Route>>,
    /// The port that was closed.
    pub(crate) port: Option<Arc<Port>>,
}

impl Ports {
    pub(crate) fn new(doors: Doors) -> Self {
        Self {
            doors,
            open: HashMap::new(),
            bound: HashMap::new(),
            in_force: HashMap::new(),
            replaced: HashMap::new(),
            closing: Vec::new(),
            stopping: false,
        }
    }

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
        let owner = (binding.actor_name.clone(), binding.name.clone());
        let before = self.replaced_by(binding.id, &owner);
        let choice = choice(binding, &config);
        let wanted = self.wanted_address(&before, &config, choice.as_ref());
        let name = binding.actor_name.clone();
        let tally = workers.tally(&name);
        let route = Arc::new(Route::new(binding.id, name, config, tally));
        let address = match self.open.get(&wanted) {
            Some(open) => {
                self.check_fits(open, &route, &before)?;
                wanted
            }
            None => self.open(wanted, choice, &route, workers)?,
        };
        // Nothing fails from here on.
        let before: Vec<_> = before.into_iter().filter_map(|id| self.take(id)).collect();
        if let Some(open) = self.open.get_mut(&address) {
            open.add(binding.id, &route);
            open.publish();
        }
        self.in_force.insert(owner.clone(), binding.id);
        self.bound.insert(binding.id, Bound { owner, address, route });
        for (id, old) in before {
            if old.address != address {
                self.publish_or_close(old.address);
            }
            self.keep_busy(id, old.route);
        }
        Ok(())
    }

    /// Removes a binding; requests no longer see it.
    pub(crate) fn unbind(&mut self, id: BindingId) -> Leaving {
        let mut leaving = Leaving::default();
        if let Some((_, bound)) = self.take(id) {
            if self.in_force.get(&bound.owner) == Some(&id) {
                self.in_force.remove(&bound.owner);
            }
            leaving.port = self.publish_or_close(bound.address);
            bound.route.retire();
            leaving.routes.push(bound.route);
        }
        leaving.routes.extend(self.replaced.remove(&id).unwrap_or_default());
        leaving
    }

    /// Takes no more bindings and no more connections. Every port that still has some, to be
    /// waited for.
    pub(crate) fn stop(&mut self, deadline: Instant) -> Vec<Arc<Port>> {
        self.stopping = true;
        let mut taken_over = Vec::new();
        for (address, open) in std::mem::take(&mut self.open) {
            if open.port.heir().is_some() {
                taken_over.push(address);
            }
            self.doors.leave(address, &open.port);
            self.closing.push(Arc::downgrade(&open.port));
        }
        let closing: Vec<_> = self.closing.iter().filter_map(Weak::upgrade).collect();
        closing.iter().for_each(|port| port.drain(deadline));
        // A request whose body is still coming goes to the heir, which is told of what is bound.
        // Only now: whoever finds its route retired must find the port closing.
        let left = self.bound.values().filter(|bound| taken_over.contains(&bound.address));
        left.for_each(|bound| bound.route.retire());
        closing
    }

    /// Where each binding can be reached, in the order of the bindings.
    pub(crate) fn addresses(&self) -> Vec<Listening> {
        let mut addresses: Vec<_> =
            self.bound.iter().map(|(id, bound)| bound.listening(*id)).collect();
        addresses.sort_by_key(|listening| listening.binding);
        addresses
    }

    /// Earlier bindings this one takes the place of: itself with other values, or the binding of
    /// the same name of an earlier version of the actor, whatever its key was.
    fn replaced_by(&self, id: BindingId, owner: &Owner) -> Vec<BindingId> {
        let former = self.in_force.get(owner).copied().filter(|former| *former != id);
        let same = self.bound.contains_key(&id).then_some(id);
        same.into_iter().chain(former).collect()
    }

    /// The address to serve. Where the system is to choose a port, it is the one that it chose for
    /// the same binding before.
    fn wanted_address(
        &self,
        before: &[BindingId],
        config: &Config,
        choice: Option<&Choice>,
    ) -> SocketAddr {
        let Some(choice) = choice else { return config.address };
        let mut before = before.iter().filter_map(|id| self.bound.get(id));
        let kept = before.find(|bound| bound.route.config.address == config.address);
        let kept = kept.map(|bound| bound.address).or_else(|| self.doors.chosen(choice));
        kept.unwrap_or(config.address)
    }

    /// Whether a binding fits beside the others on the same port.
    fn check_fits(
        &self,
        open: &Open,
        route: &Route,
        before: &[BindingId],
    ) -> Result<(), CallError> {
        let other = |id: &BindingId| if before.contains(id) { None } else { self.bound.get(id) };
        // All the others agree about what holds for the whole port: any of them will do.
        let differs = route.config.port.difference(&open.table.limits).is_some();
        let of_port = differs.then(|| open.claims.values().find_map(other)).flatten();
        let claimed = |(host, path): (Option<&Host>, &str)| {
            open.claims.get(&(host.cloned(), path.to_owned())).and_then(other)
        };
        let rival = of_port.or_else(|| route.config.claims().find_map(claimed));
        let conflict =
            rival.and_then(|rival| conflict(route.tenant(), rival.route.tenant(), rival.address));
        conflict.map_or(Ok(()), |error| Err(error.into()))
    }

    fn open(
        &mut self,
        wanted: SocketAddr,
        choice: Option<Choice>,
        route: &Arc<Route>,
        workers: &Workers,
    ) -> Result<SocketAddr, CallError> {
        let table = Table::new(route.config.port);
        let (port, parts) = workers.port({
            // The first connection may come before everything else is noted.
            let mut first = table.clone();
            first.insert(route);
            first
        });
        let (address, listeners) = self
            .doors
            .enter(wanted, choice, &port, workers.count())
            .map_err(|error| sockets::explain(route.config.address, &route.actor_name, &error))?;
        if let Err(error) = workers.open(parts, listeners) {
            self.doors.leave(address, &port);
            port.drain(Instant::now());
            return Err(error);
        }
        self.open.insert(address, Open::new(port, table));
        Ok(address)
    }

    /// Takes a binding out of everything but what is published.
    fn take(&mut self, id: BindingId) -> Option<(BindingId, Bound)> {
        let bound = self.bound.remove(&id)?;
        if let Some(open) = self.open.get_mut(&bound.address) {
            open.remove(id, &bound);
        }
        Some((id, bound))
    }

    /// Publishes what a port serves now, or closes it when that is nothing.
    fn publish_or_close(&mut self, address: SocketAddr) -> Option<Arc<Port>> {
        let open = self.open.get_mut(&address)?;
        open.publish();
        if open.bindings > 0 {
            return None;
        }
        let Open { port, time_max, .. } = self.open.remove(&address)?;
        self.doors.leave(address, &port);
        port.drain(Instant::now() + time_max);
        self.closing.retain(|port| port.strong_count() > 0);
        self.closing.push(Arc::downgrade(&port));
        Some(port)
    }

    /// Retires a route that was replaced, and remembers it while calls are under way on it.
    fn keep_busy(&mut self, id: BindingId, route: Arc<Route>) {
        route.retire();
        let busy = self.replaced.entry(id).or_default();
        busy.push(route);
        busy.retain(|route| !route.is_idle());
        if busy.is_empty() {
            self.replaced.remove(&id);
        }
    }
}

impl Drop for Ports {
    fn drop(&mut self) {
        self.stop(Instant::now());
    }
}

impl Open {
    fn new(port: Arc<Port>, table: Table) -> Self {
        Self { port, table, claims: HashMap::new(), bindings: 0, time_max: Duration::ZERO }
    }

    fn add(&mut self, id: BindingId, route: &Arc<Route>) {
        self.table.limits = route.config.port;
        self.table.insert(route);
        for (host, path) in route.config.claims() {
            self.claims.insert((host.cloned(), path.to_owned()), id);
        }
        self.bindings += 1;
        self.time_max = self.time_max.max(route.config.request.time_max);
    }

    fn remove(&mut self, id: BindingId, bound: &Bound) {
        self.table.remove(&bound.route);
        for (host, path) in bound.route.config.claims() {
            let claim = (host.cloned(), path.to_owned());
            if self.claims.get(&claim) == Some(&id) {
                self.claims.remove(&claim);
            }
        }
        self.bindings -= 1;
    }

    fn publish(&self) {
        self.port.table.store(Arc::new(self.table.clone()));
    }
}

impl Bound {
    fn listening(&self, binding: BindingId) -> Listening {
        let port = self.address.port();
        let host = match self.route.config.hosts.first() {
            Some(Host::Exact(name)) if name.contains(':') => format!("[{name}]"),
            Some(Host::Exact(name)) => name.clone(),
            Some(Host::Below(name)) => format!("*{name}"),
            None => match self.address.ip() {
                IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
                IpAddr::V6(ip) if ip.is_unspecified() => format!("[{}]", Ipv6Addr::LOCALHOST),
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => format!("[{ip}]"),
            },
        };
        let path = self.route.config.shown_path();
        Listening { binding, address: self.address, url: format!("http://{host}:{port}{path}") }
    }
}

/// Who asks the system for a port; `None` when the manifest names one.
fn choice(binding: &Binding, config: &Config) -> Option<Choice> {
    let (actor_name, name) = (binding.actor_name.clone(), binding.name.clone());
    let asked = config.address;
    (asked.port() == 0).then_some(Choice { asked, actor_name, name })
}
