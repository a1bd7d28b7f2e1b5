//! Something of which each worker has its own, so that workers share no cache line.

/// One value for each worker. An instance before or after this one may have more workers, as the
/// machine's limits may have changed in between; they use these values, too.
#[derive(Debug)]
pub(crate) struct PerWorker<T>(Box<[T]>);

impl<T> PerWorker<T> {
    /// At least one.
    pub(crate) fn new(workers: usize, make: impl FnMut(usize) -> T) -> Self {
        Self((0..workers.max(1)).map(make).collect())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The one of this worker. A worker of another instance may have a number that does not exist
    /// here; it then shares one.
    pub(crate) fn of(&self, worker: usize) -> &T {
        self.0.get(worker).unwrap_or_else(|| &self.0[worker % self.0.len()])
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_worker_has_one_whatever_their_number() {
        let two = PerWorker::new(2, |index| index);
        assert_eq!([0, 1, 2, 3, 7].map(|worker| *two.of(worker)), [0, 1, 0, 1, 1]);
        let none = PerWorker::new(0, |index| index);
        assert_eq!((none.count(), *none.of(5)), (1, 0));
    }
}
