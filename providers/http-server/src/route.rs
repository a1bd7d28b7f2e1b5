//! One binding, as requests see it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http::Method;
use tokio::sync::Notify;
use trellis_providers_sdk::BindingId;

use crate::config::Config;
use crate::conflict::Tenant;
use crate::per_worker::PerWorker;
use crate::tally::Tally;

/// One binding, as requests see it.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) binding: BindingId,
    pub(crate) actor_name: String,
    pub(crate) config: Config,
    allow: String,
    /// Where its answers are counted.
    pub(crate) tally: Arc<Tally>,
    calls: Calls,
}

/// The calls under way on a route.
#[derive(Debug)]
struct Calls {
    under_way: PerWorker<Counter>,
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

/// The methods named to a client when a binding lets every method through.
pub(crate) const COMMON_METHODS: &str = "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS";

impl Route {
    pub(crate) fn new(
        binding: BindingId,
        actor_name: String,
        config: Config,
        tally: Arc<Tally>,
    ) -> Self {
        let names: Vec<_> = config.methods.iter().map(Method::as_str).collect();
        Self {
            binding,
            actor_name,
            allow: if names.is_empty() { COMMON_METHODS.to_owned() } else { names.join(", ") },
            config,
            calls: Calls {
                under_way: PerWorker::new(tally.workers(), |_| Counter::default()),
                retired: AtomicBool::new(false),
                finished: Notify::new(),
            },
            tally,
        }
    }

    /// Whether the method is let through. CONNECT never is: it asks for a tunnel, not for an actor.
    pub(crate) fn allows(&self, method: &Method) -> bool {
        if self.config.methods.is_empty() {
            *method != Method::CONNECT
        } else {
            self.config.methods.contains(method)
        }
    }

    /// The value of the `Allow` header.
    pub(crate) fn allow(&self) -> &str {
        &self.allow
    }

    /// Starts one call; `None` once the route was retired, so that the caller looks again.
    pub(crate) fn enter(&self, worker: usize) -> Option<Pass<'_>> {
        self.calls.under_way.of(worker).0.fetch_add(1, Ordering::SeqCst);
        let pass = Pass { calls: &self.calls, worker };
        // Counted first, looked second; `retire` marks first, counts second. SeqCst puts all four
        // in one order, so that one of the two sees the other.
        (!self.calls.retired.load(Ordering::SeqCst)).then_some(pass)
    }

    /// Takes the route out of service: no call begins on it any more. The table without it must
    /// have been published before.
    pub(crate) fn retire(&self) {
        self.calls.retired.store(true, Ordering::SeqCst);
    }

    /// True when no call is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.calls.under_way.iter().all(|count| count.0.load(Ordering::SeqCst) == 0)
    }

    /// Waits until the last call of a retired route has ended.
    pub(crate) async fn finished(&self) {
        loop {
            let finished = self.calls.finished.notified();
            if self.is_idle() {
                return;
            }
            finished.await;
        }
    }

    /// What it is beside others on a port.
    pub(crate) fn tenant(&self) -> Tenant<'_> {
        Tenant { actor: &self.actor_name, config: &self.config }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.calls.under_way.of(self.worker).0.fetch_sub(1, Ordering::SeqCst);
        if self.calls.retired.load(Ordering::SeqCst) {
            self.calls.finished.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use trellis_providers_sdk::Values;

    use super::*;

    #[tokio::test]
    async fn a_route_retires_when_its_last_call_ends() {
        let config = Config::read(&Values::default()).expect("defaults");
        let route =
            Arc::new(Route::new(BindingId(1), "a".to_owned(), config, Arc::new(Tally::new(2))));
        let pass = route.enter(1).expect("in service");
        let retiring = tokio::spawn({
            let route = Arc::clone(&route);
            async move {
                route.retire();
                route.finished().await;
            }
        });
        while route.enter(0).is_some() {
            tokio::task::yield_now().await;
        }
        assert!(!retiring.is_finished() && !route.is_idle());
        drop(pass);
        retiring.await.expect("ends");
    }
}
