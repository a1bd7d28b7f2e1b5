//! Whether guests run, and whether the clock that cuts them is awake.
//!
//! The clock may sleep only while nothing runs, and a call must not begin beside a sleeping clock
//! without waking it. A call counts itself and then looks whether the clock is awake; the clock
//! says that it falls asleep and then looks at the counts. Both write to the count of that thread
//! (the clock adds nothing), and of two such writes the later sees all that came before the
//! earlier one: either the call sees the clock asleep, or the clock sees the call.

use crate::sync::{AtomicBool, AtomicU64, Mine, Ordering, Padded, own, shard_count};

/// Calls that run, and the state of the clock.
pub(crate) struct Activity {
    /// Calls begun and ended, by thread number.
    places: Box<[Padded<Place>]>,
    awake: AtomicBool,
    stop: AtomicBool,
}

struct Place {
    begun: AtomicU64,
    ended: AtomicU64,
}

impl Activity {
    /// Nothing runs, and the clock sleeps.
    pub(crate) fn new() -> Self {
        let place = || Place { begun: AtomicU64::new(0), ended: AtomicU64::new(0) };
        Self {
            places: (0..shard_count()).map(|_| Padded(place())).collect(),
            awake: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        }
    }

    /// A call begins; true when the clock must be woken for it.
    #[inline]
    #[must_use]
    pub(crate) fn begin(&self) -> bool {
        // `AcqRel`, acquire and release: see the top of the file.
        own(&self.places).begun.fetch_add(1, Ordering::AcqRel);
        !self.awake.load(Ordering::Acquire)
    }

    /// A call ended, maybe on another thread than it began.
    #[inline]
    pub(crate) fn end(&self) {
        Mine::of(&self.places).add(|place| &place.ended, 1);
    }

    /// Tells the clock to tick. The caller also has to wake its thread.
    pub(crate) fn wake(&self) {
        // Release: a thread that sees the clock awake also sees the time that was set before.
        self.awake.store(true, Ordering::Release);
    }

    /// The clock sleeps: no call has run for a while.
    pub(crate) fn is_asleep(&self) -> bool {
        // Relaxed: a hint about how busy the host is.
        !self.awake.load(Ordering::Relaxed)
    }

    /// The clock is to end.
    pub(crate) fn stop(&self) {
        // Release, with the acquire in `is_stopping`; the thread is woken after this.
        self.stop.store(true, Ordering::Release);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// The clock sleeps until a call begins; `park` waits to be woken, and may return early.
    pub(crate) fn sleep(&self, mut park: impl FnMut()) {
        self.awake.store(false, Ordering::Release);
        while self.is_idle() && self.is_asleep() && !self.is_stopping() {
            park();
        }
    }

    /// Nothing runs.
    pub(crate) fn is_idle(&self) -> bool {
        // Acquire keeps the order of the two reads. What ended is read first, so that a call
        // between the two reads counts as running. A count that is written to is never an old one,
        // so no call is seen ended but not begun.
        let ended = self.places.iter().map(|place| place.0.ended.load(Ordering::Acquire));
        let ended: u64 = ended.sum();
        let begun = self.places.iter().map(|place| place.0.begun.fetch_add(0, Ordering::AcqRel));
        begun.sum::<u64>() == ended
    }
}
