//! How long a call waits for a thread of the slow lane.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::deadline;

/// A turn counts for an eighth of what is known of turns.
const WEIGHT: u32 = 8;

/// Longest turn that counts as such: a call gives way after a slice, and a machine that stood still
/// for a second says nothing of the next turn.
const TURN_MAX: Duration = Duration::from_millis(10);

/// What waits for the threads of a lane, and how long one of its turns takes.
pub(crate) struct LaneLoad {
    /// Calls that could go on if they had a thread.
    waiting: AtomicU32,
    /// How long a turn took, lately: by the clock, since a lane gives way to others.
    turn_us: AtomicU32,
    threads: u32,
}

impl LaneLoad {
    pub(crate) fn new() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
        let threads = u32::try_from(threads).unwrap_or(u32::MAX);
        Self { waiting: AtomicU32::new(0), turn_us: AtomicU32::new(0), threads }
    }

    /// How long a call that joins the queue now waits until its turn.
    ///
    /// It is foreseen, not what the last one waited: calls that come all at once would each find
    /// that nobody had waited yet.
    #[inline]
    pub(crate) fn foreseen_wait(&self) -> Duration {
        // Relaxed, here and below: an estimate, which guards no other memory.
        let waiting = self.waiting.load(Ordering::Relaxed);
        if waiting == 0 {
            return Duration::ZERO;
        }
        Duration::from_micros(self.turn_us.load(Ordering::Relaxed).into()) * waiting / self.threads
    }

    /// A call waits for its first turn.
    pub(crate) fn join(self: &Arc<Self>) -> Turns {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Turns { load: Arc::clone(self), waits: true, busy: false }
    }

    fn took(&self, turn: Duration) {
        let turn = u32::try_from(turn.min(TURN_MAX).as_micros()).unwrap_or(u32::MAX);
        // Two threads at once may lose a turn, which leaves the estimate what it was.
        let before = self.turn_us.load(Ordering::Relaxed);
        let next = before - before / WEIGHT + turn / WEIGHT;
        self.turn_us.store(if before == 0 { turn } else { next }, Ordering::Relaxed);
    }
}

/// The turns of one call. While it waits for something else than a thread it does not count.
pub(crate) struct Turns {
    load: Arc<LaneLoad>,
    waits: bool,
    busy: bool,
}

impl Turns {
    /// Takes a turn; `run` polls the call.
    pub(crate) fn take<T>(&mut self, run: impl FnOnce() -> Poll<T>) -> Poll<T> {
        self.leave();
        let begun = Instant::now();
        let polled = run();
        // Always asked: it is true once.
        if deadline::take_slice_over() {
            self.busy = true;
            if polled.is_pending() {
                self.load.waiting.fetch_add(1, Ordering::Relaxed);
                self.waits = true;
            }
        }
        self.load.took(begun.elapsed());
        polled
    }

    /// Whether the call used up a slice.
    pub(crate) const fn were_busy(&self) -> bool {
        self.busy
    }

    fn leave(&mut self) {
        if std::mem::take(&mut self.waits) {
            self.load.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load() -> Arc<LaneLoad> {
        Arc::new(LaneLoad { threads: 2, ..LaneLoad::new() })
    }

    #[test]
    fn the_wait_grows_with_every_call_that_joins_and_ends_with_it() {
        let load = load();
        load.took(Duration::from_millis(2));
        assert_eq!(load.foreseen_wait(), Duration::ZERO, "nobody is before it");
        let mut waiting: Vec<_> = (0..10).map(|_| load.join()).collect();
        assert_eq!(load.foreseen_wait(), Duration::from_millis(10));
        waiting.truncate(4);
        assert_eq!(load.foreseen_wait(), Duration::from_millis(4), "cut while they waited");
    }

    #[test]
    fn a_call_waits_again_after_a_slice_but_not_while_it_waits_for_something_else() {
        let load = load();
        let waiting = || load.waiting.load(Ordering::Relaxed);
        let mut turns = load.join();
        assert!(turns.take(|| Poll::<()>::Pending).is_pending());
        assert_eq!((waiting(), turns.were_busy()), (0, false));
        let slice = || {
            deadline::note_slice_over();
            Poll::<()>::Pending
        };
        assert!(turns.take(slice).is_pending());
        assert_eq!((waiting(), turns.were_busy()), (1, true));
        assert!(turns.take(|| Poll::Ready(())).is_ready());
        assert_eq!(waiting(), 0);
    }

    #[test]
    fn a_turn_out_of_the_ordinary_changes_little() {
        let load = load();
        load.took(Duration::from_micros(800));
        load.took(Duration::from_micros(8_000));
        assert_eq!(load.turn_us.load(Ordering::Relaxed), 1_700);
        load.took(Duration::from_secs(1));
        assert_eq!(load.turn_us.load(Ordering::Relaxed), 2_738);
    }
}
