//! What a call sees of the host, all of one moment.

use std::sync::Arc;

use trellis_core::{CallError, Code};
use trellis_entitlements::{CowMap, EntitlementSet, Granted, Permit, TargetId};

use crate::route::{Route, RouteHandle};

/// Who may do what, and who can be reached. The control plane edits one and publishes copies of it,
/// which are cheap; what was published never changes.
#[derive(Clone, Default)]
pub struct Snapshot {
    /// Who may do what.
    pub entitlements: EntitlementSet,
    /// Who can be reached.
    pub routes: Routes,
}

/// Who can be reached.
#[derive(Clone, Default)]
pub struct Routes(CowMap<TargetId, Arc<Route>>);

impl Routes {
    /// Puts a route at an id; calls that already took the one that stood there go on.
    pub fn put(&mut self, id: TargetId, route: Arc<Route>) {
        self.0.insert(id, route);
    }

    /// Takes a route away; calls that already took it go on.
    pub fn remove(&mut self, id: TargetId) {
        self.0.remove(&id);
    }

    /// Gives a target a new route, so that the end of the old one says that every call which began
    /// before has ended: for the handle of the old one. `None` when there is no such target.
    pub fn renew(&mut self, id: TargetId) -> Option<RouteHandle> {
        let (route, handle) = self.0.get(&id)?.renewed();
        self.0.insert(id, route);
        Some(handle)
    }

    /// Takes the permit and gives its route.
    ///
    /// # Errors
    /// [`Code::Stopping`] when the target is gone already, and those who may call it not yet.
    #[inline]
    pub(crate) fn resolve<'t>(
        &self,
        permit: Permit<'t>,
    ) -> Result<(Arc<Route>, Granted<'t>), CallError> {
        let granted = permit.redeem();
        match self.0.get(&granted.target) {
            Some(route) => Ok((Arc::clone(route), granted)),
            None => Err(stopping(&granted)),
        }
    }
}

#[cold]
fn stopping(granted: &Granted<'_>) -> CallError {
    CallError::new(Code::Stopping, format!("{} is being stopped", granted.parties.target))
}
