//! What the owner task and its helpers work with.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use trellis_claims::Clock;
use trellis_control::ComponentKind;
use trellis_dispatch::Dispatcher;
use trellis_engine::Engine;
use trellis_entitlements::TargetId;
use trellis_targets::ProviderCalls;

use crate::actual::ActualState;
use crate::aside::Aside;
use crate::border::Instance;
use crate::lifecycle::Lifecycles;
use crate::metrics::Metrics;
use crate::prepare::PreparedProvider;
use crate::progress::Progress;
use crate::status::Status;
use trellis_core::CallError;

/// Longest time in which what is let go may finish what it has, when the host goes on running.
pub(crate) const DRAIN_MAX: Duration = Duration::from_secs(30);

/// One for the owner task, the change it carries out, and what finishes aside.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
    pub(crate) status: ArcSwap<Status>,
    /// A change is under way.
    pub(crate) changing: AtomicBool,
    /// How far it has come.
    pub(crate) progress: Progress,
    /// A status was published.
    pub(crate) published: Notify,
    /// Where everything that runs is in its life.
    pub(crate) lifecycles: Arc<Lifecycles>,
    /// What is let go finishes here.
    pub(crate) aside: Aside,
    /// Something was let go: whoever waits for that looks again.
    pub(crate) let_go: Notify,
    /// The clock of what is served until it has been replaced, while it runs.
    pub(crate) patience: Mutex<Option<AbortHandle>>,
    /// Held for an edit or a look, never while anything is awaited.
    actual: Mutex<ActualState>,
}

impl Shared {
    pub(crate) fn new(
        (engine, dispatcher): (Engine, Arc<Dispatcher>),
        clock: Arc<dyn Clock>,
        metrics: Metrics,
    ) -> Self {
        let lifecycles = Arc::new(Lifecycles::new(Arc::clone(&clock), metrics.clone()));
        Self {
            engine,
            dispatcher,
            clock,
            metrics,
            status: ArcSwap::default(),
            changing: AtomicBool::default(),
            progress: Progress::default(),
            published: Notify::new(),
            lifecycles,
            aside: Aside::default(),
            let_go: Notify::new(),
            patience: Mutex::default(),
            actual: Mutex::default(),
        }
    }

    /// Edits what runs, and publishes what the road sees of it: table and routes at once.
    pub(crate) fn edit<T>(&self, edit: impl FnOnce(&mut ActualState) -> T) -> T {
        let mut actual = self.actual.lock();
        let result = edit(&mut actual);
        self.dispatcher.publish(actual.road.clone());
        result
    }

    /// Looks at what runs; may edit what the road does not see.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&mut ActualState) -> T) -> T {
        look(&mut self.actual.lock())
    }

    /// Makes an instance that calls actors as `target`.
    pub(crate) async fn make(
        &self,
        prepared: &PreparedProvider,
        target: TargetId,
    ) -> Result<Instance, CallError> {
        let life = self.lifecycles.begin(ComponentKind::Provider, &prepared.name);
        let overseer = Arc::clone(&life) as Arc<_>;
        let calls = ProviderCalls::new(Arc::clone(&self.dispatcher), target, overseer);
        let made = Instance::make(prepared, Arc::new(calls), Arc::clone(&life)).await;
        if made.is_err() {
            // What is left of it may go on for a while.
            life.stops();
        }
        made
    }

    /// Waits until a look at what runs is satisfied, or `until`.
    pub(crate) async fn wait_for(
        &self,
        until: Instant,
        look: impl Fn(&ActualState) -> bool,
    ) -> bool {
        loop {
            let mut changed = std::pin::pin!(self.let_go.notified());
            changed.as_mut().enable();
            if self.look(|actual| look(actual)) {
                return true;
            }
            if tokio::time::timeout_at(until, changed).await.is_err() {
                return false;
            }
        }
    }
}
