//! The calls that a provider may still have.

use futures_util::future::join_all;
use trellis_dispatch::{RouteHandle, Tally};

/// The routes on which calls reach a provider: the one that new calls take, and those before it
/// whose last call has not ended. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Calls(Vec<RouteHandle>);

impl Calls {
    pub(crate) fn on(route: RouteHandle) -> Self {
        Self(vec![route])
    }

    /// New calls take this route. Gives all those before it.
    pub(crate) fn go_on(&mut self, route: RouteHandle) -> Self {
        self.0.retain(|route| !route.is_gone());
        let before = self.clone();
        self.0.push(route);
        before
    }

    /// How the calls went that took the newest route.
    pub(crate) fn tally(&self) -> Option<Tally> {
        self.0.last().map(RouteHandle::tally)
    }

    /// Waits until all of them have ended, and no new one can come.
    pub(crate) async fn ended(&self) {
        join_all(self.0.iter().map(RouteHandle::gone)).await;
    }

    /// Ends all of them.
    pub(crate) fn cut(&self) {
        self.0.iter().for_each(RouteHandle::cut);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt;
    use trellis_dispatch::{Bounds, Dispatcher, Metrics};
    use trellis_entitlements::{AllowAll, Gate, LogAudit};
    use trellis_targets::HeldTarget;

    use super::*;

    #[test]
    fn a_call_on_an_earlier_route_is_waited_for() {
        let gate = Gate::new(
            Box::new(AllowAll),
            Box::new(LogAudit::default()),
            trellis_entitlements::Metrics::default(),
        );
        let max = std::time::Duration::from_secs(1);
        let bounds = Bounds { call_time_max: max, reply_bytes_max: 1 };
        let dispatcher = Dispatcher::new(gate, Metrics::default(), bounds);
        // Whoever is under way holds the route it took.
        let route = || dispatcher.route("store", Arc::new(HeldTarget::new("store".into()).0));
        let [(first, one), (second, two), (third, three)] = [route(), route(), route()];
        let mut calls = Calls::on(one);
        assert_eq!(calls.go_on(two).0.len(), 1);
        let before = calls.go_on(three);
        drop(second);
        assert!(before.ended().now_or_never().is_none(), "the first one has a call");
        drop(first);
        assert!(before.ended().now_or_never().is_some());
        assert!(calls.ended().now_or_never().is_none(), "new ones may come");
        let (_fourth, four) = route();
        assert_eq!(calls.go_on(four).0.len(), 1, "what has ended is forgotten");
        drop(third);
    }
}
