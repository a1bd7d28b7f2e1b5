//! How many requests ended how, for each actor.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::StatusCode;
use parking_lot::Mutex;

use crate::per_worker::PerWorker;

/// Most actors that are counted by name; what the others answer is counted together.
pub(crate) const ACTORS_MAX: usize = 200;
/// The label of those others.
pub(crate) const OTHERS: &str = "_other";

/// The classes of statuses, as labels.
pub(crate) const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Requests by class of status.
#[derive(Debug)]
pub(crate) struct Tally(PerWorker<Classes>);

#[derive(Default, Debug)]
#[repr(align(64))]
struct Classes([AtomicU64; CLASSES.len()]);

impl Tally {
    pub(crate) fn new(workers: usize) -> Self {
        Self(PerWorker::new(workers, |_| Classes::default()))
    }

    pub(crate) fn workers(&self) -> usize {
        self.0.count()
    }

    /// One answer was sent.
    pub(crate) fn count(&self, worker: usize, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        // Relaxed: a statistic that orders nothing.
        self.0.of(worker).0[class].fetch_add(1, Ordering::Relaxed);
    }

    /// The sums of all workers.
    pub(crate) fn totals(&self) -> [u64; CLASSES.len()] {
        let mut totals = [0; CLASSES.len()];
        for Classes(counts) in self.0.iter() {
            for (total, count) in totals.iter_mut().zip(counts) {
                *total += count.load(Ordering::Relaxed);
            }
        }
        totals
    }

    fn take_over(&self, other: &Self) {
        for (count, more) in self.0.of(0).0.iter().zip(other.totals()) {
            count.fetch_add(more, Ordering::Relaxed);
        }
    }
}

/// The tallies of the actors that have routes, or had.
#[derive(Debug)]
pub(crate) struct Tallies {
    by_actor: Mutex<HashMap<String, Arc<Tally>>>,
    others: Arc<Tally>,
}

impl Tallies {
    pub(crate) fn new(workers: usize) -> Self {
        Self { by_actor: Mutex::default(), others: Arc::new(Tally::new(workers)) }
    }

    /// The tally of an actor: its own while there is room, else the common one. An actor without
    /// routes makes room.
    pub(crate) fn of(&self, actor: &str) -> Arc<Tally> {
        let mut by_actor = self.by_actor.lock();
        if let Some(tally) = by_actor.get(actor) {
            return Arc::clone(tally);
        }
        if by_actor.len() >= ACTORS_MAX {
            by_actor.retain(|_, tally| {
                let used = Arc::strong_count(tally) > 1;
                if !used {
                    self.others.take_over(tally);
                }
                used
            });
        }
        if by_actor.len() >= ACTORS_MAX {
            return Arc::clone(&self.others);
        }
        let tally = Arc::new(Tally::new(self.others.workers()));
        by_actor.insert(actor.to_owned(), Arc::clone(&tally));
        tally
    }

    /// The totals by label, in the order of the labels; the common ones only when there are any.
    pub(crate) fn totals(&self) -> Vec<(String, [u64; CLASSES.len()])> {
        let others = self.others.totals();
        let mut totals: Vec<_> = (self.by_actor.lock().iter())
            .map(|(actor, tally)| (actor.clone(), tally.totals()))
            .collect();
        if others.iter().any(|count| *count > 0) {
            totals.push((OTHERS.to_owned(), others));
        }
        totals.sort_unstable();
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_labels_is_bounded() {
        let tallies = Tallies::new(2);
        let held: Vec<_> = (0..ACTORS_MAX).map(|n| tallies.of(&format!("actor-{n}"))).collect();
        held[0].count(1, StatusCode::OK);
        assert_eq!(tallies.of("actor-0").totals()[1], 1, "the same tally again");
        tallies.of("one too many").count(0, StatusCode::NOT_FOUND);
        let totals = tallies.totals();
        assert_eq!(totals.len(), ACTORS_MAX + 1);
        assert_eq!(totals[0], (OTHERS.to_owned(), [0, 0, 0, 1, 0]));
        drop(held);
        tallies.of("new");
        let totals = tallies.totals();
        assert_eq!(totals.len(), 2, "those without routes made room: {totals:?}");
        assert_eq!(totals[0].1, [0, 1, 0, 1, 0], "what they counted is kept");
    }
}
