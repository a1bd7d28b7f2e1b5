//! Which binding answers a request: a pure table, published whole. Two tables share what they have
//! in common.

use std::borrow::Cow;
use std::sync::Arc;

use trellis_providers_sdk::BindingId;

use crate::config::limits::PortLimits;
use crate::config::matching::Host;
use crate::route::Route;
use crate::shards::Shards;

/// Everything a port serves.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) limits: PortLimits,
    exact: Shards<Paths>,
    below: Shards<Paths>,
    any: Paths,
}

/// Path prefixes of one host pattern.
#[derive(Clone, Default, Debug)]
struct Paths {
    /// The empty prefix, which most actors have.
    root: Option<Arc<Route>>,
    routes: Shards<Arc<Route>>,
    /// No prefix is longer, in bytes; it may be less than that once prefixes were removed.
    longest: usize,
}

impl Table {
    pub(crate) fn new(limits: PortLimits) -> Self {
        Self { limits, exact: Shards::default(), below: Shards::default(), any: Paths::default() }
    }

    /// Adds a route, in the place of any that claims the same.
    pub(crate) fn insert(&mut self, route: &Arc<Route>) {
        for (host, path) in route.config.claims() {
            self.change(host, |paths| paths.insert(path, route));
        }
    }

    /// Removes a route, except where another one has taken its place.
    pub(crate) fn remove(&mut self, route: &Arc<Route>) {
        for (host, path) in route.config.claims() {
            self.change(host, |paths| paths.remove(path, route));
        }
    }

    /// The bindings it serves; one may come several times.
    pub(crate) fn bindings(&self) -> impl Iterator<Item = BindingId> {
        let hosts = self.exact.values().chain(self.below.values()).chain([&self.any]);
        hosts.flat_map(Paths::routes).map(|route| route.binding)
    }

    /// The route for a request: the most specific host that has a matching path wins, then the
    /// longest path prefix. The path is compared as sent, without percent-decoding.
    pub(crate) fn resolve(&self, host: &str, path: &str) -> Option<&Arc<Route>> {
        self.by_host(host, path).or_else(|| self.any.longest_prefix(path))
    }

    fn by_host(&self, host: &str, path: &str) -> Option<&Arc<Route>> {
        if self.exact.is_empty() && self.below.is_empty() {
            return None;
        }
        let host = normalized(host);
        let exact = self.exact.get(&host).and_then(|paths| paths.longest_prefix(path));
        exact.or_else(|| {
            let dots = host.bytes().enumerate().filter(|(at, byte)| *byte == b'.' && *at > 0);
            dots.filter_map(|(at, _)| self.below.get(&host[at..]))
                .find_map(|paths| paths.longest_prefix(path))
        })
    }

    fn change(&mut self, host: Option<&Host>, change: impl FnOnce(&mut Paths)) {
        let (hosts, name) = match host {
            None => return change(&mut self.any),
            Some(Host::Exact(name)) => (&mut self.exact, name),
            Some(Host::Below(name)) => (&mut self.below, name),
        };
        let mut paths = hosts.get(name).cloned().unwrap_or_default();
        change(&mut paths);
        if paths.is_empty() { hosts.remove(name) } else { hosts.insert(name, paths) }
    }
}

impl Paths {
    const fn is_empty(&self) -> bool {
        self.root.is_none() && self.routes.is_empty()
    }

    fn routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.root.iter().chain(self.routes.values())
    }

    fn get(&self, prefix: &str) -> Option<&Arc<Route>> {
        if prefix.is_empty() { self.root.as_ref() } else { self.routes.get(prefix) }
    }

    fn insert(&mut self, path: &str, route: &Arc<Route>) {
        if path.is_empty() {
            self.root = Some(Arc::clone(route));
        } else {
            self.longest = self.longest.max(path.len());
            self.routes.insert(path, Arc::clone(route));
        }
    }

    fn remove(&mut self, path: &str, route: &Arc<Route>) {
        if !self.get(path).is_some_and(|found| Arc::ptr_eq(found, route)) {
            return;
        }
        if path.is_empty() {
            self.root = None;
        } else {
            self.routes.remove(path);
        }
    }

    fn longest_prefix(&self, path: &str) -> Option<&Arc<Route>> {
        let whole = path.len();
        let cuts = (1..=whole.min(self.longest)).rev();
        cuts.filter(|cut| *cut == whole || path.as_bytes()[*cut] == b'/')
            .filter_map(|cut| path.get(..cut))
            .find_map(|prefix| self.routes.get(prefix))
            .or(self.root.as_ref())
    }
}

/// The host of a `Host` header: no port, no trailing dot, lower case.
fn normalized(host: &str) -> Cow<'_, str> {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

#[cfg(test)]
mod tests {
    use trellis_providers_sdk::Values;

    use super::*;
    use crate::config::Config;
    use crate::tally::Tally;

    fn route(id: u64, hosts: &str, path: &str) -> Arc<Route> {
        let values: Values = [("HOSTS", hosts), ("PATH", path)]
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let config = Config::read(&values).expect("well-formed");
        Arc::new(Route::new(BindingId(id), format!("actor-{id}"), config, Arc::new(Tally::new(2))))
    }

    fn table(routes: Vec<Arc<Route>>) -> Table {
        let limits = Config::read(&Values::default()).expect("defaults").port;
        let mut table = Table::new(limits);
        routes.iter().for_each(|route| table.insert(route));
        table
    }

    #[test]
    fn the_longest_prefix_wins_at_segment_boundaries() {
        let table = table(vec![route(1, "", "/"), route(2, "", "/api"), route(3, "", "/api/v1")]);
        for (path, expected) in [
            ("/", 1),
            ("/apis", 1),
            ("/ap", 1),
            ("/api", 2),
            ("/api/", 2),
            ("/api/v10", 2),
            ("/api/v1", 3),
            ("/api/v1/things/4", 3),
            ("/other/api/v1", 1),
        ] {
            let found = table.resolve("any", path).expect("root catches all");
            assert_eq!(found.binding, BindingId(expected), "{path}");
        }
    }

    #[test]
    fn without_a_root_there_is_no_route() {
        let table = table(vec![route(1, "", "/api")]);
        for path in ["/", "", "/ap", "/apix", "/x/api", "/é"] {
            assert!(table.resolve("any", path).is_none(), "{path}");
        }
    }

    #[test]
    fn the_most_specific_host_with_a_matching_path_wins() {
        let table = table(vec![
            route(1, "", "/"),
            route(2, "*.example.com", "/"),
            route(3, "*.deep.example.com", "/"),
            route(4, "api.example.com", "/v1"),
            route(5, "::1", "/"),
        ]);
        for (host, path, expected) in [
            ("other.org", "/", 1),
            ("example.com", "/", 1),
            ("www.example.com", "/", 2),
            ("WWW.Example.COM.:8080", "/", 2),
            ("a.b.deep.example.com", "/", 3),
            ("api.example.com:80", "/v1/x", 4),
            ("api.example.com", "/v2", 2),
            ("[::1]:8080", "/", 5),
            (".example.com", "/", 1),
            ("", "/", 1),
        ] {
            let found = table.resolve(host, path).expect("root catches all");
            assert_eq!(found.binding, BindingId(expected), "{host}{path}");
        }
    }

    #[test]
    fn a_path_of_slashes_costs_no_more_than_the_longest_prefix() {
        let table = table(vec![route(1, "", "/a/b")]);
        assert!(table.resolve("", &"/".repeat(1 << 20)).is_none());
    }

    #[test]
    fn a_route_is_removed_unless_another_has_its_place() {
        let (old, new) = (route(1, "a.test,*.b.test", "/x"), route(2, "a.test", "/x"));
        let mut table = table(vec![Arc::clone(&old), Arc::clone(&new)]);
        let published = table.clone();
        table.remove(&old);
        assert_eq!(table.resolve("a.test", "/x").map(|route| route.binding), Some(BindingId(2)));
        assert!(table.resolve("c.b.test", "/x").is_none());
        assert!(published.resolve("c.b.test", "/x").is_some(), "what was published stays");
        table.remove(&new);
        assert!(table.resolve("a.test", "/x").is_none());
        assert!(table.exact.is_empty() && table.below.is_empty(), "no empty host is kept");
    }
}
