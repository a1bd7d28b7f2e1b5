//! What the admin API tells of, and whom it calls.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use trellis_dispatch::Dispatcher;
use trellis_limits::fixed::ADMIN_AUDIT_LINES;
use trellis_meters::TokenBucket;
use trellis_supervisor::{Archives, Modules, Supervisor};
use trellis_telemetry::Telemetry;

use crate::calls::SystemCalls;
use crate::feed::Feeds;
use crate::host::Host;
use crate::identity::Identity;
use crate::metrics::Metrics;
use crate::places::{OF_CALLS, Places};
use crate::readiness::Readiness;

/// Most lists that are put together at once; further requests wait for their turn.
const LISTS_MAX: usize = 4;

/// What the admin API tells of, and whom it calls. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Admin(pub(super) Arc<Parts>);

pub(super) struct Parts {
    pub(super) readiness: Readiness,
    pub(super) registry: Arc<Registry>,
    pub(super) supervisor: Supervisor,
    pub(super) modules: Modules,
    pub(super) archives: Archives,
    pub(super) identity: Arc<Identity>,
    pub(super) calls: SystemCalls,
    pub(super) metrics: Metrics,
    pub(super) telemetry: Telemetry,
    pub(super) feeds: Feeds,
    pub(super) dispatcher: Arc<Dispatcher>,
    /// How many refusals on the admin address are told: anybody can be refused there.
    audit_lines: Mutex<TokenBucket>,
    /// Room for calls under way, which hold payloads.
    pub(super) under_way: Places,
    /// Turns to put a list together, which takes memory.
    turns: Arc<Semaphore>,
}

impl Admin {
    /// An API over a host, its readiness and its files.
    pub(crate) fn new(
        host: &Host,
        readiness: Readiness,
        (modules, archives): (Modules, Archives),
    ) -> Self {
        Self(Arc::new(Parts {
            readiness,
            registry: Arc::clone(host.registry()),
            supervisor: host.supervisor().clone(),
            modules,
            archives,
            identity: Arc::clone(host.identity()),
            calls: host.calls().clone(),
            metrics: host.metrics().clone(),
            telemetry: host.telemetry().clone(),
            feeds: host.feeds().clone(),
            dispatcher: Arc::clone(host.dispatcher()),
            audit_lines: Mutex::new(audit_lines()),
            under_way: Places::new(OF_CALLS),
            turns: Arc::new(Semaphore::new(LISTS_MAX)),
        }))
    }

    /// Tells that who asks over the admin address was refused, and of how many before it was not
    /// told.
    pub(super) fn audit(&self, from: SocketAddr, why: &str) {
        let Some(left_out) = self.0.audit_lines.lock().take(Instant::now()) else { return };
        let why = why.escape_debug();
        tracing::warn!(target: "audit", event = "refused", %from, left_out, "{why}");
    }

    /// Waits for a turn to put a list together: calls that take long do not keep their owner from
    /// looking at the host.
    pub(super) async fn turn(&self) -> OwnedSemaphorePermit {
        let turns = Arc::clone(&self.0.turns);
        turns.acquire_owned().await.expect("it is never closed")
    }
}

fn audit_lines() -> TokenBucket {
    let lines = u32::try_from(ADMIN_AUDIT_LINES.default).unwrap_or(1);
    TokenBucket::new(lines, lines, Instant::now())
}
