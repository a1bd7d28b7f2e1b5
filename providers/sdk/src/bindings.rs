//! What a provider keeps for each of its bindings: read by every call, changed by the few that
//! bind.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use trellis_core::BindingId;

/// Power of two. Ids are given one after the other, so they spread evenly: with 10,000 bindings
/// one more costs a copy of some forty entries, and not of all.
const PARTS: usize = 256;

/// A table by binding. Reading takes no lock; a change copies one small part of the table.
pub struct Bindings<T> {
    parts: Box<[ArcSwap<Part<T>>]>,
}

/// Sorted by id.
type Part<T> = Vec<(BindingId, Arc<T>)>;

impl<T> Default for Bindings<T> {
    fn default() -> Self {
        let empty = Arc::new(Vec::new());
        Self { parts: (0..PARTS).map(|_| ArcSwap::new(Arc::clone(&empty))).collect() }
    }
}

impl<T> Bindings<T> {
    /// What belongs to the binding.
    #[inline]
    #[must_use]
    pub fn get(&self, id: BindingId) -> Option<Arc<T>> {
        let part = self.part(id).load();
        let at = part.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(Arc::clone(&part[at].1))
    }

    /// Keeps `value` for the binding, in place of what was there.
    pub fn insert(&self, id: BindingId, value: T) {
        let value = Arc::new(value);
        self.part(id).rcu(|part| {
            let mut part = Part::clone(part);
            match part.binary_search_by_key(&id, |(id, _)| *id) {
                Ok(at) => part[at].1 = Arc::clone(&value),
                Err(at) => part.insert(at, (id, Arc::clone(&value))),
            }
            part
        });
    }

    /// Forgets the binding; an unknown one is no error.
    pub fn remove(&self, id: BindingId) {
        self.part(id).rcu(|part| {
            let mut part = Part::clone(part);
            part.retain(|(known, _)| *known != id);
            part
        });
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.load().len()).sum()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn part(&self, BindingId(id): BindingId) -> &ArcSwap<Part<T>> {
        &self.parts[usize::try_from(id % PARTS as u64).unwrap_or_default()]
    }
}

impl<T> fmt::Debug for Bindings<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is kept may hold a password.
        f.debug_struct("Bindings").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_binding_has_its_own_and_the_last_wins() {
        let bindings = Bindings::default();
        for id in 0..1_000 {
            bindings.insert(BindingId(id), id);
        }
        bindings.insert(BindingId(7), 70);
        bindings.remove(BindingId(8));
        bindings.remove(BindingId(5_000));
        assert_eq!(bindings.len(), 999);
        assert_eq!(bindings.get(BindingId(7)).as_deref(), Some(&70));
        assert_eq!(bindings.get(BindingId(8)), None);
        assert_eq!(bindings.get(BindingId(263)).as_deref(), Some(&263), "the same part as 7");
    }

    #[test]
    fn a_change_copies_a_small_part() {
        let bindings = Bindings::default();
        for id in 0..10_000 {
            bindings.insert(BindingId(id), ());
        }
        let largest = bindings.parts.iter().map(|part| part.load().len()).max();
        assert!(largest <= Some(10_000 / PARTS + 1), "{largest:?}");
    }
}
