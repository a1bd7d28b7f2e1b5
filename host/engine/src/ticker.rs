//! The clock of the guests: one thread that advances wasmtime's epoch every millisecond.
//!
//! It sleeps for good while no guest runs. Callers only touch a counter of their own thread and
//! read a flag, so waking it costs nothing while it is awake.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use trellis_meters::{Coarse, Tick};

use crate::activity::Activity;
use crate::sync::{AtomicU64, IDLE_TICKS, JoinHandle, Ordering, park, park_timeout, spawn_named};

/// Length of a tick. Deadlines of guests are checked at this grain.
const TICK: Duration = Duration::from_millis(1);

/// What the clock of the guests does at every tick: those that run look whether their time is up.
#[expect(clippy::disallowed_methods, reason = "this is the one ticker")]
pub(crate) fn epochs_of(engine: wasmtime::Engine) -> impl Fn() + Send + 'static {
    move || engine.increment_epoch()
}

/// Handle of the clock; dropping it ends the thread.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    activity: Activity,
    origin: Instant,
    /// Microseconds since `origin`, at the last tick.
    now_us: AtomicU64,
}

impl Ticker {
    /// Starts a clock that does `tick` at every tick while guests run.
    pub(crate) fn start(tick: impl Fn() + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            activity: Activity::new(),
            origin: Instant::now(),
            now_us: AtomicU64::new(0),
        });
        let clock = Arc::clone(&shared);
        let thread = spawn_named("trellis-ticker", move || clock.run(tick))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Says that a guest runs until the guard is dropped: without, nothing would cut it.
    #[inline]
    pub(crate) fn running(&self) -> Running<'_> {
        let shared = &*self.shared;
        if shared.activity.begin() {
            self.wake();
        }
        Running { shared }
    }

    /// No call has run for a while.
    pub(crate) fn is_asleep(&self) -> bool {
        self.shared.activity.is_asleep()
    }

    #[cold]
    fn wake(&self) {
        // Before anybody sees the clock awake, it shows the right time.
        self.shared.look();
        self.shared.activity.wake();
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.activity.stop();
        self.wake();
        if let Some(thread) = self.thread.take() {
            // The thread has no way to panic; if it did, there is nothing left to tell.
            let _ = thread.join();
        }
    }
}

/// A call is running.
pub(crate) struct Running<'a> {
    shared: &'a Shared,
}

impl Running<'_> {
    /// The time of the last tick: a millisecond or two old, and nearly free.
    #[inline]
    pub(crate) fn now(&self) -> Tick {
        Tick::of_micros(self.shared.now_us.load(Ordering::Relaxed))
    }

    /// The same as an instant.
    #[inline]
    pub(crate) fn instant(&self) -> Instant {
        self.shared.origin + Duration::from_micros(self.shared.now_us.load(Ordering::Relaxed))
    }
}

impl Drop for Running<'_> {
    #[inline]
    fn drop(&mut self) {
        self.shared.activity.end();
    }
}

impl Shared {
    fn run(&self, tick: impl Fn()) {
        let mut idle = IDLE_TICKS;
        while !self.activity.is_stopping() {
            if idle >= IDLE_TICKS {
                Coarse::retire();
                self.activity.sleep(park);
                self.look();
                self.activity.wake();
                idle = 0;
            }
            park_timeout(TICK);
            tick();
            self.look();
            idle = if self.activity.is_idle() { idle + 1 } else { 0 };
        }
        Coarse::retire();
    }

    /// Publishes the time, for those who ask this clock and for those who ask the coarse one. It
    /// never goes back: two threads may look at once.
    fn look(&self) {
        let now = u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX);
        // Relaxed, as where it is read: the time guards no other memory, and one tick sooner or
        // later is what it may be off.
        self.now_us.fetch_max(now, Ordering::Relaxed);
        Coarse::publish();
    }
}
