//! Which binding answers a request: a pure table, published whole.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use foldhash::fast::RandomState;
use http::Method;
use tokio::sync::Notify;
use trellis_providers_sdk::BindingId;

use crate::config::{Config, Host, PortLimits, RequestLimits};

/// One binding, as requests see it.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) binding: BindingId,
    pub(crate) actor_name: String,
    pub(crate) hosts: Vec<Host>,
    pub(crate) path: String,
    pub(crate) limits: RequestLimits,
    methods: Vec<Method>,
    allow: String,
    calls: Calls,
}

/// The calls under way on a route, counted per worker so that workers share no cache line.
#[derive(Debug)]
struct Calls {
    under_way: Box<[Counter]>,
    retired: AtomicBool,
    finished: Notify,
}

#[derive(Default, Debug)]
#[repr(align(64))]
struct Counter(AtomicUsize);

/// The right to make one call on a route; the route cannot finish retiring before it is dropped.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    calls: &'a Calls,
    worker: usize,
}

/// Everything a port serves: immutable, replaced as a whole.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) limits: PortLimits,
    pub(crate) routes: Vec<Arc<Route>>,
    exact: HashMap<String, Paths, RandomState>,
    below: HashMap<String, Paths, RandomState>,
    any: Paths,
}

/// Path prefixes of one host pattern.
#[derive(Default, Debug)]
struct Paths {
    routes: HashMap<String, usize, RandomState>,
    longest: usize,
}

/// The methods named to a client when a binding lets every method through.
const COMMON_METHODS: &str = "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS";

impl Route {
    pub(crate) fn new(
        binding: BindingId,
        actor_name: String,
        config: &Config,
        workers: usize,
    ) -> Self {
        let names: Vec<_> = config.methods.iter().map(Method::as_str).collect();
        Self {
            binding,
            actor_name,
            hosts: config.hosts.clone(),
            path: config.path.clone(),
            limits: config.request,
            methods: config.methods.clone(),
            allow: if names.is_empty() { COMMON_METHODS.to_owned() } else { names.join(", ") },
            calls: Calls {
                under_way: (0..workers).map(|_| Counter::default()).collect(),
                retired: AtomicBool::new(false),
                finished: Notify::new(),
            },
        }
    }

    /// Whether the method is let through. CONNECT never is: it asks for a tunnel, not for an actor.
    pub(crate) fn allows(&self, method: &Method) -> bool {
        if self.methods.is_empty() {
            *method != Method::CONNECT
        } else {
            self.methods.contains(method)
        }
    }

    /// The value of the `Allow` header.
    pub(crate) fn allow(&self) -> &str {
        &self.allow
    }

    /// Starts one call; `None` once the route was retired, so that the caller looks again.
    pub(crate) fn enter(&self, worker: usize) -> Option<Pass<'_>> {
        self.calls.under_way[worker].0.fetch_add(1, Ordering::SeqCst);
        let pass = Pass { calls: &self.calls, worker };
        // Counted first, looked second; `retire` marks first, counts second: one of the two sees
        // the other.
        (!self.calls.retired.load(Ordering::SeqCst)).then_some(pass)
    }

    /// Takes the route out of service and waits until its last call has ended. The table without it
    /// must have been published before.
    pub(crate) async fn retire(&self) {
        self.calls.retired.store(true, Ordering::SeqCst);
        loop {
            let finished = self.calls.finished.notified();
            if self.calls.under_way.iter().all(|count| count.0.load(Ordering::SeqCst) == 0) {
                return;
            }
            finished.await;
        }
    }

    /// The pairs of host pattern and path this route claims.
    pub(crate) fn claims(&self) -> impl Iterator<Item = (Option<&Host>, &str)> {
        let every = self.hosts.is_empty().then_some(None);
        self.hosts.iter().map(Some).chain(every).map(|host| (host, self.path.as_str()))
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.calls.under_way[self.worker].0.fetch_sub(1, Ordering::SeqCst);
        if self.calls.retired.load(Ordering::SeqCst) {
            self.calls.finished.notify_waiters();
        }
    }
}

impl Table {
    pub(crate) fn new(limits: PortLimits, routes: Vec<Arc<Route>>) -> Self {
        let mut table = Self {
            limits,
            routes: Vec::new(),
            exact: HashMap::default(),
            below: HashMap::default(),
            any: Paths::default(),
        };
        for (index, route) in routes.iter().enumerate() {
            for (host, path) in route.claims() {
                match host {
                    Some(Host::Exact(name)) => table.exact.entry(name.clone()).or_default(),
                    Some(Host::Below(name)) => table.below.entry(name.clone()).or_default(),
                    None => &mut table.any,
                }
                .insert(path, index);
            }
        }
        table.routes = routes;
        table
    }

    /// The route for a request: the most specific host that has a matching path wins, then the
    /// longest path prefix. The path is compared as sent, without percent-decoding.
    pub(crate) fn resolve(&self, host: &str, path: &str) -> Option<&Arc<Route>> {
        self.by_host(host, path)
            .or_else(|| self.any.longest_prefix(path))
            .map(|index| &self.routes[index])
    }

    fn by_host(&self, host: &str, path: &str) -> Option<usize> {
        if self.exact.is_empty() && self.below.is_empty() {
            return None;
        }
        let host = normalised(host);
        let exact = self.exact.get(&*host).and_then(|paths| paths.longest_prefix(path));
        exact.or_else(|| {
            let dots = host.bytes().enumerate().filter(|(at, byte)| *byte == b'.' && *at > 0);
            dots.filter_map(|(at, _)| self.below.get(&host[at..]))
                .find_map(|paths| paths.longest_prefix(path))
        })
    }
}

impl Paths {
    fn insert(&mut self, path: &str, index: usize) {
        self.longest = self.longest.max(path.len());
        self.routes.insert(path.to_owned(), index);
    }

    fn longest_prefix(&self, path: &str) -> Option<usize> {
        if self.longest == 0 {
            return self.routes.get("").copied();
        }
        let whole = path.len();
        let cuts = (0..=whole.min(self.longest)).rev();
        cuts.filter(|cut| *cut == 0 || *cut == whole || path.as_bytes()[*cut] == b'/')
            .filter_map(|cut| path.get(..cut))
            .find_map(|prefix| self.routes.get(prefix))
            .copied()
    }
}

/// The host of a `Host` header: no port, no trailing dot, lower case.
fn normalised(host: &str) -> Cow<'_, str> {
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

    fn route(id: u64, hosts: &str, path: &str) -> Arc<Route> {
        let values: Values = [("HOSTS", hosts), ("PATH", path)]
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let config = Config::read(&values).expect("well-formed");
        Arc::new(Route::new(BindingId(id), format!("actor-{id}"), &config, 2))
    }

    fn table(routes: Vec<Arc<Route>>) -> Table {
        let limits = Config::read(&Values::default()).expect("defaults").port;
        Table::new(limits, routes)
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
            ("*", 1),
        ] {
            let found = table.resolve("any", path).expect("root catches all");
            assert_eq!(found.binding, BindingId(expected), "{path}");
        }
    }

    #[test]
    fn without_a_root_there_is_no_route() {
        let table = table(vec![route(1, "", "/api")]);
        for path in ["/", "", "*", "/ap", "/apix", "/x/api", "/é"] {
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

    #[tokio::test]
    async fn a_route_retires_when_its_last_call_ends() {
        let route = route(1, "", "/");
        let pass = route.enter(1).expect("in service");
        let retiring = tokio::spawn({
            let route = Arc::clone(&route);
            async move { route.retire().await }
        });
        while route.enter(0).is_some() {
            tokio::task::yield_now().await;
        }
        assert!(!retiring.is_finished());
        drop(pass);
        retiring.await.expect("ends");
    }
}
