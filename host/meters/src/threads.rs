//! Per-thread places for what every call touches, so that threads do not share cache lines.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A value alone on its cache lines (two, because the prefetcher takes pairs).
#[repr(align(128))]
#[derive(Default, Debug)]
pub struct Padded<T>(pub T);

/// How many places there are: about one per core, at most eight; a power of two, so that a place is
/// found without a division.
#[must_use]
pub fn shard_count() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).clamp(1, 8).next_power_of_two()
}

/// This thread's number; the first threads that ask get the first numbers.
#[inline]
#[must_use]
pub fn thread_number() -> usize {
    const UNSET: usize = usize::MAX;
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: Cell<usize> = const { Cell::new(UNSET) };
    }
    NUMBER.with(|number| {
        if number.get() == UNSET {
            number.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        number.get()
    })
}

/// This thread's place of as many as [`shard_count`] says.
///
/// # Panics
/// When there is no place.
#[inline]
#[must_use]
pub fn own<T>(places: &[Padded<T>]) -> &T {
    &places[thread_number() & (places.len() - 1)].0
}
