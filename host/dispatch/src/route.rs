//! One reachable target, and who is still on the way to it.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::Shared;
use tokio::sync::oneshot;

use crate::failures::FailureLog;
use crate::metrics::TargetMetrics;
use crate::sync::{AtomicBool, Notify, Ordering};
use crate::tally::{Counted, Tally};
use crate::target::Target;

/// One reachable target. Every call holds the route it takes until it ends, so that a route which
/// was taken out of the snapshot lives exactly as long as its last call.
pub struct Route {
    pub(crate) target: Arc<dyn Target>,
    pub(crate) metrics: TargetMetrics,
    pub(crate) failures: Arc<FailureLog>,
    pub(crate) cut: Arc<Cut>,
    pub(crate) counted: Arc<Counted>,
    /// Dropped with the route: that is the message.
    _alive: oneshot::Sender<()>,
}

/// The control plane's view of a route: it cuts its calls, and knows when the last one has ended.
#[derive(Clone, Debug)]
pub struct RouteHandle {
    cut: Arc<Cut>,
    counted: Arc<Counted>,
    gone: Shared<oneshot::Receiver<()>>,
}

impl Route {
    pub(crate) fn new(
        target: Arc<dyn Target>,
        metrics: TargetMetrics,
        failures: Arc<FailureLog>,
    ) -> (Arc<Self>, RouteHandle) {
        let cut = Arc::<Cut>::default();
        let (_alive, gone) = oneshot::channel();
        let counted = Arc::new(Counted::from_now(&metrics));
        let handle = RouteHandle {
            cut: Arc::clone(&cut),
            counted: Arc::clone(&counted),
            gone: gone.shared(),
        };
        (Arc::new(Self { target, metrics, failures, cut, counted, _alive }), handle)
    }

    /// The same target under a route of its own.
    pub(crate) fn renewed(&self) -> (Arc<Self>, RouteHandle) {
        let failures = Arc::clone(&self.failures);
        Self::new(Arc::clone(&self.target), self.metrics.clone(), failures)
    }
}

impl RouteHandle {
    /// Waits until the route is in no published snapshot any more and its last call has ended.
    pub async fn gone(&self) {
        // The sender never sends; an error says that it was dropped.
        let _ = self.gone.clone().await;
    }

    /// True when [`gone`](Self::gone) would not wait.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.gone.clone().now_or_never().is_some()
    }

    /// How the calls went that ended since the route was made.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.counted.tally()
    }

    /// Ends every call over the route, now and to come; its callers are told that it stopped.
    pub fn cut(&self) {
        self.cut.cut();
    }
}

/// A wish that calls end at once.
#[derive(Default, Debug)]
pub(crate) struct Cut {
    wanted: AtomicBool,
    changed: Notify,
}

impl Cut {
    fn cut(&self) {
        // Marked first, then told; a call registers first, then looks: one of the two sees the
        // other. The lock inside `Notify` orders the two for the call that registers later, and
        // `Release` makes the mark visible to whoever was told without it.
        self.wanted.store(true, Ordering::Release);
        self.changed.notify_waiters();
    }

    /// Waits until calls are to end.
    pub(crate) async fn wanted(&self) {
        let mut changed = std::pin::pin!(self.changed.notified());
        changed.as_mut().enable();
        // `Acquire` pairs with the store in `cut`.
        if !self.wanted.load(Ordering::Acquire) {
            changed.await;
        }
    }
}
