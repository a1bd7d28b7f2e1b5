//! A socket that tells its [`ConnectionTimer`] what passes through it, and keeps two things from
//! hyper: the end of a client that still waits for its answer, and hyper's own bare answers to what
//! it cannot parse, which are written by the connection instead.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::timer::ConnectionTimer;

/// Where a status line has its code: `HTTP/1.1 400 Bad Request`.
const STATUS_CODE: std::ops::Range<usize> = 9..12;

/// One accepted connection.
#[derive(Debug)]
pub(crate) struct Stream {
    tcp: TcpStream,
    timer: Rc<ConnectionTimer>,
    /// The status hyper wanted to refuse with.
    refused: Option<StatusCode>,
}

impl Stream {
    pub(crate) fn new(tcp: TcpStream, timer: Rc<ConnectionTimer>) -> Self {
        Self { tcp, timer, refused: None }
    }

    /// The bare socket, and the status with which hyper refused what it could not parse.
    pub(crate) fn into_parts(self) -> (TcpStream, Option<StatusCode>) {
        (self.tcp, self.refused)
    }

    /// Swallows hyper's own refusal; `None` for everything else.
    fn swallow(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.refused.is_none() {
            if !self.timer.writes_unasked() {
                return None;
            }
            let status = bytes.get(STATUS_CODE).and_then(|code| StatusCode::from_bytes(code).ok());
            self.refused = Some(status.unwrap_or(StatusCode::BAD_REQUEST));
        }
        Some(bytes.len())
    }

    fn note_sent(&self, sent: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &sent {
            Poll::Pending => self.timer.send_blocked(),
            Poll::Ready(Ok(bytes)) => self.timer.sent(*bytes),
            Poll::Ready(Err(_)) => {}
        }
        sent
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.tcp).poll_read(cx, buf))?;
        if buf.filled().len() == before && self.timer.ends() {
            // The timer wakes the connection once the answer has left.
            return Poll::Pending;
        }
        self.timer.received(&buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(swallowed) = self.swallow(bytes) {
            return Poll::Ready(Ok(swallowed));
        }
        let sent = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        self.note_sent(sent)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = slices.iter().find(|slice| !slice.is_empty());
        if let Some(swallowed) = first.and_then(|slice| self.swallow(slice)) {
            return Poll::Ready(Ok(swallowed));
        }
        let sent = Pin::new(&mut self.tcp).poll_write_vectored(cx, slices);
        self.note_sent(sent)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes the socket only once its own buffer is empty.
        self.timer.all_sent();
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.refused.is_some() {
            // The refusal is still to be written.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
