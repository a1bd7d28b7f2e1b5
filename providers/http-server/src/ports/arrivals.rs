//! Bindings that come together. What one of them gives up another one may have, so that two actors
//! exchange their ports and no port closes that somebody else wants at the same moment.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use trellis_core::{CallError, Code};
use trellis_providers_sdk::{Binding, BindingId, Newcomer};

use super::{Bound, Open, Owner, Ports};
use crate::config::Config;
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
pub(super) struct Coming {
    place: usize,
    owner: Owner,
    choice: Option<Choice>,
    /// What it wants: with port 0 until that is open.
    pub(super) address: SocketAddr,
    pub(super) route: Arc<Route>,
    /// What it takes the place of, here or at another provider.
    pub(super) before: Vec<BindingId>,
}

/// The bindings that are in nobody's way: those that leave, and those whose places are taken.
pub(super) type Going = HashSet<BindingId>;

/// Those that cannot be served, by their index, and why.
pub(super) type Misfits = BTreeMap<usize, CallError>;

impl Ports {
    /// Adds bindings, or replaces what they were before; requests see them at once. A binding that
    /// is `leaving` conflicts with none of them, nor does one whose replacement is not refused.
    ///
    /// A binding is refused with [`Code::Config`] when it wants the same port, host and path as
    /// another actor, or other limits for the port. It is refused with [`Code::Address`] when its
    /// port cannot be opened. For refused bindings nothing has changed.
    ///
    /// # Errors
    /// The ports that are in the way but are being closed. Then nothing has changed, and the caller
    /// may try again once they have stopped.
    pub(crate) fn bind_all(
        &mut self,
        arrivals: &[Arrival<'_>],
        leaving: &[BindingId],
        workers: &Workers,
    ) -> Result<Refused, Vec<Arc<Port>>> {
        let mut opened = BTreeSet::new();
        let (coming, refused) =
            self.choose(arrivals, (leaving, workers), |ports, coming, going| {
                let failed = ports.open_all(coming, going, (workers, &mut opened));
                if failed.is_empty() { ports.listen_all(coming) } else { failed }
            })?;
        opened.extend(self.release(ids(arrivals)));
        self.settle(coming, opened);
        Ok(refused)
    }

    /// Reserves what bindings need, without requests noticing. Refuses the bindings that
    /// [`bind_all`](Self::bind_all) would refuse, and reserves nothing for them.
    ///
    /// # Errors
    /// As for `bind_all`.
    pub(crate) fn reserve_all(
        &mut self,
        arrivals: &[Arrival<'_>],
        leaving: &[BindingId],
        workers: &Workers,
    ) -> Result<Refused, Vec<Arc<Port>>> {
        let mut opened = BTreeSet::new();
        let (coming, refused) =
            self.choose(arrivals, (leaving, workers), |ports, coming, going| {
                ports.open_all(coming, going, (workers, &mut opened))
            })?;
        opened.extend(self.release(ids(arrivals)));
        for Coming { address, route, .. } in coming {
            self.reserve(address, route);
            opened.insert(address);
        }
        self.publish_reserved(&opened);
        for address in opened {
            self.close_unused(address);
        }
        Ok(refused)
    }

    /// Those that can be served together, and those that are refused: what does not fit, and what
    /// does not find its port with `open`, which gives those by their index.
    fn choose(
        &mut self,
        arrivals: &[Arrival<'_>],
        (leaving, workers): (&[BindingId], &Workers),
        mut open: impl FnMut(&mut Self, &mut [Coming], &Going) -> Misfits,
    ) -> Result<(Vec<Coming>, Refused), Vec<Arc<Port>>> {
        if self.stopping {
            let error = CallError::new(Code::Stopping, "the HTTP server is being stopped");
            let refused = arrivals.iter().map(|arrival| (arrival.place, error.clone()));
            return Ok((Vec::new(), refused.collect()));
        }
        let mut coming: Vec<_> =
            arrivals.iter().map(|arrival| self.coming(arrival, workers)).collect();
        let mut going = self.address_all(&mut coming, leaving);
        let closing = self.in_the_way(&coming);
        if !closing.is_empty() {
            return Err(closing);
        }
        let mut refused = Vec::new();
        loop {
            let mut misfits = self.misfits(&coming, &going);
            if misfits.is_empty() {
                misfits = open(self, &mut coming, &going);
            }
            if misfits.is_empty() {
                return Ok((coming, refused));
            }
            // What they have now they keep, which may be what another one wanted.
            let mut index = 0..;
            coming.retain(|one| {
                let error = index.next().and_then(|index| misfits.remove(&index));
                let fits = error.is_none();
                refused.extend(error.map(|error| (one.place, error)));
                fits
            });
            going = self.address_all(&mut coming, leaving);
        }
    }

    /// The ports that are being closed where one of these is to be opened.
    fn in_the_way(&self, coming: &[Coming]) -> Vec<Arc<Port>> {
        let unopened = self.unopened(coming).into_iter();
        unopened.flat_map(|(address, _)| self.doors.closing(address)).collect()
    }

    fn coming(&self, arrival: &Arrival<'_>, workers: &Workers) -> Coming {
        let Arrival { place, newcomer: Newcomer { binding, replaces }, config } = arrival;
        let owner = (binding.actor_name.clone(), binding.name.clone());
        let mut before = self.replaced_by(binding.id, &owner);
        before.extend(replaces);
        let (choice, address) = (choice(binding, config), config.address);
        let reserved = self.reserved.get(&binding.id).map(|reserved| &reserved.route);
        let reserved = reserved.filter(|route| route.config == *config);
        let route = reserved.map(Arc::clone).unwrap_or_else(|| {
            let (name, config) = (binding.actor_name.clone(), config.clone());
            let tally = workers.tally(&name);
            Arc::new(Route::new(binding.id, name, config, tally))
        });
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

    /// Opens every port that is not open yet, without starting it; gives those for whom that
    /// failed, by their index.
    fn open_all(
        &mut self,
        coming: &mut [Coming],
        going: &Going,
        (workers, opened): (&Workers, &mut BTreeSet<SocketAddr>),
    ) -> Misfits {
        let mut failed = Misfits::new();
        for (wanted, indexes) in self.unopened(coming) {
            let choice = indexes.first().and_then(|first| coming[*first].choice.clone());
            let routes: Vec<_> = indexes.iter().map(|index| &coming[*index].route).collect();
            match self.open((wanted, choice), &routes, (going, workers)) {
                Ok(address) => {
                    opened.insert(address);
                    indexes.into_iter().for_each(|index| coming[index].address = address);
                }
                Err(error) => failed.extend(explain_all(coming, indexes, &error)),
            }
        }
        failed
    }

    /// Has connections come to every port that is yet to start, where they wait; gives those for
    /// whom that failed, by their index.
    fn listen_all(&self, coming: &[Coming]) -> Misfits {
        let mut asked = HashMap::new();
        let mut failed = Misfits::new();
        for (index, one) in coming.iter().enumerate() {
            let listens = asked.entry(one.address).or_insert_with(|| {
                let starts = self.open.get(&one.address).is_some_and(|open| !open.started);
                if starts { self.doors.listen(one.address).map_err(NoEntry::from) } else { Ok(()) }
            });
            failed.extend(listens.as_ref().err().map(|error| (index, explain(one, error))));
        }
        failed
    }

    /// The addresses that are not open yet, each with those that want it, by their index. Port 0
    /// is another port for each.
    fn unopened(&self, coming: &[Coming]) -> Vec<(SocketAddr, Vec<usize>)> {
        let mut groups: Vec<(SocketAddr, Vec<usize>)> = Vec::new();
        let mut known = HashMap::new();
        for (index, Coming { address, .. }) in coming.iter().enumerate() {
            if self.open.contains_key(address) {
                continue;
            }
            let new = groups.len();
            let at = if address.port() == 0 { new } else { *known.entry(*address).or_insert(new) };
            match groups.get_mut(at) {
                Some((_, indexes)) => indexes.push(index),
                None => groups.push((*address, vec![index])),
            }
        }
        groups
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
            self.doors.enter((wanted, choice), (&port, parts.len()), going)?;
        if let Err(error) = workers.open(parts, listeners) {
            self.doors.leave(address, &port);
            port.drain(Instant::now());
            return Err(NoEntry::Busy(error));
        }
        self.open.insert(address, Open::new(port, table));
        Ok(address)
    }

    /// Lets all of them take their places. Nothing fails any more.
    fn settle(&mut self, coming: Vec<Coming>, mut changed: BTreeSet<SocketAddr>) {
        let before: Vec<_> =
            (coming.iter().flat_map(|one| &one.before)).filter_map(|id| self.take(*id)).collect();
        let mut starting = BTreeSet::new();
        for Coming { owner, address, route, .. } in coming {
            let id = route.binding;
            if let Some(open) = self.open.get_mut(&address) {
                open.add(id, &route);
                if !std::mem::replace(&mut open.started, true) {
                    starting.insert(address);
                }
            }
            self.in_force.insert(owner.clone(), id);
            self.bound.insert(id, Bound { owner, address, route });
            changed.insert(address);
        }
        changed.extend(before.iter().map(|(_, old)| old.address));
        // Whoever moved is served at its new address before the old one closes.
        self.publish(&changed);
        for address in starting {
            if let Some(open) = self.open.get(&address) {
                self.doors.start(address, &open.port);
            }
        }
        for address in changed {
            self.close_unused(address);
        }
        for (id, old) in before {
            self.keep_busy(id, old.route);
        }
    }
}

/// The bindings that are to come.
fn ids(arrivals: &[Arrival<'_>]) -> impl Iterator<Item = BindingId> {
    arrivals.iter().map(|arrival| arrival.newcomer.binding.id)
}

fn explain_all(
    coming: &[Coming],
    indexes: Vec<usize>,
    error: &NoEntry,
) -> impl Iterator<Item = (usize, CallError)> {
    indexes.into_iter().map(move |index| (index, explain(&coming[index], error)))
}

pub(super) fn explain(one: &Coming, error: &NoEntry) -> CallError {
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
