//! What comes from a process, counted: whoever waits for its answer sees that it is alive.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::unix::OwnedReadHalf;

/// The way in of a connection.
pub(super) struct Counted {
    stream: OwnedReadHalf,
    bytes: Arc<AtomicU64>,
}

impl Counted {
    pub(super) fn new(stream: OwnedReadHalf) -> Self {
        Self { stream, bytes: Arc::default() }
    }

    /// How many bytes came so far, as they come.
    pub(super) fn bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.bytes)
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        // Relaxed: it is only compared with itself a second ago.
        self.bytes.fetch_add((buffer.filled().len() - before) as u64, Ordering::Relaxed);
        polled
    }
}
