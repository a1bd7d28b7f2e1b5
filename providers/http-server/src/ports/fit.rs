//! Which of the bindings that come together fit beside one another and beside what stays.
//!
//! What holds for a whole address is looked up once for each, however many want it.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;

use super::arrivals::{Coming, Going, Misfits, explain};
use super::{Open, Ports};
use crate::config::matching::Host;
use crate::conflict::conflict;
use crate::doors::NoEntry;
use crate::route::Route;

/// An address that some of them want.
struct Wanted<'a> {
    open: Option<&'a Open>,
    /// The first of them.
    first: &'a Route,
    /// Another provider of this host stands in its line, to stay.
    shared: bool,
    /// Anybody who stays there.
    stays: OnceCell<Option<&'a Route>>,
}

impl Ports {
    /// Those that do not fit beside what stays and what comes with them.
    pub(super) fn misfits(&self, coming: &[Coming], going: &Going) -> Misfits {
        let mut wanted: HashMap<SocketAddr, Wanted<'_>> = HashMap::new();
        let mut claims: HashMap<(SocketAddr, Option<&Host>, &str), &Route> = HashMap::new();
        let mut misfits = Misfits::new();
        // Whoever is at an address already has it before others come.
        let (here, there): (Vec<_>, Vec<_>) =
            coming.iter().enumerate().partition(|(_, one)| self.is_at_its_address(one));
        for (index, one) in here.into_iter().chain(there) {
            let (route, address) = (&*one.route, one.address);
            // Port 0 is another port for each binding.
            if address.port() == 0 {
                continue;
            }
            let at = wanted.entry(address).or_insert_with(|| self.wanted(address, route, going));
            let staying = self.rival(at, route, going);
            let taken = route.config.claims().find_map(|(host, path)| {
                match claims.entry((address, host, path)) {
                    Entry::Occupied(other) => Some(*other.get()),
                    Entry::Vacant(free) => {
                        free.insert(route);
                        None
                    }
                }
            });
            let rivals = [staying, Some(at.first), taken].into_iter().flatten();
            let mut rivals = rivals.filter(|rival| !std::ptr::eq(*rival, route));
            let error = rivals.find_map(|it| conflict(route.tenant(), it.tenant(), address));
            if let Some(error) = error {
                misfits.insert(index, error.into());
            } else if at.shared {
                misfits.insert(index, explain(one, &NoEntry::Host));
            }
        }
        misfits
    }

    fn is_at_its_address(&self, one: &Coming) -> bool {
        let mut before = one.before.iter().filter_map(|id| self.bound.get(id));
        before.any(|bound| bound.address == one.address)
    }

    fn wanted<'a>(&'a self, address: SocketAddr, first: &'a Route, going: &Going) -> Wanted<'a> {
        let open = self.open.get(&address);
        let shared = open.is_some() && self.doors.is_shared(address, going);
        Wanted { open, first, shared, stays: OnceCell::new() }
    }

    /// Whoever stays on an open port and is in a route's way.
    fn rival<'a>(&'a self, at: &Wanted<'a>, route: &Route, going: &Going) -> Option<&'a Route> {
        let open = at.open?;
        let stays = |id| if going.contains(id) { None } else { Some(&*self.bound.get(id)?.route) };
        // All the others agree about what holds for the whole port: any of them will do.
        let differs = route.config.port.difference(&open.table.limits).is_some();
        let anybody = || *at.stays.get_or_init(|| open.claims.values().find_map(stays));
        let claimed = |(host, path): (Option<&Host>, &str)| {
            open.claims.get(&(host.cloned(), path.to_owned())).and_then(stays)
        };
        let of_port = if differs { anybody() } else { None };
        of_port.or_else(|| route.config.claims().find_map(claimed))
    }
}
