//! A connection whose client has to take what is written to it.
//!
//! What the host has to send may be less than fits on the way, for a long time. So it is not enough
//! that a client has its turn: one that takes none of what waits is let go, whoever's turn it is.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};
use trellis_limits::fixed::ADMIN_CLIENT;

use crate::metrics::Metrics;

/// How long a client is waited for.
pub(super) const CLIENT_TIME_MAX: Duration = Duration::from_millis(ADMIN_CLIENT.default);

/// A connection that breaks when nothing of what is written is taken for that long.
pub(super) struct Paced<S> {
    stream: S,
    /// Until when something has to be taken, while something waits.
    until: Option<Pin<Box<Sleep>>>,
    metrics: Metrics,
}

impl<S> Paced<S> {
    pub(super) const fn new(stream: S, metrics: Metrics) -> Self {
        Self { stream, until: None, metrics }
    }

    /// What came of a try to write.
    fn written(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.until = None;
            return written;
        }
        let until = self.until.get_or_insert_with(|| Box::pin(sleep(CLIENT_TIME_MAX)));
        ready!(until.as_mut().poll(context));
        self.metrics.client_late();
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_let_go_and_who_takes_a_little_is_not() {
        let (mut client, host) = duplex(4);
        let mut host = Paced::new(host, Metrics::default());
        let since = Instant::now();
        let writing = tokio::spawn(async move { (host.write_all(&[7; 12]).await, host) });
        let mut piece = [0; 4];
        for _ in 0..2 {
            tokio::time::sleep(CLIENT_TIME_MAX * 4 / 5).await;
            assert!(!writing.is_finished(), "a piece after some time");
            client.read_exact(&mut piece).await.expect("it is there");
        }
        let (written, mut host) = writing.await.expect("it does not panic");
        written.expect("all is on the way");
        // Nothing waits meanwhile: nobody is late.
        tokio::time::sleep(CLIENT_TIME_MAX * 3).await;
        let begun = Instant::now();
        let late = host.write_all(&[7; 12]).await.expect_err("nobody takes it");
        assert_eq!(late.kind(), io::ErrorKind::TimedOut, "{}", ADMIN_CLIENT.name);
        assert_eq!(begun.elapsed(), CLIENT_TIME_MAX, "after {:?}", since.elapsed());
        assert_eq!(host.metrics.clients_late(), 1);
    }
}
