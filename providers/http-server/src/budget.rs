//! How much memory the bodies of requests may take, and those of answers, each those of all
//! connections together.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;

/// The first bytes of every body are not counted. Connections bound them, as they bound buffers
/// and headers; so small bodies need no word with other threads, and go on when large ones have
/// used up the rest.
pub(crate) const UNCOUNTED_BYTES: u64 = 16 << 10;

/// What is taken by each lineage that has instances. These share it: while one takes the place of
/// another, both together stay within the maximum of each.
static TAKEN: Mutex<BTreeMap<(String, Bodies), Weak<AtomicU64>>> = Mutex::new(BTreeMap::new());

/// Whose bodies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Bodies {
    OfRequests,
    OfAnswers,
}

/// What the bodies of one provider may take and do take. The count guards memory and orders
/// nothing: Relaxed is enough for all of it.
#[derive(Debug)]
pub(crate) struct Budget {
    taken: Arc<AtomicU64>,
    max: u64,
}

/// What is taken already leaves too little.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct UsedUp;

/// What one body takes of the budget; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    budget: Arc<Budget>,
    bytes: u64,
}

/// Bytes that are counted for as long as anybody has a part of them.
struct Counted<B> {
    bytes: B,
    _held: Held,
}

impl Budget {
    /// The budget of an instance; one without a lineage shares it with nobody.
    pub(crate) fn of(lineage: &str, bodies: Bodies, max: u64) -> Arc<Self> {
        let taken = if lineage.is_empty() { Arc::default() } else { taken_by(lineage, bodies) };
        Arc::new(Self { taken, max })
    }

    /// The most that may be taken, in bytes.
    pub(crate) const fn max(&self) -> u64 {
        self.max
    }

    /// What is taken, in bytes.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Takes `bytes` more, unless that is over the maximum.
    fn take(&self, bytes: u64) -> Result<(), UsedUp> {
        let after = |taken: u64| taken.checked_add(bytes).filter(|after| *after <= self.max);
        let taken = self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after);
        taken.map(drop).map_err(|_| UsedUp)
    }
}

fn taken_by(lineage: &str, bodies: Bodies) -> Arc<AtomicU64> {
    let mut all = TAKEN.lock();
    all.retain(|_, taken| taken.strong_count() > 0);
    let known = all.entry((lineage.to_owned(), bodies)).or_default();
    known.upgrade().unwrap_or_else(|| {
        let taken = Arc::default();
        *known = Arc::downgrade(&taken);
        taken
    })
}

impl Held {
    /// Nothing so far.
    pub(crate) fn nothing(budget: &Arc<Budget>) -> Self {
        Self { budget: Arc::clone(budget), bytes: 0 }
    }

    /// Counts a body for which `capacity` bytes will be set aside. To be asked before they are,
    /// where that can be.
    ///
    /// # Errors
    /// When the budget is used up; what was counted before still is.
    pub(crate) fn grow_to(&mut self, capacity: u64) -> Result<(), UsedUp> {
        let more = capacity.saturating_sub(UNCOUNTED_BYTES).saturating_sub(self.bytes);
        if more > 0 {
            self.budget.take(more)?;
        }
        self.bytes += more;
        Ok(())
    }

    /// The bytes that were counted.
    pub(crate) fn over(self, bytes: impl AsRef<[u8]> + Into<Bytes> + Send + 'static) -> Bytes {
        if self.bytes == 0 {
            return bytes.into();
        }
        Bytes::from_owner(Counted { bytes, _held: self })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.taken.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

impl<B: AsRef<[u8]>> AsRef<[u8]> for Counted<B> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_together_stay_within_the_budget() {
        let budget = Budget::of("", Bodies::OfRequests, 100);
        let (mut one, mut other) = (Held::nothing(&budget), Held::nothing(&budget));
        assert_eq!(one.grow_to(UNCOUNTED_BYTES), Ok(()));
        assert_eq!(budget.taken(), 0, "the first bytes are free");
        assert_eq!(one.grow_to(UNCOUNTED_BYTES + 60), Ok(()));
        assert_eq!(one.grow_to(UNCOUNTED_BYTES + 50), Ok(()), "it has them");
        assert_eq!(other.grow_to(UNCOUNTED_BYTES + 41), Err(UsedUp));
        assert_eq!(budget.taken(), 60, "what was refused takes nothing");
        assert_eq!(other.grow_to(UNCOUNTED_BYTES + 40), Ok(()));
        assert_eq!(other.grow_to(u64::MAX), Err(UsedUp), "nothing overflows");
        drop(one);
        assert_eq!(budget.taken(), 40);
    }

    #[test]
    fn a_message_is_counted_while_any_part_of_it_lives() {
        let budget = Budget::of("", Bodies::OfRequests, 100);
        let mut held = Held::nothing(&budget);
        held.grow_to(UNCOUNTED_BYTES + 7).expect("there is room");
        let message = held.over(vec![b'x'; 1_000]);
        let part = message.slice(1..3);
        drop(message);
        assert_eq!((&part[..], budget.taken()), (&b"xx"[..], 7));
        drop(part);
        assert_eq!(budget.taken(), 0);
    }

    #[test]
    fn instances_of_one_lineage_share_and_nobody_else() {
        let of = |lineage, bodies, max| Budget::of(lineage, bodies, max);
        let old = of("host/a", Bodies::OfRequests, 100);
        let mut held = Held::nothing(&old);
        held.grow_to(UNCOUNTED_BYTES + 60).expect("there is room");
        let new = of("host/a", Bodies::OfRequests, 70);
        assert_eq!(new.taken(), 60);
        let mut newer = Held::nothing(&new);
        assert_eq!(newer.grow_to(UNCOUNTED_BYTES + 11), Err(UsedUp));
        assert_eq!(newer.grow_to(UNCOUNTED_BYTES + 10), Ok(()));
        for (lineage, bodies) in [
            ("host/b", Bodies::OfRequests),
            ("host/a", Bodies::OfAnswers),
            ("", Bodies::OfRequests),
        ] {
            assert_eq!(of(lineage, bodies, 1).taken(), 0, "{lineage} {bodies:?}");
        }
        drop((old, held, newer));
        assert_eq!(new.taken(), 0);
    }
}
