//! Which bindings cannot be served together: one rule, for a manifest and for an open port.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
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

/// Every binding of a manifest that cannot be served beside an earlier one, beside another server,
/// or beside the host.
pub(crate) fn conflicts(wanted: &Wanted, configs: &[(usize, Config)]) -> Vec<ValueProblem> {
    let tenant = |index: usize| {
        let (binding, config) = &configs[index];
        Tenant { actor: &wanted.bindings[*binding].actor, config }
    };
    let mut ports: HashMap<SocketAddr, usize> = HashMap::new();
    let mut places = HashMap::new();
    let others = Others::of(wanted);
    let mut problems = Vec::new();
    for (index, (binding, config)) in configs.iter().enumerate() {
        let address = config.address;
        // Port 0 is another port for each binding.
        if address.port() == 0 {
            continue;
        }
        let place = Place::Binding(*binding);
        let taken = taken_by_host(tenant(index), &wanted.host_addresses);
        if let Some(error) = taken.or_else(|| others.taken(&wanted.provider, tenant(index))) {
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

/// What other servers of the manifest serve: no two of them share an address.
struct Others<'a>(HashMap<u16, Vec<Other<'a>>>);

/// The first binding of another server at an address.
struct Other<'a> {
    address: SocketAddr,
    provider: &'a str,
    actor: &'a str,
}

impl<'a> Others<'a> {
    fn of(wanted: &'a Wanted) -> Self {
        let mut by_port: HashMap<u16, Vec<Other<'a>>> = HashMap::new();
        let mut known = HashSet::new();
        for other in &wanted.beside {
            // What is wrong with its values is told where it is checked itself.
            for (index, config) in other.read_each(&mut Vec::new(), Config::read) {
                let (address, provider) = (config.address, &*other.provider);
                if address.port() != 0 && known.insert(address) {
                    let actor = &*other.bindings[index].actor;
                    let at_port = by_port.entry(address.port()).or_default();
                    at_port.push(Other { address, provider, actor });
                }
            }
        }
        Self(by_port)
    }

    fn taken(&self, provider: &str, tenant: Tenant<'_>) -> Option<ValueError> {
        let address = tenant.config.address;
        let mut at_port = self.0.get(&address.port())?.iter();
        let other = at_port.find(|other| overlap(other.address, address))?;
        let sentence = format!(
            "actor `{}` wants {address} of provider `{provider}`, and provider `{}` serves actor \
             `{}` at {}",
            tenant.actor, other.provider, other.actor, other.address
        );
        let help = "bind both actors to one provider, or give one of them another PORT";
        Some(ValueError::new("PORT", sentence).help(help))
    }
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
    fn two_servers_do_not_share_an_address() {
        let of = |provider: &str, actors: &[(&str, &str, &str)]| Wanted {
            provider: provider.to_owned(),
            bindings: (actors.iter())
                .map(|(actor, address, port)| WantedBinding {
                    actor: (*actor).to_owned(),
                    contract: ContractId::from_static("wascc:http_server"),
                    name: BindingName::default(),
                    values: [("ADDRESS", address), ("PORT", port)]
                        .map(|(key, text)| (key.to_owned(), (*text).to_owned()))
                        .into_iter()
                        .collect(),
                })
                .collect(),
            ..Wanted::default()
        };
        let first = of("first", &[("a", "127.0.0.1", "80"), ("b", "127.0.0.1", "0")]);
        let mut second = of(
            "second",
            &[
                ("c", "0.0.0.0", "80"),
                ("d", "127.0.0.2", "80"),
                ("e", "127.0.0.1", "81"),
                ("f", "127.0.0.1", "0"),
            ],
        );
        second.beside = vec![first];
        let configs = second.read_each(&mut Vec::new(), Config::read);
        let found = conflicts(&second, &configs);
        let sentence = "actor `c` wants 0.0.0.0:80 of provider `second`, and provider `first` \
                        serves actor `a` at 127.0.0.1:80";
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].place, &*found[0].error.message), (Place::Binding(0), sentence));
    }

    #[test]
    fn a_port_has_one_set_of_limits() {
        let two = found(&[("a", &[]), ("b", &[("PATH", "/b"), ("IDLE_TIME_MAX", "1s")])]);
        assert_eq!(two.len(), 1, "{two:?}");
        assert!(two[0].1.contains("IDLE_TIME_MAX"), "{two:?}");
    }
}
