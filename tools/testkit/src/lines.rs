//! The output of a process, line by line, as it is written.

use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::wait::PATIENCE;

/// The lines of one stream so far. Cheap to clone; clones share the lines.
#[derive(Clone, Default)]
pub struct Lines(Arc<(Mutex<Written>, Condvar)>);

#[derive(Default)]
struct Written {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    /// Reads the stream to its end on its own thread.
    #[must_use]
    pub fn read(stream: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let (writer, mut reader) = (lines.clone(), BufReader::new(stream));
        thread::spawn(move || {
            let mut bytes = Vec::new();
            // An error ends the stream too: the process is gone.
            while reader.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
                let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
                bytes.clear();
                writer.change(|written| written.lines.push(line));
            }
            writer.change(|written| written.ended = true);
        });
        lines
    }

    /// How many lines there are so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.0.lock().lines.len()
    }

    /// All lines so far as one text.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.0.lock().lines.join("\n")
    }

    /// How many lines so far contain `fragment`.
    #[must_use]
    pub fn count_of(&self, fragment: &str) -> usize {
        self.0.0.lock().lines.iter().filter(|line| line.contains(fragment)).count()
    }

    /// Waits for a line, from number `from` on, for which `wanted` returns a value; `None` when the
    /// stream or [`PATIENCE`] ends first.
    pub fn wait_for<T>(&self, from: usize, mut wanted: impl FnMut(&str) -> Option<T>) -> Option<T> {
        let (written, changed) = &*self.0;
        let until = Instant::now() + PATIENCE;
        let mut written = written.lock();
        let mut seen = from;
        loop {
            let fresh = written.lines.iter().skip(seen);
            if let Some(found) = { fresh }.find_map(|line| wanted(line)) {
                return Some(found);
            }
            seen = seen.max(written.lines.len());
            if written.ended || changed.wait_until(&mut written, until).timed_out() {
                return None;
            }
        }
    }

    /// Waits until the stream has ended.
    pub(crate) fn wait_for_end(&self) {
        let _ = self.wait_for(usize::MAX, |_| None::<()>);
    }

    fn change(&self, change: impl FnOnce(&mut Written)) {
        let (written, changed) = &*self.0;
        change(&mut written.lock());
        changed.notify_all();
    }
}
