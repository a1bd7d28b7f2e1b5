//! From a permit to the target it stands for.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;
use trellis_core::{CallError, Code};
use trellis_entitlements::{Granted, Permit, TargetId};

use crate::failures::FailureLog;
use crate::metrics::TargetMetrics;
use crate::target::Target;

/// An immutable snapshot of who can be reached. Built whole by the control plane.
#[derive(Clone, Default)]
pub(crate) struct Routes {
    targets: HashMap<TargetId, Arc<Route>, RandomState>,
}

/// One reachable target.
pub(crate) struct Route {
    pub(crate) target: Arc<dyn Target>,
    pub(crate) metrics: TargetMetrics,
    pub(crate) failures: FailureLog,
}

impl Routes {
    /// Puts a target at an id; a target that stood there is replaced, and calls it already has
    /// go on.
    pub(crate) fn put(&mut self, id: TargetId, route: Route) {
        self.targets.insert(id, Arc::new(route));
    }

    /// Takes a target away; calls it already has go on.
    pub(crate) fn remove(&mut self, id: TargetId) {
        self.targets.remove(&id);
    }
}

/// The published routes.
#[derive(Default)]
pub(crate) struct Router {
    routes: ArcSwap<Routes>,
}

impl Router {
    /// A copy of the current routes, to be changed and published.
    #[must_use]
    pub(crate) fn snapshot(&self) -> Routes {
        Routes::clone(&self.routes.load())
    }

    /// Replaces the routes. Calls that resolved before keep their targets.
    pub(crate) fn publish(&self, routes: Routes) {
        self.routes.store(Arc::new(routes));
    }

    /// Takes the permit and gives its target.
    ///
    /// # Errors
    /// [`Code::Stopping`] when the target went away between the check and here.
    #[inline]
    pub(crate) fn resolve(&self, permit: Permit) -> Result<(Arc<Route>, Granted), CallError> {
        let granted = permit.redeem();
        match self.routes.load().targets.get(&granted.target) {
            Some(route) => Ok((Arc::clone(route), granted)),
            None => {
                let target = &granted.parties.target;
                Err(CallError::new(Code::Stopping, format!("{target} is being stopped")))
            }
        }
    }
}
