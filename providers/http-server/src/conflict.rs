//! Which bindings cannot be served together: one rule, for a manifest and for an open port.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;

use trellis_providers_sdk::{Place, ValueError, ValueProblem, Wanted};

use crate::config::Config;

/// A binding on a port, beside others.
#[derive(Clone, Copy)]
pub(crate) struct Tenant<'a> {
    pub(crate) actor: &'a str,
    pub(crate) config: &'a Config,
}

/// Why two bindings cannot share an address; `None` when they can.
pub(crate) fn conflict(
    one: Tenant<'_>,
    other: Tenant<'_>,
    address: SocketAddr,
) -> Option<ValueError> {
    let whose = if one.actor == other.actor {
        format!("two bindings of actor `{}`", one.actor)
    } else {
        format!("actors `{}` and `{}`", one.actor, other.actor)
    };
    if let Some(key) = one.config.port.difference(&other.config.port) {
        let sentence =
            format!("{whose} share {address} but differ in {key}, which holds for a whole port");
        let help = format!("give both the same {key}, or one another PORT");
        return Some(ValueError::new(key, sentence).help(help));
    }
    let meet = one.config.path == other.config.path
        && one
            .config
            .claims()
            .any(|(host, _)| other.config.claims().any(|(there, _)| host == there));
    meet.then(|| {
        let path = one.config.shown_path();
        ValueError::new("PORT", format!("{whose} both want {address}{path}"))
            .help("give one of them another PORT, HOSTS or PATH")
    })
}

/// Every binding of a manifest that cannot be served beside an earlier one, or beside the host.
pub(crate) fn conflicts(wanted: &Wanted, configs: &[(usize, Config)]) -> Vec<ValueProblem> {
    let tenant = |index: usize| {
        let (binding, config) = &configs[index];
        Tenant { actor: &wanted.bindings[*binding].actor, config }
    };
    let mut ports: HashMap<SocketAddr, usize> = HashMap::new();
    let mut places = HashMap::new();
    let mut problems = Vec::new();
    for (index, (binding, config)) in configs.iter().enumerate() {
        let address = config.address;
        // Port 0 is another port for each binding.
        if address.port() == 0 {
            continue;
        }
        let place = Place::Binding(*binding);
        if let Some(error) = taken_by_host(tenant(index), &wanted.host_addresses) {
            problems.push(ValueProblem { place, error });
            continue;
        }
        let first_on_port = *ports.entry(address).or_insert(index);
        let taken = config.claims().find_map(|claim| match places.entry((address, claim)) {
            Entry::Occupied(first) => Some(*first.get()),
            Entry::Vacant(free) => {
                free.insert(index);
                None
            }
        });
        let rivals = [Some(first_on_port), taken].into_iter().flatten();
        let error = rivals
            .filter(|rival| *rival != index)
            .find_map(|rival| conflict(tenant(index), tenant(rival), address));
        problems.extend(error.map(|error| ValueProblem { place, error }));
    }
    problems
}

/// The host has bound its own addresses by the time a binding comes.
fn taken_by_host(tenant: Tenant<'_>, host: &[SocketAddr]) -> Option<ValueError> {
    let address = tenant.config.address;
    let taken = host.iter().find(|taken| overlap(**taken, address))?;
    let actor = tenant.actor;
    let sentence =
        format!("actor `{actor}` wants {address}, and the host's own admin address is {taken}");
    let help = "choose another PORT, or another admin address (`--admin`, or `host: {admin: …}`)";
    Some(ValueError::new("PORT", sentence).help(help))
}

/// Whether a socket on one address is in the way of one on the other. The unspecified IPv6 address
/// takes IPv4 as well.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let covers = |wide: SocketAddr, narrow: SocketAddr| {
        wide.ip().is_unspecified() && (wide.is_ipv6() || narrow.is_ipv4())
    };
    one.port() == other.port()
        && (one.ip() == other.ip() || covers(one, other) || covers(other, one))
}

#[cfg(test)]
mod tests {
    use trellis_core::{BindingName, ContractId};
    use trellis_providers_sdk::{Values, WantedBinding};

    use super::*;

    fn found(bindings: &[(&str, &[(&str, &str)])]) -> Vec<(Place, String)> {
        let values = |pairs: &[(&str, &str)]| -> Values {
            pairs.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()
        };
        let bindings = bindings.iter().map(|(actor, pairs)| WantedBinding {
            actor: (*actor).to_owned(),
            contract: ContractId::from_static("wascc:http_server"),
            name: BindingName::default(),
            values: values(pairs),
        });
        let wanted = Wanted { bindings: bindings.collect(), ..Wanted::default() };
        let mut problems = Vec::new();
        let configs = wanted.read_each(&mut problems, Config::read);
        assert_eq!(problems, [], "each is right by itself");
        let conflicts = conflicts(&wanted, &configs);
        conflicts.into_iter().map(|found| (found.place, found.error.message)).collect()
    }

    #[test]
    fn bindings_share_a_port_by_host_and_path() {
        let none = found(&[
            ("a", &[("PORT", "80")]),
            ("b", &[("PORT", "80"), ("PATH", "/b")]),
            ("c", &[("PORT", "80"), ("HOSTS", "c.example")]),
            ("d", &[("PORT", "81")]),
            ("e", &[("PORT", "0")]),
            ("f", &[("PORT", "0")]),
            ("g", &[("PORT", "80"), ("ADDRESS", "127.0.0.1")]),
        ]);
        assert_eq!(none, []);
    }

    #[test]
    fn two_bindings_that_want_one_place_are_told() {
        let two = found(&[
            ("a", &[("PORT", "80"), ("HOSTS", "x.example,y.example")]),
            ("b", &[("PORT", "80"), ("HOSTS", "Y.example")]),
            ("b", &[("PORT", "80"), ("HOSTS", "y.example")]),
        ]);
        let sentence = "actors `b` and `a` both want 0.0.0.0:80/".to_owned();
        assert_eq!(two, [(Place::Binding(1), sentence.clone()), (Place::Binding(2), sentence)]);
        let own = found(&[("a", &[]), ("a", &[])]);
        assert_eq!(own[0].1, "two bindings of actor `a` both want 0.0.0.0:8080/");
    }

    #[test]
    fn an_address_of_the_host_is_taken() {
        for (ours, hosts, taken) in [
            ("0.0.0.0:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "0.0.0.0:80", true),
            ("127.0.0.1:80", "[::]:80", true),
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("127.0.0.1:80", "127.0.0.2:80", false),
            ("0.0.0.0:80", "[::1]:80", false),
        ] {
            let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
            assert_eq!(overlap(address(ours), address(hosts)), taken, "{ours} {hosts}");
        }
        let binding = WantedBinding {
            actor: "a".to_owned(),
            contract: ContractId::from_static("wascc:http_server"),
            name: BindingName::default(),
            values: Values::default(),
        };
        let host_addresses = vec![SocketAddr::from(([127, 0, 0, 1], 8080))];
        let wanted = Wanted { bindings: vec![binding], host_addresses, ..Wanted::default() };
        let configs = wanted.read_each(&mut Vec::new(), Config::read);
        let found = conflicts(&wanted, &configs).remove(0);
        assert_eq!((found.place, &*found.error.key), (Place::Binding(0), "PORT"));
        let sentence =
            "actor `a` wants 0.0.0.0:8080, and the host's own admin address is 127.0.0.1:8080";
        assert_eq!(found.error.message, sentence);
    }

    #[test]
    fn a_port_has_one_set_of_limits() {
        let two = found(&[("a", &[]), ("b", &[("PATH", "/b"), ("IDLE_TIME_MAX", "1s")])]);
        assert_eq!(two.len(), 1, "{two:?}");
        assert!(two[0].1.contains("IDLE_TIME_MAX"), "{two:?}");
    }
}
