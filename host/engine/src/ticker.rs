//! The clock of the guests: one thread that advances wasmtime's epoch every millisecond.
//!
//! It sleeps for good while no guest runs. Callers only touch a counter of their own thread and
//! read a flag, so waking it costs nothing while it is awake.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use trellis_meters::{Mine, Padded, Tick, own, shard_count};

/// Length of a tick. Deadlines of guests are checked at this grain.
const TICK: Duration = Duration::from_millis(1);
/// How many ticks without a call before the thread parks; short gaps between calls are common.
const IDLE_TICKS: u32 = 50;

/// Handle of the clock; dropping it ends the thread.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    /// Calls begun and ended, by thread number.
    places: Box<[Padded<Place>]>,
    awake: AtomicBool,
    stop: AtomicBool,
    origin: Instant,
    /// Microseconds since `origin`, at the last tick.
    now_us: AtomicU64,
}

#[derive(Default)]
struct Place {
    begun: AtomicU64,
    ended: AtomicU64,
}

impl Ticker {
    /// Starts the clock of `engine`.
    pub(crate) fn start(engine: wasmtime::Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            places: (0..shard_count()).map(|_| Padded::default()).collect(),
            awake: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            origin: Instant::now(),
            now_us: AtomicU64::new(0),
        });
        let clock = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("trellis-ticker".to_owned())
            .spawn(move || clock.run(&engine))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Says that a guest runs until the guard is dropped: without, nothing would cut it.
    #[inline]
    pub(crate) fn running(&self) -> Running<'_> {
        let shared = &*self.shared;
        // SeqCst, with the load after it: either this sees the clock asleep, or the clock sees
        // this call (see `run`).
        own(&shared.places).begun.fetch_add(1, Ordering::SeqCst);
        if !shared.awake.load(Ordering::SeqCst) {
            self.wake();
        }
        Running { shared }
    }

    /// No call has run for a while.
    pub(crate) fn is_asleep(&self) -> bool {
        !self.shared.awake.load(Ordering::Relaxed)
    }

    #[cold]
    fn wake(&self) {
        // Before anybody sees the clock awake, it shows the right time.
        self.shared.look();
        self.shared.awake.store(true, Ordering::SeqCst);
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
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
        // Maybe on another thread than it began.
        Mine::of(&self.shared.places).add(|place| &place.ended, 1);
    }
}

impl Shared {
    #[expect(clippy::disallowed_methods, reason = "this is the one ticker")]
    fn run(&self, engine: &wasmtime::Engine) {
        let mut idle = IDLE_TICKS;
        while !self.stop.load(Ordering::SeqCst) {
            if idle >= IDLE_TICKS {
                self.sleep();
                idle = 0;
            }
            std::thread::park_timeout(TICK);
            engine.increment_epoch();
            self.look();
            idle = if self.is_idle() { idle + 1 } else { 0 };
        }
    }

    /// Until a call begins.
    fn sleep(&self) {
        self.awake.store(false, Ordering::SeqCst);
        while self.is_idle()
            && !self.awake.load(Ordering::SeqCst)
            && !self.stop.load(Ordering::SeqCst)
        {
            std::thread::park();
        }
        self.look();
        self.awake.store(true, Ordering::SeqCst);
    }

    /// Publishes the time. It never goes back: two threads may look at once.
    fn look(&self) {
        let now = u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.now_us.fetch_max(now, Ordering::Relaxed);
    }

    /// Nothing runs. What ended is read first, so that a call between the two reads counts as
    /// running.
    fn is_idle(&self) -> bool {
        let ended: u64 = self.places.iter().map(|place| place.0.ended.load(Ordering::SeqCst)).sum();
        let begun: u64 = self.places.iter().map(|place| place.0.begun.load(Ordering::SeqCst)).sum();
        begun == ended
    }
}
