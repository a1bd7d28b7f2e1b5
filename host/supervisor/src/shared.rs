//! What the owner task and its helpers work with.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::Mutex;
use tokio::sync::{Notify, RwLock};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use trellis_claims::Clock;
use trellis_control::{ComponentKind, Overview};
use trellis_core::{CallError, Code};
use trellis_dispatch::Dispatcher;
use trellis_engine::Engine;
use trellis_entitlements::{ActorId, TargetId};
use trellis_targets::ProviderCalls;

use crate::actual::ActualState;
use crate::aside::Aside;
use crate::border::Instance;
use crate::desired::{Desired, Moment, vouch_for_provider};
use crate::lifecycle::Lifecycles;
use crate::metrics::Metrics;
use crate::parked::Parked;
use crate::parted::Parted;
use crate::prepare::PreparedProvider;
use crate::progress::Progress;
use crate::rest::Rest;
use crate::status::Status;

/// Longest time in which what is let go may finish what it has, when the host goes on running.
pub(crate) const DRAIN_MAX: Duration = Duration::from_secs(30);

/// One for the owner task, the change it carries out, and what finishes aside.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
    pub(crate) status: ArcSwap<Status>,
    /// What is wanted, for those who look at it from outside.
    pub(crate) wanted: ArcSwapOption<Desired>,
    /// What is about to be wanted, until anything is.
    pub(crate) expected: ArcSwapOption<Overview>,
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
    /// Held by a change that moves what a provider keeps, and by who looks into one.
    pub(crate) moving: Arc<RwLock<()>>,
    /// What tells the rest of a key that is put there in parts.
    pub(crate) rest: Rest,
    /// What is kept of the calls of stopped actors.
    pub(crate) parked: Parked,
    /// Where bindings had their keys that are not in force.
    pub(crate) parted: Parted,
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
            wanted: ArcSwapOption::default(),
            expected: ArcSwapOption::default(),
            changing: AtomicBool::default(),
            progress: Progress::default(),
            published: Notify::new(),
            lifecycles,
            aside: Aside::default(),
            let_go: Notify::new(),
            patience: Mutex::default(),
            moving: Arc::default(),
            rest: Rest::default(),
            parked: Parked::default(),
            parted: Parted::default(),
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

    /// Makes an instance of a provider that may run. It calls actors as `target`, and has the
    /// claims of `caller`.
    pub(crate) async fn make(
        &self,
        prepared: &PreparedProvider,
        (target, caller): (TargetId, Option<ActorId>),
    ) -> Result<Instance, CallError> {
        // Trust and time may have changed since the manifest was prepared.
        let now = Moment::of(&*self.clock);
        let warrant = self.look(|actual| {
            vouch_for_provider(prepared, actual.trust.as_ref(), &now)?;
            let running = actual.providers.get(&prepared.name);
            running.map_or(Ok(()), |running| prepared.check_succeeds(&running.prepared))?;
            Ok::<_, CallError>(actual.warrants.issue(prepared, (target, caller)))
        })?;
        let life = self.lifecycles.begin(ComponentKind::Provider, &prepared.name);
        let overseer = Arc::clone(&life) as Arc<_>;
        let calls = ProviderCalls::new(Arc::clone(&self.dispatcher), target, overseer);
        let calls = warrant.guard(calls.with_claims(caller));
        let making = Instance::make(prepared, calls, (Arc::clone(&life), warrant.clone()));
        let made = tokio::select! {
            made = making => made,
            () = warrant.taken_back() => Err(self.refusal(prepared)),
        };
        let made = made.and_then(|instance| {
            if self.look(|actual| actual.warrants.was_made(&instance)) {
                return Ok(instance);
            }
            self.end_at_once(instance);
            Err(self.refusal(prepared))
        });
        if made.is_err() {
            // What is left of it may go on for a while.
            life.stops();
        }
        made
    }

    /// Why a provider may not run that could run just now.
    fn refusal(&self, prepared: &PreparedProvider) -> CallError {
        let now = Moment::of(&*self.clock);
        let vouched = self.look(|actual| vouch_for_provider(prepared, actual.trust.as_ref(), &now));
        let gone = || CallError::new(Code::Stopping, "it was taken away while it was made");
        vouched.map_or_else(CallError::from, |()| gone())
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
