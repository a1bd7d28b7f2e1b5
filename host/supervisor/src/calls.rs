//! The calls that a provider may still have.

use futures_util::future::join_all;
use trellis_dispatch::{RouteHandle, Tally};

/// The routes on which calls reach a provider: the one that new calls take, and those before it
/// whose last call has not ended. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Calls {
    served: Vec<RouteHandle>,
    /// Those whose calls wait for whoever serves next, and are its own then.
    waiting: Vec<RouteHandle>,
}

impl Calls {
    pub(crate) fn on(route: RouteHandle) -> Self {
        Self { served: vec![route], waiting: Vec::new() }
    }

    /// New calls take this route, and those that wait go on to whoever serves there. Gives all
    /// those before it.
    pub(crate) fn go_on(&mut self, route: RouteHandle) -> Self {
        let before = self.so_far();
        self.served.append(&mut self.waiting);
        self.served.push(route);
        before
    }

    /// New calls wait on this route for whoever serves next. Gives all those before it.
    pub(crate) fn wait_on(&mut self, route: RouteHandle) -> Self {
        let before = self.so_far();
        self.waiting.push(route);
        before
    }

    /// New calls take this route, which leads where the newest one does. Gives all those before it.
    pub(crate) fn renew(&mut self, route: RouteHandle) -> Self {
        if self.waiting.is_empty() { self.go_on(route) } else { self.wait_on(route) }
    }

    /// The calls of a successor, on this route: those that waited for it are its own from now on,
    /// and no more of whoever they were begun with.
    pub(crate) fn handed_over(&mut self, route: RouteHandle) -> Self {
        let mut served = std::mem::take(&mut self.waiting);
        served.push(route);
        Self { served, waiting: Vec::new() }
    }

    /// Those that have not ended.
    fn so_far(&mut self) -> Self {
        self.served.retain(|route| !route.is_gone());
        self.waiting.retain(|route| !route.is_gone());
        self.clone()
    }

    /// How the calls went that took the newest route.
    pub(crate) fn tally(&self) -> Option<Tally> {
        self.all().last().map(RouteHandle::tally)
    }

    /// Waits until all of them have ended, and no new one can come.
    pub(crate) async fn ended(&self) {
        join_all(self.all().map(RouteHandle::gone)).await;
    }

    /// Ends all of them.
    pub(crate) fn cut(&self) {
        self.all().for_each(RouteHandle::cut);
    }

    fn all(&self) -> impl Iterator<Item = &RouteHandle> {
        self.served.iter().chain(&self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt;
    use trellis_dispatch::{Bounds, Dispatcher, Metrics, Route};
    use trellis_entitlements::{AllowAll, Gate, LogAudit};
    use trellis_targets::HeldTarget;

    use super::*;

    /// A route to something, and its handle. Whoever is under way holds the route it took.
    fn routes<const N: usize>() -> [(Arc<Route>, RouteHandle); N] {
        let gate = Gate::new(
            Box::new(AllowAll),
            Box::new(LogAudit::default()),
            trellis_entitlements::Metrics::default(),
        );
        let max = std::time::Duration::from_secs(1);
        let bounds = Bounds { call_time_max: max, reply_bytes_max: 1 };
        let dispatcher = Dispatcher::new(gate, Metrics::default(), bounds);
        std::array::from_fn(|_| {
            dispatcher.route("store", Arc::new(HeldTarget::new("store".into()).0))
        })
    }

    fn have_ended(calls: &Calls) -> bool {
        calls.ended().now_or_never().is_some()
    }

    #[test]
    fn a_call_on_an_earlier_route_is_waited_for() {
        let [(first, one), (second, two), (third, three), (_fourth, four)] = routes();
        let mut calls = Calls::on(one);
        assert_eq!(calls.go_on(two).all().count(), 1);
        let before = calls.go_on(three);
        drop(second);
        assert!(!have_ended(&before), "the first one has a call");
        drop(first);
        assert!(have_ended(&before));
        assert!(!have_ended(&calls), "new ones may come");
        assert_eq!(calls.go_on(four).all().count(), 1, "what has ended is forgotten");
        drop(third);
    }

    #[test]
    fn calls_that_waited_are_those_of_whoever_serves_next() {
        let [(served, one), (held, two), (again, three), (next, four), (later, five)] = routes();
        let mut calls = Calls::on(one);
        drop(served);
        assert!(have_ended(&calls.wait_on(two)));
        let before = calls.renew(three);
        drop(held);
        assert!(have_ended(&before), "what waits may be renewed");
        let mut successor = calls.handed_over(four);
        assert!(!have_ended(&successor));
        assert!(have_ended(&calls), "nobody waits for them but their own");
        let before = successor.go_on(five);
        drop(next);
        assert!(!have_ended(&before), "one that waited has not ended");
        drop(again);
        assert!(have_ended(&before));
        drop(later);
    }

    #[test]
    fn calls_that_waited_go_on_with_who_served_before_when_nobody_follows() {
        let [(served, one), (held, two), (again, three), (next, four)] = routes();
        let mut calls = Calls::on(one);
        drop(served);
        calls.wait_on(two);
        calls.go_on(three);
        drop(again);
        let successor = calls.handed_over(four);
        drop(next);
        assert!(have_ended(&successor), "those that waited are not its own");
        assert!(!have_ended(&calls));
        drop(held);
    }
}
