//! Lines on their way to a stream that may have no reader. Queuing a line never waits for one.

use std::io::Write;
use std::sync::Arc;
use std::thread::Builder;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use prometheus_client::metrics::counter::Counter;
use trellis_providers_sdk::LineWriter;

/// Bytes that wait for the reader of a stream; a line more is dropped.
const WAITING_BYTES_MAX: usize = 1 << 20;

/// Lines for one stream, which a thread of its own writes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct LineQueue(Arc<Shared>);

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    /// All lines that were lost.
    lost: Counter,
}

/// Lines that were lost since that was told last.
#[derive(Default, Debug)]
pub(crate) struct Loss {
    pub(crate) lines: u64,
    /// Why the last of them could not be written; without it, they came while the queue was full.
    pub(crate) error: Option<std::io::Error>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<u8>,
    /// Some bytes were taken and are not written yet.
    writing: bool,
    /// Lines that were dropped and not told of.
    dropped: u64,
    /// Nobody writes.
    closed: bool,
}

impl LineQueue {
    /// Lines for `stream`. After some were `lost` and the stream takes lines again, `flows` is told
    /// of them.
    pub(crate) fn start(
        name: &str,
        stream: impl Write + Send + 'static,
        lost: Counter,
        flows: impl Fn(Loss) + Send + 'static,
    ) -> Self {
        let (queue, changed) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { queue, changed, lost });
        let writer = Arc::clone(&shared);
        let started =
            Builder::new().name(name.to_owned()).spawn(move || writer.write(stream, flows));
        // Without the thread nobody takes a line, and each is refused.
        shared.queue.lock().closed = started.is_err();
        Self(shared)
    }

    /// Queues a line, including its line break, to be written. False when it was dropped.
    pub(crate) fn say(&self, line: &[u8]) -> bool {
        let mut queue = self.0.queue.lock();
        let fits = queue.waiting.len() + line.len() <= WAITING_BYTES_MAX;
        // A line that alone is over the limit is taken when no other waits.
        if queue.closed || !(fits || queue.waiting.is_empty()) {
            queue.dropped += 1;
            self.0.lost.inc();
            return false;
        }
        queue.waiting.extend_from_slice(line);
        drop(queue);
        self.0.changed.notify_all();
        true
    }

    /// Waits until everything is written, or `limit` has passed. Blocks.
    pub(crate) fn finish(&self, limit: Duration) {
        let until = Instant::now() + limit;
        let mut queue = self.0.queue.lock();
        while (queue.writing || !queue.waiting.is_empty()) && !queue.closed {
            if self.0.changed.wait_until(&mut queue, until).timed_out() {
                return;
            }
        }
    }
}

impl Shared {
    fn write(&self, stream: impl Write, flows: impl Fn(Loss)) {
        let mut stream = LineWriter::new(stream);
        let (mut bytes, mut loss) = (Vec::new(), Loss::default());
        loop {
            loss.lines += self.next(&mut bytes);
            match stream.write(&bytes) {
                Ok(()) if loss.lines > 0 => flows(std::mem::take(&mut loss)),
                Ok(()) => {}
                // Nobody listening is no failure of the host's, which runs on.
                Err(failed) => {
                    self.lost.inc_by(failed.lines);
                    loss.lines += failed.lines;
                    loss.error = Some(failed.error);
                }
            }
        }
    }

    /// Waits for bytes to write; gives the number of lines that were dropped before them.
    fn next(&self, bytes: &mut Vec<u8>) -> u64 {
        bytes.clear();
        let mut queue = self.queue.lock();
        queue.writing = false;
        self.changed.notify_all();
        while queue.waiting.is_empty() {
            self.changed.wait(&mut queue);
        }
        queue.writing = true;
        std::mem::swap(&mut queue.waiting, bytes);
        std::mem::take(&mut queue.dropped)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    /// A pipe that is full until its gate is opened.
    pub(crate) struct Pipe {
        gate: Receiver<()>,
        content: Arc<Mutex<Vec<u8>>>,
    }

    /// What came through a pipe.
    #[derive(Clone, Default)]
    pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

    impl Pipe {
        /// With what opens it when it is dropped.
        pub(crate) fn full() -> (Self, Written, SyncSender<()>) {
            let (open, gate) = sync_channel(0);
            let written = Written::default();
            (Self { gate, content: Arc::clone(&written.0) }, written, open)
        }
    }

    impl Written {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().clone()).expect("text")
        }
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            // An error means that the gate is open for good.
            let _ = self.gate.recv();
            self.content.lock().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    const LINE: &[u8] = b"a line of twenty b.\n";
    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn a_full_pipe_costs_lines_which_are_counted_and_told_once_it_flows() {
        let (pipe, written, open) = Pipe::full();
        let (tell, told) = sync_channel(1);
        let lost = Counter::default();
        let queue = LineQueue::start("test", pipe, lost.clone(), move |loss| {
            assert!(loss.error.is_none(), "{loss:?}");
            tell.send(loss.lines).expect("the test waits for it");
        });
        let said = |count: usize| (0..count).filter(|_| queue.say(LINE)).count();
        // The first is being written: what is dropped from now on is told with the next.
        assert_eq!(said(1), 1);
        let until = Instant::now() + PATIENCE;
        while !queue.0.queue.lock().waiting.is_empty() {
            assert!(Instant::now() < until, "nobody writes");
            std::thread::yield_now();
        }
        let lines_max = WAITING_BYTES_MAX / LINE.len();
        let kept = said(3 * lines_max);
        assert_eq!(kept, lines_max);
        assert_eq!(written.text(), "");
        queue.finish(Duration::ZERO);

        drop(open);
        assert_eq!(told.recv_timeout(PATIENCE), Ok((3 * lines_max - kept) as u64));
        assert_eq!(lost.get(), (3 * lines_max - kept) as u64);
        assert_eq!(said(1), 1, "there is room again");
        queue.finish(PATIENCE);
        assert_eq!(written.text().lines().count(), kept + 2, "what was kept is whole");
        assert!(told.try_recv().is_err(), "it is told once");
    }

    #[test]
    fn a_line_that_is_longer_than_all_that_may_wait_is_written() {
        let (pipe, written, open) = Pipe::full();
        drop(open);
        let flows = |_| panic!("nothing is dropped");
        let queue = LineQueue::start("test", pipe, Counter::default(), flows);
        assert!(queue.say(&vec![b'x'; WAITING_BYTES_MAX + 1]));
        queue.finish(PATIENCE);
        assert_eq!(written.text().len(), WAITING_BYTES_MAX + 1);
    }

    /// A disk that is full for the first writes.
    struct Disk(Pipe, u32);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if let Some(left) = self.1.checked_sub(1) {
                self.1 = left;
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            self.0.write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_a_full_disk_refused_are_counted_and_told_once_it_takes_others() {
        let (pipe, written, open) = Pipe::full();
        drop(open);
        let (tell, told) = sync_channel(2);
        let lost = Counter::default();
        let queue = LineQueue::start("test", Disk(pipe, 2), lost.clone(), move |loss| {
            tell.send((loss.lines, loss.error)).expect("the test waits for it");
        });
        for _ in 0..2 {
            assert!(queue.say(LINE));
            queue.finish(PATIENCE);
        }
        assert_eq!((lost.get(), written.text()), (2, String::new()));
        assert!(told.try_recv().is_err(), "it could not be said");
        assert!(queue.say(LINE));
        let (lines, error) = told.recv_timeout(PATIENCE).expect("it is told");
        let error = error.expect("why").kind();
        assert_eq!((lines, error), (2, std::io::ErrorKind::StorageFull));
        queue.finish(PATIENCE);
        assert_eq!(written.text().as_bytes(), LINE);
        assert!(told.try_recv().is_err(), "it is told once");
    }
}
