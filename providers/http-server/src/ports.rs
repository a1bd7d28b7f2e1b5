//! Which bindings share which ports: the control plane's own state.
//!
//! What a change costs depends on the change, not on how many bindings share the port.

pub(crate) mod arrivals;
mod fit;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use trellis_core::BindingName;
use trellis_providers_sdk::{BindingId, Listening};

use crate::config::matching::Host;
use crate::doors::Doors;
use crate::port::Port;
use crate::route::Route;
use crate::table::Table;

/// Every open port and every binding on it.
#[derive(Debug)]
pub(crate) struct Ports {
    doors: Doors,
    open: HashMap<SocketAddr, Open>,
    bound: HashMap<BindingId, Bound>,
    /// The binding in force for each actor and name.
    in_force: HashMap<Owner, BindingId>,
    /// What is held for bindings that are to come.
    reserved: HashMap<BindingId, Reserved>,
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
    /// How many bindings are to come here.
    reserved: usize,
    /// False while it is only reserved.
    started: bool,
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

/// A place in the line of an address, or a part of an open port.
#[derive(Debug)]
struct Reserved {
    address: SocketAddr,
    /// As it will be served.
    route: Arc<Route>,
}

/// What is left to wait for once bindings are gone.
#[derive(Default, Debug)]
pub(crate) struct Leaving {
    /// Routes on which calls may be under way.
    pub(crate) routes: Vec<Arc<Route>>,
    /// The ports that were closed, and those before them that still have their sockets.
    pub(crate) ports: Vec<Arc<Port>>,
}

impl Ports {
    pub(crate) fn new(doors: Doors) -> Self {
        Self {
            doors,
            open: HashMap::new(),
            bound: HashMap::new(),
            in_force: HashMap::new(),
            reserved: HashMap::new(),
            replaced: HashMap::new(),
            closing: Vec::new(),
            stopping: false,
        }
    }

    /// Removes bindings, also those that were to come; requests no longer see any of them. From
    /// each port all go in one moment, so that none falls to another one that is about to go too.
    pub(crate) fn unbind_all(&mut self, ids: &[BindingId]) -> Leaving {
        let mut leaving = Leaving::default();
        let given_back = self.release(ids.iter().copied());
        let gone: Vec<_> = ids.iter().filter_map(|id| self.take(*id)).collect();
        let changed = gone.iter().map(|(_, bound)| bound.address);
        let changed: BTreeSet<_> = changed.chain(given_back).collect();
        self.publish(&changed);
        for address in changed {
            if let Some(port) = self.close_unused(address) {
                leaving.ports.extend(self.doors.closing(address));
                leaving.ports.push(port);
            }
        }
        for (id, bound) in gone {
            if self.in_force.get(&bound.owner) == Some(&id) {
                self.in_force.remove(&bound.owner);
            }
            bound.route.retire();
            leaving.routes.push(bound.route);
        }
        leaving.routes.extend(ids.iter().filter_map(|id| self.replaced.remove(id)).flatten());
        leaving
    }

    /// Takes no more bindings and no more connections. Every port that still has some, to be
    /// waited for.
    pub(crate) fn stop(&mut self, deadline: Instant) -> Vec<Arc<Port>> {
        self.stopping = true;
        self.reserved.clear();
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

    /// Takes a binding out of everything but what is published.
    fn take(&mut self, id: BindingId) -> Option<(BindingId, Bound)> {
        let bound = self.bound.remove(&id)?;
        if let Some(open) = self.open.get_mut(&bound.address) {
            open.remove(id, &bound);
        }
        Some((id, bound))
    }

    /// Lets requests see what is served at these addresses now. Not where nothing is: what comes
    /// there goes to the heir, once the port is closed.
    fn publish(&self, addresses: &BTreeSet<SocketAddr>) {
        let open = addresses.iter().filter_map(|address| self.open.get(address));
        for open in open.filter(|open| open.started && open.is_used()) {
            open.port.table.store(Arc::new(open.table.clone()));
        }
        self.publish_reserved(addresses);
    }

    /// Closes a port that serves nothing any more.
    fn close_unused(&mut self, address: SocketAddr) -> Option<Arc<Port>> {
        if self.open.get(&address)?.is_used() {
            return None;
        }
        let Open { port, table, time_max, .. } = self.open.remove(&address)?;
        self.doors.leave(address, &port);
        port.drain(Instant::now() + time_max);
        // Only now: from here on whoever looks finds what the heir serves.
        port.table.store(Arc::new(table));
        self.closing.retain(|port| port.strong_count() > 0);
        self.closing.push(Arc::downgrade(&port));
        Some(port)
    }

    /// Holds the address for a binding.
    fn reserve(&mut self, address: SocketAddr, route: Arc<Route>) {
        if let Some(open) = self.open.get_mut(&address) {
            open.reserved += 1;
            self.reserved.insert(route.binding, Reserved { address, route });
        }
    }

    /// Holds nothing for these any more; gives where they were to come. Ports that nobody else
    /// needs are yet to be closed.
    fn release(&mut self, ids: impl Iterator<Item = BindingId>) -> Vec<SocketAddr> {
        let mut addresses = Vec::new();
        for Reserved { address, .. } in ids.filter_map(|id| self.reserved.remove(&id)) {
            if let Some(open) = self.open.get_mut(&address) {
                open.reserved -= 1;
            }
            addresses.push(address);
        }
        addresses
    }

    /// Keeps what ports that have not started will serve: if those before them in the line leave
    /// first, they are served at once.
    fn publish_reserved(&self, addresses: &BTreeSet<SocketAddr>) {
        let waits = |address: &SocketAddr| {
            let open = addresses.get(address).and_then(|address| self.open.get(address));
            open.filter(|open| !open.started)
        };
        let mut tables: BTreeMap<SocketAddr, Table> = BTreeMap::new();
        for Reserved { address, route } in self.reserved.values() {
            if waits(address).is_some() {
                let table = tables.entry(*address).or_insert_with(|| Table::new(route.config.port));
                table.insert(route);
            }
        }
        for (address, table) in tables {
            if let Some(open) = waits(&address) {
                open.port.table.store(Arc::new(table));
            }
        }
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
        let (claims, time_max) = (HashMap::new(), Duration::ZERO);
        Self { port, table, claims, bindings: 0, reserved: 0, started: false, time_max }
    }

    const fn is_used(&self) -> bool {
        self.bindings > 0 || self.reserved > 0
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
