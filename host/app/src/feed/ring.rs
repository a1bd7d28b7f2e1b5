//! What happened lately: kept within bounds, and read by many, each at its own pace.
//!
//! Whoever adds to it waits for nobody. Whoever reads too slowly loses the oldest, and is told how
//! many that were.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::stamp::now_unix_ms;

/// Keeps the latest of something.
pub(crate) struct Ring<T> {
    kept: Mutex<Kept<T>>,
    /// Something was added, or nothing will be any more.
    news: Notify,
    bounds: Bounds,
    /// Tells this ring from that of another run of the host, so that no reader of that goes on
    /// here: when it was made, in milliseconds since 1970.
    epoch: u64,
}

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) items_max: u64,
    pub(crate) bytes_max: u64,
}

struct Kept<T> {
    items: VecDeque<Item<T>>,
    bytes: u64,
    /// The number of the next one, from 1.
    next: u64,
    is_closed: bool,
}

struct Item<T> {
    content: Arc<T>,
    bytes: u64,
}

/// Where a reader is.
pub(crate) struct Reader<T> {
    ring: Arc<Ring<T>>,
    next: u64,
}

/// What a reader gets.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Read<T> {
    /// The next one, with its number.
    Item(u64, Arc<T>),
    /// So many that it should have got are gone.
    Lost(u64),
}

impl<T> Ring<T> {
    /// Nothing so far.
    pub(crate) fn new(bounds: Bounds) -> Self {
        let kept = Kept { items: VecDeque::new(), bytes: 0, next: 1, is_closed: false };
        let (news, epoch) = (Notify::new(), now_unix_ms());
        Self { kept: Mutex::new(kept), news, bounds, epoch }
    }

    /// Adds one that takes so many bytes, made of its number.
    pub(crate) fn push(&self, bytes: u64, make: impl FnOnce(u64) -> T) {
        let dropped: Vec<_> = {
            let mut kept = self.kept.lock();
            if kept.is_closed {
                return;
            }
            let content = Arc::new(make(kept.next));
            kept.next += 1;
            kept.bytes += bytes;
            kept.items.push_back(Item { content, bytes });
            kept.shrink(self.bounds)
        };
        drop(dropped);
        self.news.notify_waiters();
    }

    /// Nothing is added any more: readers come to an end.
    pub(crate) fn close(&self) {
        self.kept.lock().is_closed = true;
        self.news.notify_waiters();
    }

    /// The oldest that is kept.
    pub(crate) fn oldest(&self) -> Option<Arc<T>> {
        self.kept.lock().items.front().map(|item| Arc::clone(&item.content))
    }

    /// What is kept, the oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        self.numbered().1
    }

    /// The same, with the number of the first.
    fn numbered(&self) -> (u64, Vec<Arc<T>>) {
        let kept = self.kept.lock();
        (kept.first(), kept.items.iter().map(|item| Arc::clone(&item.content)).collect())
    }

    /// The name of one, which no other run of the host gives.
    pub(crate) fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.epoch)
    }

    /// Whoever read that one last goes on behind it. `None` for what this ring did not name: then
    /// it begins with the oldest.
    fn behind(&self, id: &str) -> Option<u64> {
        let (epoch, number) = id.split_once('-')?;
        let number: u64 = number.parse().ok()?;
        let is_own = epoch.parse() == Ok(self.epoch) && number < self.kept.lock().next;
        is_own.then(|| number + 1)
    }
}

impl<T> Kept<T> {
    fn first(&self) -> u64 {
        self.next - self.items.len() as u64
    }

    /// Takes out what is too much. The latest is kept whatever its size.
    fn shrink(&mut self, bounds: Bounds) -> Vec<Item<T>> {
        let mut dropped = Vec::new();
        let is_too_much = |kept: &Self| {
            kept.items.len() as u64 > bounds.items_max || kept.bytes > bounds.bytes_max
        };
        while self.items.len() > 1 && is_too_much(self) {
            let Some(oldest) = self.items.pop_front() else { break };
            self.bytes -= oldest.bytes;
            dropped.push(oldest);
        }
        dropped
    }
}

impl<T> Reader<T> {
    /// A reader that begins behind the one of that name, or else with the first of the last `tail`
    /// that are meant.
    pub(crate) fn new(
        ring: &Arc<Ring<T>>,
        (last, tail): (Option<&str>, Option<usize>),
        is_meant: impl Fn(&T) -> bool,
    ) -> Self {
        let ring = Arc::clone(ring);
        if let Some(next) = last.and_then(|last| ring.behind(last)) {
            return Self { ring, next };
        }
        let next = match tail {
            None => ring.kept.lock().first(),
            Some(0) => ring.kept.lock().next,
            // Looked at outside of the lock: who adds something waits for nobody.
            Some(tail) => {
                let (first, kept) = ring.numbered();
                let meant = (first..).zip(&kept).filter(|(_, it)| is_meant(it));
                let meant: Vec<_> = meant.map(|(number, _)| number).collect();
                let from = meant.len().saturating_sub(tail);
                meant.get(from).copied().unwrap_or(first + kept.len() as u64)
            }
        };
        Self { ring, next }
    }

    /// The next one; `None` once there will be none any more. Nothing is lost when what waits for
    /// it is dropped.
    pub(crate) async fn next(&mut self) -> Option<Read<T>> {
        let ring = Arc::clone(&self.ring);
        loop {
            let news = ring.news.notified();
            tokio::pin!(news);
            // From here on no news is missed.
            news.as_mut().enable();
            match self.take() {
                Err(true) => return None,
                Err(false) => news.await,
                Ok(read) => return Some(read),
            }
        }
    }

    /// The next one that is there already; else whether the ring is closed.
    pub(crate) fn take(&mut self) -> Result<Read<T>, bool> {
        let kept = self.ring.kept.lock();
        let first = kept.first();
        if self.next < first {
            let lost = first - self.next;
            self.next = first;
            return Ok(Read::Lost(lost));
        }
        let place = usize::try_from(self.next - first).unwrap_or(usize::MAX);
        let Some(item) = kept.items.get(place) else { return Err(kept.is_closed) };
        let read = Read::Item(self.next, Arc::clone(&item.content));
        self.next += 1;
        Ok(read)
    }

    /// The name of the one of that number.
    pub(crate) fn id(&self, number: u64) -> String {
        self.ring.id(number)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn ring(items_max: u64, bytes_max: u64) -> Arc<Ring<u64>> {
        Arc::new(Ring::new(Bounds { items_max, bytes_max }))
    }

    fn fill(ring: &Ring<u64>, count: u64) {
        (0..count).for_each(|_| ring.push(10, |number| number));
    }

    /// Everything that a reader finds at once.
    fn read(reader: &mut Reader<u64>) -> Vec<Read<u64>> {
        std::iter::from_fn(|| reader.take().ok()).collect()
    }

    fn item(number: u64) -> Read<u64> {
        Read::Item(number, Arc::new(number))
    }

    fn all(_: &u64) -> bool {
        true
    }

    #[test]
    fn who_reads_too_slowly_loses_the_oldest_and_is_told_how_many() {
        let ring = ring(3, 1_000);
        let mut reader = Reader::new(&ring, (None, None), all);
        fill(&ring, 2);
        assert_eq!(read(&mut reader), [item(1), item(2)]);
        fill(&ring, 5);
        assert_eq!(read(&mut reader), [Read::Lost(2), item(5), item(6), item(7)]);
    }

    #[test]
    fn what_is_kept_has_so_many_bytes_at_most_and_the_latest_always() {
        let ring = ring(100, 25);
        fill(&ring, 5);
        assert_eq!(ring.all().iter().map(|it| **it).collect::<Vec<_>>(), [4, 5]);
        ring.push(1_000, |number| number);
        assert_eq!(ring.all().iter().map(|it| **it).collect::<Vec<_>>(), [6]);
    }

    #[test]
    fn a_reader_goes_on_where_it_was_unless_that_was_another_run() {
        let ring = ring(3, 1_000);
        fill(&ring, 5);
        let from = |last: &str| read(&mut Reader::new(&ring, (Some(last), None), all));
        assert_eq!(from(&ring.id(4)), [item(5)]);
        assert_eq!(from(&ring.id(5)), []);
        assert_eq!(from(&ring.id(1)), [Read::Lost(1), item(3), item(4), item(5)]);
        let whole = [item(3), item(4), item(5)];
        for unknown in ["", "7", "1-4", "x-y", &ring.id(9), &ring.id(u64::MAX)] {
            assert_eq!(from(unknown), whole, "{unknown}");
        }
        let last = |tail, is_meant: fn(&u64) -> bool| {
            read(&mut Reader::new(&ring, (None, Some(tail)), is_meant))
        };
        assert_eq!(last(0, all), []);
        assert_eq!(last(9, all), whole);
        assert_eq!(last(1, |it| *it < 5), [item(4), item(5)], "who reads leaves out what is not");
        assert_eq!(last(1, |_| false), []);
    }

    #[test]
    fn a_reader_waits_for_what_comes_and_ends_with_the_ring() {
        let ring = ring(3, 1_000);
        let mut reader = Reader::new(&ring, (None, None), all);
        {
            let mut waits = Box::pin(reader.next());
            assert!(waits.as_mut().now_or_never().is_none());
            fill(&ring, 1);
            assert_eq!(waits.as_mut().now_or_never(), Some(Some(item(1))));
        }
        ring.close();
        fill(&ring, 1);
        assert_eq!(reader.next().now_or_never(), Some(None));
        assert_eq!(ring.all().len(), 1);
    }
}
