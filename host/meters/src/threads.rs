//! Per-thread places for what every call touches, so that threads do not share cache lines.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A value alone on its cache lines (two, because the prefetcher takes pairs).
#[repr(align(128))]
#[derive(Default, Debug)]
pub struct Padded<T>(pub T);

/// How many places there are: two for each core, within reason; a power of two. The first half of
/// them belong to one thread each, the others share the second half.
#[must_use]
pub fn shard_count() -> usize {
    // Asked for each histogram there is, and the answer is read from files.
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        (2 * cores).next_power_of_two().clamp(4, 16)
    })
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
            // Relaxed: each thread gets another number, and that is all.
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
    Mine::of(places).place
}

/// A place as its thread sees it.
#[derive(Debug)]
pub struct Mine<'a, T> {
    place: &'a T,
    /// No other thread writes here.
    alone: bool,
}

impl<'a, T> Mine<'a, T> {
    /// This thread's place of as many as [`shard_count`] says.
    ///
    /// # Panics
    /// When there is no place.
    #[inline]
    #[must_use]
    pub fn of(places: &'a [Padded<T>]) -> Self {
        let (number, half) = (thread_number(), places.len() / 2);
        let alone = number < half;
        let index = if alone { number } else { half + (number & half.saturating_sub(1)) };
        Self { place: &places[index].0, alone }
    }

    /// The place.
    #[inline]
    #[must_use]
    pub const fn place(&self) -> &'a T {
        self.place
    }

    /// Adds to a counter of the place. A thread that is alone there needs no locked instruction,
    /// which would cost it as much as twenty others.
    #[inline]
    pub fn add(&self, counter: impl FnOnce(&'a T) -> &'a AtomicU64, by: u64) {
        let counter = counter(self.place);
        // Relaxed, as where they are read: counts guard no other memory. A thread that is alone
        // sees its own last write, so nothing it adds is lost.
        if self.alone {
            let sum = counter.load(Ordering::Relaxed).wrapping_add(by);
            counter.store(sum, Ordering::Relaxed);
        } else {
            counter.fetch_add(by, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_between_threads() {
        let places: Box<[Padded<AtomicU64>]> =
            (0..shard_count()).map(|_| Padded::default()).collect();
        std::thread::scope(|scope| {
            for _ in 0..3 * places.len() {
                scope.spawn(|| {
                    (0..1_000).for_each(|_| Mine::of(&places).add(|counter| counter, 1));
                });
            }
        });
        let sum: u64 = places.iter().map(|place| place.0.load(Ordering::Relaxed)).sum();
        assert_eq!(sum, 3 * 1_000 * places.len() as u64);
    }
}
