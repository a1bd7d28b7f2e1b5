//! What the admin API tells of, and whom it calls.

use std::sync::Arc;

use prometheus_client::registry::Registry;
use tokio::sync::{Semaphore, SemaphorePermit};
use trellis_core::{CallError, Code};
use trellis_limits::fixed::ADMIN_REQUESTS;
use trellis_supervisor::{Modules, Supervisor};

use crate::calls::SystemCalls;
use crate::host::Host;
use crate::identity::Identity;
use crate::readiness::Readiness;

/// What the admin API tells of, and whom it calls. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Admin(pub(super) Arc<Parts>);

pub(super) struct Parts {
    pub(super) readiness: Readiness,
    pub(super) registry: Arc<Registry>,
    pub(super) supervisor: Supervisor,
    pub(super) modules: Modules,
    pub(super) identity: Arc<Identity>,
    pub(super) calls: SystemCalls,
    /// What takes memory or time: so many at once.
    requests: Semaphore,
}

impl Admin {
    /// An API over a host, its readiness and its modules.
    pub(crate) fn new(host: &Host, readiness: Readiness, modules: Modules) -> Self {
        Self(Arc::new(Parts {
            readiness,
            registry: Arc::clone(host.registry()),
            supervisor: host.supervisor().clone(),
            modules,
            identity: Arc::clone(host.identity()),
            calls: host.calls().clone(),
            requests: Semaphore::new(usize::try_from(ADMIN_REQUESTS.default).unwrap_or(1)),
        }))
    }

    /// Room for one more request that takes memory or time.
    ///
    /// # Errors
    /// [`Code::Busy`] when there are enough.
    pub(super) fn admit(&self) -> Result<SemaphorePermit<'_>, CallError> {
        self.0.requests.try_acquire().map_err(|_| {
            let (most, name) = (ADMIN_REQUESTS.default, ADMIN_REQUESTS.name);
            CallError::new(Code::Busy, format!("{most} requests are under way ({name})"))
        })
    }
}
