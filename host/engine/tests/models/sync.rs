//! What `crate::sync` is here: loom's parts by the names of the engine's own.

use std::cell::Cell as StdCell;

use std::io;
use std::time::Duration;

pub(crate) use loom::sync::MutexGuard;
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
pub(crate) use trellis_meters::Padded;

/// The clock sleeps after the first tick without a call.
pub(crate) const IDLE_TICKS: u32 = 1;

/// What the clock's thread waits for. (loom's own `unpark` ends any wait of a thread, and is then
/// forgotten.)
#[derive(Default)]
struct Parked {
    unparked: bool,
    /// How many ticks' time has passed. It passes as the model says and no sooner, or the clock
    /// could tick for ever.
    ticks: u32,
}

loom::lazy_static! {
    static ref PARKED: loom::sync::Mutex<Parked> = loom::sync::Mutex::default();
    static ref CHANGED: loom::sync::Condvar = loom::sync::Condvar::new();
}

fn change_parked(change: impl FnOnce(&mut Parked)) {
    change(&mut PARKED.lock().expect("a panic ends the model"));
    CHANGED.notify_one();
}

/// The time of so many more ticks passes.
pub(crate) fn let_time_pass(ticks: u32) {
    change_parked(|parked| parked.ticks += ticks);
}

fn park_until(over: impl Fn(&Parked) -> bool) -> MutexGuard<'static, Parked> {
    let mut parked = PARKED.lock().expect("a panic ends the model");
    while !over(&parked) {
        parked = CHANGED.wait(parked).expect("a panic ends the model");
    }
    parked
}

pub(crate) fn park() {
    park_until(|parked| parked.unparked).unparked = false;
}

/// Until the time of a tick has passed, or sooner.
pub(crate) fn park_timeout(_: Duration) {
    let mut parked = park_until(|parked| parked.unparked || parked.ticks > 0);
    if !std::mem::take(&mut parked.unparked) {
        parked.ticks -= 1;
    }
}

/// The one thread that parks.
pub(crate) struct JoinHandle<T>(loom::thread::JoinHandle<T>);

pub(crate) struct Thread;

impl<T> JoinHandle<T> {
    pub(crate) fn thread(&self) -> &Thread {
        &Thread
    }

    pub(crate) fn join(self) -> std::thread::Result<T> {
        self.0.join()
    }
}

impl Thread {
    pub(crate) fn unpark(&self) {
        change_parked(|parked| parked.unparked = true);
    }
}

/// A thread at the second place.
pub(crate) fn spawn_named(
    name: &str,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let body = || {
        stand_at(1);
        body();
    };
    loom::thread::Builder::new().name(name.to_owned()).spawn(body).map(JoinHandle)
}

pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect("a panic ends the model")
    }
}

/// An exchange under a lock: what an exchange in one step gives, and no more. Of two on one
/// cell the later sees what came before the earlier.
pub(crate) struct Cell<T>(Mutex<Option<T>>);

impl<T> Cell<T> {
    pub(crate) fn new(value: Option<T>) -> Self {
        Self(Mutex::new(value))
    }

    pub(crate) fn take(&self) -> Option<T> {
        self.0.lock().take()
    }

    pub(crate) fn swap(&self, value: Option<T>) -> Option<T> {
        std::mem::replace(&mut *self.0.lock(), value)
    }
}

loom::thread_local! {
    static PLACE: StdCell<usize> = StdCell::new(0);
}

/// Chooses this thread's place; the first one if it never does.
pub(crate) fn stand_at(place: usize) {
    PLACE.with(|mine| mine.set(place));
}

pub(crate) const fn shard_count() -> usize {
    2
}

pub(crate) fn own<T>(places: &[Padded<T>]) -> &T {
    PLACE.with(|mine| &places[mine.get()].0)
}

pub(crate) struct Mine<'a, T>(&'a T);

impl<'a, T> Mine<'a, T> {
    pub(crate) fn of(places: &'a [Padded<T>]) -> Self {
        Self(own(places))
    }

    /// As a thread does that is alone at its place: without a step that reads and writes.
    pub(crate) fn add(&self, counter: impl FnOnce(&'a T) -> &'a AtomicU64, by: u64) {
        let counter = counter(self.0);
        counter.store(counter.load(Ordering::Relaxed) + by, Ordering::Relaxed);
    }
}
