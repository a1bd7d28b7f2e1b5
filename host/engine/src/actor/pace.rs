//! How fast a call's thread may be left to it: a slice here, the rest on the slow lane.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Instant;

use super::state::ActorState;
use crate::deadline;
use crate::instance::Ended;

/// How often a call that used up its slice makes its actor "slow", and from when on calls of the
/// actor begin on the slow lane; quick calls lead back one by one.
const HEAT_STEP: u32 = 8;
const HEAT_MAX: u32 = 64;

impl ActorState {
    /// Runs a call here for a slice, and the rest of it on the slow lane.
    pub(super) async fn drive<F>(&self, mut run: Pin<Box<F>>, deadline: Instant) -> Ended
    where
        F: Future<Output = Ended> + Send + 'static,
    {
        // Relaxed, here and below: where a call runs is a guess anyway.
        let slow = self.begins_slow();
        if !slow {
            let ended = std::future::poll_fn(|cx| match run.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending if deadline::take_slice_over() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            });
            if let Some(ended) = ended.await {
                return ended;
            }
            // At once: the calls behind this one are probably like it.
            self.heat(true);
        }
        self.runtime.metrics.slow_lane();
        // Boxed, because most calls never come here, and all would be as large as its timer.
        match Box::pin(self.runtime.lane.finish(run, deadline)).await {
            Ok(Some((ended, busy))) => {
                if slow {
                    self.heat(busy);
                }
                ended
            }
            Ok(None) => Ended::Cut(None),
            Err(error) => Ended::Failed(error),
        }
    }

    /// Whether calls begin on the slow lane.
    #[inline]
    pub(super) fn begins_slow(&self) -> bool {
        self.heat.load(Ordering::Relaxed) >= HEAT_STEP
    }

    /// A call used up its slice, or a call on the slow lane did not.
    fn heat(&self, busy: bool) {
        let next = |heat: u32| {
            Some(if busy { (heat + HEAT_STEP).min(HEAT_MAX) } else { heat.saturating_sub(1) })
        };
        // The closure always gives a value.
        let _ = self.heat.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    }
}
