//! Whether a worker keeps up with its requests.
//!
//! A request that has arrived waits for its thread behind others, in a queue that belongs to the
//! runtime and that nobody can look into. A worker that finds rest now and then has none, so its
//! requests are served at once. While it finds none, each request goes to the end of that queue
//! first, which takes as long as everything before it does. One before which the worker had too
//! much to do is refused. So a worker under any load answers as many requests as it can, and each
//! of them soon; the others know at once that they should come back later.
//!
//! That is measured in the worker's own processor time: on a machine that is busy with something
//! else a worker without rest may have nobody waiting, and refusing would make nobody faster.

use std::cell::Cell;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Builder;

/// A worker without rest for so long has more to do than it can: shorter bursts are worked off.
const BURST: Duration = Duration::from_millis(250);
/// Tasks a worker runs between two looks at its sockets. What waits in a socket is not seen, so
/// that a few long calls in a row must not keep it from being looked at.
const TASKS_BETWEEN_LOOKS: u32 = 8;

thread_local! {
    /// Since when this thread has had work all the time.
    static WORKING: Working = const { Working::new() };
}

/// Since when a worker has had work all the time.
struct Working(Cell<Option<Instant>>);

impl Working {
    const fn new() -> Self {
        Self(Cell::new(None))
    }

    /// The worker has nothing to do.
    fn rests(&self) {
        self.0.set(None);
    }

    /// Whether a request that begins now finds it overloaded.
    fn is_overloaded(&self, now: Instant) -> bool {
        let since = self.0.get().unwrap_or(now);
        self.0.set(Some(since));
        now.saturating_duration_since(since) >= BURST
    }
}

/// Has a worker's runtime tell when it rests.
pub(crate) fn watch(builder: &mut Builder) -> &mut Builder {
    builder.event_interval(TASKS_BETWEEN_LOOKS).on_thread_park(|| WORKING.with(Working::rests))
}

/// Waits for the turn of a request that arrived just now; true when its worker, which has more to
/// do than it can, worked for longer than `most` on what came before.
pub(crate) async fn waits_too_long(arrived: Instant, most: Duration) -> bool {
    if !WORKING.with(|working| working.is_overloaded(arrived)) {
        return false;
    }
    let worked = processor_time();
    tokio::task::yield_now().await;
    processor_time().saturating_sub(worked) > most
}

/// Processor time of this thread.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_worker_that_never_rests_is_overloaded() {
        let (working, begun) = (Working::new(), Instant::now());
        assert!(!working.is_overloaded(begun));
        assert!(!working.is_overloaded(begun + BURST - Duration::from_nanos(1)));
        assert!(working.is_overloaded(begun + BURST));
        assert!(working.is_overloaded(begun + 2 * BURST), "as long as it lasts");
        working.rests();
        assert!(!working.is_overloaded(begun + 3 * BURST), "it counts from here");
        assert!(working.is_overloaded(begun + 4 * BURST));
    }
}
