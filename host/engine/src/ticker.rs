//! The clock of the guests: one thread that advances wasmtime's epoch every millisecond.
//!
//! It sleeps for good while no call runs. Callers only touch a counter of their own thread and read
//! a flag, so waking it costs nothing while it is awake.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::threads::{Padded, shard_count, thread_number};

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
    /// Calls begun minus calls ended, per thread number; only the sum means something.
    running: Box<[Padded<AtomicI64>]>,
    awake: AtomicBool,
    stop: AtomicBool,
}

impl Ticker {
    /// Starts the clock of `engine`.
    pub(crate) fn start(engine: wasmtime::Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            running: (0..shard_count()).map(|_| Padded::default()).collect(),
            awake: AtomicBool::new(true),
            stop: AtomicBool::new(false),
        });
        let clock = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("trellis-ticker".to_owned())
            .spawn(move || clock.run(&engine))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Says that a call runs until the guard is dropped.
    #[inline]
    pub(crate) fn running(&self) -> Running<'_> {
        let shared = &*self.shared;
        let place = thread_number() % shared.running.len();
        // SeqCst, with the load after it: either this sees the clock asleep, or the clock sees
        // this call (see `run`).
        shared.running[place].0.fetch_add(1, Ordering::SeqCst);
        if !shared.awake.load(Ordering::SeqCst) {
            self.wake();
        }
        Running { shared, place }
    }

    #[cold]
    fn wake(&self) {
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
    place: usize,
}

impl Drop for Running<'_> {
    #[inline]
    fn drop(&mut self) {
        self.shared.running[self.place].0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    fn run(&self, engine: &wasmtime::Engine) {
        let mut idle = 0;
        while !self.stop.load(Ordering::SeqCst) {
            std::thread::sleep(TICK);
            engine.increment_epoch();
            idle = if self.is_idle() { idle + 1 } else { 0 };
            if idle >= IDLE_TICKS {
                self.awake.store(false, Ordering::SeqCst);
                while self.is_idle()
                    && !self.awake.load(Ordering::SeqCst)
                    && !self.stop.load(Ordering::SeqCst)
                {
                    std::thread::park();
                }
                self.awake.store(true, Ordering::SeqCst);
                idle = 0;
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.running.iter().map(|place| place.0.load(Ordering::SeqCst)).sum::<i64>() == 0
    }
}
