//! What goes out: written at once where the stream takes it, in order, and never half.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::Notify;
use trellis_core::{CallError, Code};

use super::protocol::UNREAD_BYTES_MAX;

/// The way out of one connection. Cheap to clone.
#[derive(Clone)]
pub struct Outbox(Arc<Shared>);

struct Shared {
    stream: OwnedWriteHalf,
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Default)]
struct Queue {
    /// Frames that wait, the first perhaps written in part.
    frames: VecDeque<Vec<u8>>,
    /// Of the first.
    written: usize,
    bytes: usize,
    /// All that the stream took so far.
    taken: u64,
    closed: bool,
    /// Nothing is added any more.
    finishing: bool,
}

impl Outbox {
    /// The way out over this stream. [`drain`](Self::drain) has to run beside it.
    #[must_use]
    pub fn new(stream: OwnedWriteHalf) -> Self {
        let (queue, changed) = (Mutex::default(), Notify::new());
        Self(Arc::new(Shared { stream, queue, changed }))
    }

    /// Sends a frame. Does not wait: what the other side does not read at once is kept, up to
    /// [`UNREAD_BYTES_MAX`]. A caller that goes away in between leaves no half of a frame behind.
    ///
    /// # Errors
    /// [`Code::Busy`] when that much waits already; [`Code::Provider`] when the connection is gone.
    pub fn send(&self, frame: Vec<u8>) -> Result<(), CallError> {
        let mut queue = self.queue();
        if queue.closed || queue.finishing {
            return Err(gone());
        }
        if queue.frames.is_empty() {
            match self.0.stream.try_write(&frame) {
                Ok(written) => {
                    queue.taken += written as u64;
                    if written == frame.len() {
                        return Ok(());
                    }
                    queue.written = written;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => queue.written = 0,
                Err(_) => {
                    queue.close();
                    return Err(gone());
                }
            }
        } else if queue.bytes + frame.len() > UNREAD_BYTES_MAX {
            let message = format!("{} bytes are waiting to be read already", queue.bytes);
            return Err(CallError::new(Code::Busy, message));
        }
        queue.bytes += frame.len();
        queue.frames.push_back(frame);
        drop(queue);
        self.0.changed.notify_one();
        Ok(())
    }

    /// Writes what waits, until the connection is closed.
    ///
    /// # Errors
    /// Those of the stream.
    pub async fn drain(&self) -> io::Result<()> {
        loop {
            if !self.write_some()? {
                return Ok(());
            }
            if self.queue().frames.is_empty() {
                self.0.changed.notified().await;
            } else {
                self.0.stream.writable().await?;
            }
        }
    }

    /// How many bytes the stream took so far: when they become more, the other side reads.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.queue().taken
    }

    /// Nothing is added any more; [`drain`](Self::drain) ends when all is written.
    pub fn finish(&self) {
        self.queue().finishing = true;
        self.0.changed.notify_one();
    }

    /// Nothing goes out any more.
    pub fn close(&self) {
        self.queue().close();
        self.0.changed.notify_one();
    }

    /// Writes what the stream takes; false when nothing is left to be written, and never will be.
    fn write_some(&self) -> io::Result<bool> {
        let mut queue = self.queue();
        while let Some(frame) = queue.frames.front() {
            let rest = &frame[queue.written..];
            match self.0.stream.try_write(rest) {
                Ok(written) => {
                    let is_whole = written == rest.len();
                    queue.taken += written as u64;
                    queue.written += written;
                    if is_whole {
                        queue.pop();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    queue.close();
                    return Err(error);
                }
            }
        }
        let done = queue.finishing && queue.frames.is_empty();
        Ok(!queue.closed && !done)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn pop(&mut self) {
        let frame = self.frames.pop_front().unwrap_or_default();
        self.bytes -= frame.len();
        self.written = 0;
    }

    fn close(&mut self) {
        self.closed = true;
        self.frames.clear();
        (self.bytes, self.written) = (0, 0);
    }
}

fn gone() -> CallError {
    CallError::new(Code::Provider, "the connection to the other process is gone")
}
