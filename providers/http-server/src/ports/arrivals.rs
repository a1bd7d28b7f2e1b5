//! Bindings that come together. What one of them gives up another one may have, so that two actors
//! exchange their ports and no port closes that somebody else wants at the same moment.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use trellis_core::{CallError, Code};
use trellis_providers_sdk::{Binding, BindingId, Newcomer};

use super::{Bound, Open, Owner, Ports};
use crate::config::Config;
use crate::config::matching::Host;
use crate::conflict::conflict;
use crate::doors::{Choice, NoEntry};
use crate::port::Port;
use crate::route::Route;
use crate::sockets;
use crate::table::Table;
use crate::workers::Workers;

/// A binding that is to be served.
pub(crate) struct Arrival<'a> {
    /// Its place among those that come together.
    pub(crate) place: usize,
    pub(crate) newcomer: &'a Newcomer,
    pub(crate) config: Config,
}

/// What could not be served, by its place, and why.
pub(crate) type Refused = Vec<(usize, CallError)>;

/// A binding on its way in.
struct Coming {
    place: usize,
    owner: Owner,
    choice: Option<Choice>,
    /// What it wants: with port 0 until that is open.
    address: SocketAddr,
    route: Arc<Route>,
    /// What it takes the place of, here or at another provider.
    before: Vec<BindingId>,
}

/// The bindings that are in nobody's way: those that leave, and those whose places are taken.
type Going = HashSet<BindingId>;

impl Ports {
    /// Adds bindings, or replaces what they were before; requests see them at once. Those that are
    /// `leaving` are in nobody's way, nor are those that are replaced by what is not refused.
    ///
    /// Refused is, with [`Code::Config`], what wants the same port, host and path as another actor
    /// or other limits for the port, and with [`Code::Address`] what wants a port that cannot be
    /// had. For these nothing has changed.
    ///
    /// # Errors
    /// The ports that are in the way but are being closed; nothing has changed then, and it may be
    /// asked again once they have stopped.
    pub(crate) fn bind_all(
        &mut self,
        arrivals: &[Arrival<'_>],
        leaving: &[BindingId],
        workers: &Workers,
    ) -> Result<Refused, Vec<Arc<Port>>> {
        if self.stopping {
            let error = CallError::new(Code::Stopping, "the HTTP server is being stopped");
            return Ok(arrivals.iter().map(|arrival| (arrival.place, error.clone())).collect());
        }
        let mut coming: Vec<_> =
            arrivals.iter().map(|arrival| self.coming(arrival, workers)).collect();
        let mut going = self.address_all(&mut coming, leaving);
        let unopened = coming.iter().filter(|one| !self.open.contains_key(&one.address));
        let closing: Vec<_> = unopened.flat_map(|one| self.doors.closing(one.address)).collect();
        if !closing.is_empty() {
            return Err(closing);
        }
        let (mut refused, mut opened) = (Vec::new(), Vec::new());
        loop {
            let mut misfits = self.misfits(&coming, &going);
            if misfits.is_empty() {
                misfits = self.open_all(&mut coming, &going, (workers, &mut opened));
            }
            if misfits.is_empty() {
                break;
            }
            // What they have now they keep, which may be what another one wanted.
            for (index, error) in misfits.into_iter().rev() {
                refused.push((coming.remove(index).place, error));
            }
            going = self.address_all(&mut coming, leaving);
        }
        self.settle(coming, opened);
        Ok(refused)
    }

    fn coming(&self, arrival: &Arrival<'_>, workers: &Workers) -> Coming {
        let Arrival { place, newcomer: Newcomer { binding, replaces }, config } = arrival;
        let owner = (binding.actor_name.clone(), binding.name.clone());
        let mut before = self.replaced_by(binding.id, &owner);
        before.extend(replaces);
        let (choice, address) = (choice(binding, config), config.address);
        let (name, config) = (binding.actor_name.clone(), config.clone());
        let tally = workers.tally(&name);
        let route = Arc::new(Route::new(binding.id, name, config, tally));
        Coming { place: *place, owner, choice, address, route, before }
    }

    /// Says where each of those that come will be, the others being refused; gives what goes then.
    fn address_all(&self, coming: &mut [Coming], leaving: &[BindingId]) -> Going {
        let going = coming.iter().flat_map(|one| &one.before).chain(leaving).copied().collect();
        for one in coming {
            let Some(choice) = &one.choice else { continue };
            let kept = self.kept_address(&one.before, choice.asked);
            let chosen = kept.or_else(|| self.doors.chosen(choice, &going));
            one.address = chosen.unwrap_or(choice.asked);
        }
        going
    }

    /// Earlier bindings this one takes the place of: itself with other values, or the binding of
    /// the same name of an earlier version of the actor, whatever its key was.
    fn replaced_by(&self, id: BindingId, owner: &Owner) -> Vec<BindingId> {
        let former = self.in_force.get(owner).copied().filter(|former| *former != id);
        let same = self.bound.contains_key(&id).then_some(id);
        same.into_iter().chain(former).collect()
    }

    /// The address that the system chose for what the binding was before.
    fn kept_address(&self, before: &[BindingId], asked: SocketAddr) -> Option<SocketAddr> {
        let mut before = before.iter().filter_map(|id| self.bound.get(id));
        let kept = before.find(|bound| bound.route.config.address == asked);
        kept.map(|bound| bound.address)
    }

    /// Those that do not fit beside what stays and what comes with them, by their index.
    fn misfits(&self, coming: &[Coming], going: &Going) -> Vec<(usize, CallError)> {
        let mut first_on: HashMap<SocketAddr, &Route> = HashMap::new();
        let mut claims: HashMap<(SocketAddr, Option<&Host>, &str), &Route> = HashMap::new();
        let mut misfits = Vec::new();
        // Whoever is at an address already has it before others come.
        let (here, there): (Vec<_>, Vec<_>) =
            coming.iter().enumerate().partition(|(_, one)| self.is_at_its_address(one));
        for (index, one) in here.into_iter().chain(there) {
            let (route, address) = (&*one.route, one.address);
            // Port 0 is another port for each binding.
            if address.port() == 0 {
                continue;
            }
            let open = self.open.get(&address);
            let staying = open.and_then(|open| self.rival(open, route, going));
            let first = *first_on.entry(address).or_insert(route);
            let taken = route.config.claims().find_map(|(host, path)| {
                match claims.entry((address, host, path)) {
                    Entry::Occupied(other) => Some(*other.get()),
                    Entry::Vacant(free) => {
                        free.insert(route);
                        None
                    }
                }
            });
            let rivals = [staying, Some(first), taken].into_iter().flatten();
            let mut rivals = rivals.filter(|rival| !std::ptr::eq(*rival, route));
            let error = rivals.find_map(|it| conflict(route.tenant(), it.tenant(), address));
            if let Some(error) = error {
                misfits.push((index, error.into()));
            } else if open.is_some() && self.doors.is_shared(address, going) {
                misfits.push((index, explain(one, &NoEntry::Host)));
            }
        }
        misfits.sort_by_key(|(index, _)| *index);
        misfits
    }

    fn is_at_its_address(&self, one: &Coming) -> bool {
        let mut before = one.before.iter().filter_map(|id| self.bound.get(id));
        before.any(|bound| bound.address == one.address)
    }

    /// Whoever stays on an open port and is in a route's way.
    fn rival(&self, open: &Open, route: &Route, going: &Going) -> Option<&Route> {
        let stays = |id: &BindingId| if going.contains(id) { None } else { self.bound.get(id) };
        // All the others agree about what holds for the whole port: any of them will do.
        let differs = route.config.port.difference(&open.table.limits).is_some();
        let of_port = differs.then(|| open.claims.values().find_map(stays)).flatten();
        let claimed = |(host, path): (Option<&Host>, &str)| {
            open.claims.get(&(host.cloned(), path.to_owned())).and_then(stays)
        };
        let rival = of_port.or_else(|| route.config.claims().find_map(claimed));
        rival.map(|bound| &*bound.route)
    }

    /// Opens every port that is not open yet; gives those for whom that failed, by their index.
    fn open_all(
        &mut self,
        coming: &mut [Coming],
        going: &Going,
        (workers, opened): (&Workers, &mut Vec<SocketAddr>),
    ) -> Vec<(usize, CallError)> {
        let mut failed = Vec::new();
        for index in 0..coming.len() {
            let wanted = coming[index].address;
            if self.open.contains_key(&wanted) {
                continue;
            }
            let (one, later) = (&coming[index], &coming[index + 1..]);
            let beside = later.iter().filter(|other| other.address == wanted && wanted.port() != 0);
            let routes: Vec<_> = [one].into_iter().chain(beside).map(|one| &one.route).collect();
            match self.open((wanted, one.choice.clone()), &routes, (going, workers)) {
                Ok(address) => {
                    opened.push(address);
                    coming[index].address = address;
                }
                Err(error) => failed.push((index, explain(one, &error))),
            }
        }
        failed
    }

    fn open(
        &mut self,
        (wanted, choice): (SocketAddr, Option<Choice>),
        routes: &[&Arc<Route>],
        (going, workers): (&Going, &Workers),
    ) -> Result<SocketAddr, NoEntry> {
        let Some(first) = routes.first() else { return Err(NoEntry::Host) };
        let table = Table::new(first.config.port);
        let (port, parts) = workers.port({
            // The first connection may come before everything else is noted.
            let mut served = table.clone();
            routes.iter().for_each(|route| served.insert(route));
            served
        });
        let (address, listeners) =
            self.doors.enter((wanted, choice), (&port, workers.count()), going)?;
        if let Err(error) = workers.open(parts, listeners) {
            self.doors.leave(address, &port);
            port.drain(Instant::now());
            return Err(NoEntry::Busy(error));
        }
        self.open.insert(address, Open::new(port, table));
        Ok(address)
    }

    /// Lets all of them take their places. Nothing fails any more.
    fn settle(&mut self, coming: Vec<Coming>, opened: Vec<SocketAddr>) {
        let before: Vec<_> =
            (coming.iter().flat_map(|one| &one.before)).filter_map(|id| self.take(*id)).collect();
        let mut changed: BTreeSet<SocketAddr> = opened.into_iter().collect();
        for Coming { owner, address, route, .. } in coming {
            let id = route.binding;
            if let Some(open) = self.open.get_mut(&address) {
                open.add(id, &route);
            }
            self.in_force.insert(owner.clone(), id);
            self.bound.insert(id, Bound { owner, address, route });
            changed.insert(address);
        }
        changed.extend(before.iter().map(|(_, old)| old.address));
        // Whoever moved is served at its new address before the old one closes.
        changed.iter().for_each(|address| self.publish(*address));
        for address in changed {
            self.close_unused(address);
        }
        for (id, old) in before {
            self.keep_busy(id, old.route);
        }
    }
}

fn explain(one: &Coming, error: &NoEntry) -> CallError {
    let (address, actor) = (one.route.config.address, &*one.route.actor_name);
    match error {
        NoEntry::System(error) => sockets::explain(address, actor, error),
        NoEntry::Busy(error) => error.clone(),
        NoEntry::Host => {
            let text = format!(
                "{address}, wanted by actor `{actor}`, is served by another provider of this host; \
                 bind all actors of that address to one provider, or choose another PORT"
            );
            CallError::new(Code::Address, text)
        }
    }
}

/// Who asks the system for a port; `None` when the manifest names one.
fn choice(binding: &Binding, config: &Config) -> Option<Choice> {
    let (actor_name, name) = (binding.actor_name.clone(), binding.name.clone());
    let asked = config.address;
    (asked.port() == 0).then_some(Choice { asked, actor_name, name })
}
