//! How much memory request bodies may take, those of all connections together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::refusal::Refusal;

/// The first bytes of every body are not counted. Connections bound them, as they bound buffers
/// and headers; so small requests need no word with other threads, and go on when large ones have
/// used up the rest.
pub(crate) const UNCOUNTED_BYTES: u64 = 16 << 10;

/// What the bodies of one provider may take and do take. The count guards memory and orders
/// nothing: Relaxed is enough for all of it.
#[derive(Debug)]
pub(crate) struct BodyBudget {
    used: AtomicU64,
    max: u64,
}

/// What one body takes of the budget; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    budget: Arc<BodyBudget>,
    bytes: u64,
}

/// A message whose body is counted for as long as anybody has a part of it.
struct Counted {
    message: Vec<u8>,
    _held: Held,
}

impl BodyBudget {
    pub(crate) fn new(max: u64) -> Arc<Self> {
        Arc::new(Self { used: AtomicU64::new(0), max })
    }

    /// What is taken, in bytes.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes `bytes` more, unless that is over the maximum.
    fn take(&self, bytes: u64) -> bool {
        let after = |used: u64| used.checked_add(bytes).filter(|after| *after <= self.max);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after).is_ok()
    }
}

impl Held {
    /// Nothing so far.
    pub(crate) fn nothing(budget: &Arc<BodyBudget>) -> Self {
        Self { budget: Arc::clone(budget), bytes: 0 }
    }

    /// Counts a body for which `capacity` bytes will be set aside. To be asked before they are.
    ///
    /// # Errors
    /// 503: the budget is used up.
    pub(crate) fn grow_to(&mut self, capacity: u64) -> Result<(), Refusal> {
        let more = capacity.saturating_sub(UNCOUNTED_BYTES).saturating_sub(self.bytes);
        if more > 0 && !self.budget.take(more) {
            return Err(Refusal::too_many_bodies());
        }
        self.bytes += more;
        Ok(())
    }

    /// The message with the body that was counted.
    pub(crate) fn over(self, message: Vec<u8>) -> Bytes {
        if self.bytes == 0 {
            return message.into();
        }
        Bytes::from_owner(Counted { message, _held: self })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_together_stay_within_the_budget() {
        let budget = BodyBudget::new(100);
        let (mut one, mut other) = (Held::nothing(&budget), Held::nothing(&budget));
        assert_eq!(one.grow_to(UNCOUNTED_BYTES), Ok(()));
        assert_eq!(budget.used(), 0, "the first bytes are free");
        assert_eq!(one.grow_to(UNCOUNTED_BYTES + 60), Ok(()));
        assert_eq!(one.grow_to(UNCOUNTED_BYTES + 50), Ok(()), "it has them");
        assert_eq!(other.grow_to(UNCOUNTED_BYTES + 41), Err(Refusal::too_many_bodies()));
        assert_eq!(budget.used(), 60, "what was refused takes nothing");
        assert_eq!(other.grow_to(UNCOUNTED_BYTES + 40), Ok(()));
        assert_eq!(other.grow_to(u64::MAX), Err(Refusal::too_many_bodies()), "nothing overflows");
        drop(one);
        assert_eq!(budget.used(), 40);
    }

    #[test]
    fn a_message_is_counted_while_any_part_of_it_lives() {
        let budget = BodyBudget::new(100);
        let mut held = Held::nothing(&budget);
        held.grow_to(UNCOUNTED_BYTES + 7).expect("there is room");
        let message = held.over(vec![b'x'; 1_000]);
        let part = message.slice(1..3);
        drop(message);
        assert_eq!((&part[..], budget.used()), (&b"xx"[..], 7));
        drop(part);
        assert_eq!(budget.used(), 0);
    }
}
