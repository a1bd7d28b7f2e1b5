//! From a permit to the target it stands for.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use trellis_core::{CallError, Code};
use trellis_entitlements::{Granted, Permit, Table, TargetId};

use crate::failures::FailureLog;
use crate::metrics::TargetMetrics;
use crate::target::Target;

/// What a call sees of the host, all of one moment. Built by the control plane, never changed.
#[derive(Clone, Default)]
pub(crate) struct Snapshot {
    /// Who may do what.
    pub(crate) table: Arc<Table>,
    /// Who can be reached.
    pub(crate) routes: Arc<Routes>,
}

/// Who can be reached.
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

    /// Takes the permit and gives its target.
    ///
    /// # Errors
    /// [`Code::Stopping`] when the target is gone already, and those who may call it not yet.
    #[inline]
    pub(crate) fn resolve<'t>(
        &self,
        permit: Permit<'t>,
    ) -> Result<(Arc<Route>, Granted<'t>), CallError> {
        let granted = permit.redeem();
        match self.targets.get(&granted.target) {
            Some(route) => Ok((Arc::clone(route), granted)),
            None => Err(stopping(&granted)),
        }
    }
}

#[cold]
fn stopping(granted: &Granted<'_>) -> CallError {
    CallError::new(Code::Stopping, format!("{} is being stopped", granted.parties.target))
}
