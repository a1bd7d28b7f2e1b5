//! The host's side of WASI: where a guest's output goes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::context::ActorContext;
use crate::log::LogSource;

/// Most bytes taken from the guest in one write.
const WRITE_BYTES_MAX: usize = 64 << 10;

/// Standard output or error: whole lines go to the log.
#[derive(Clone)]
pub(super) struct Output {
    actor: Arc<ActorContext>,
    source: LogSource,
    /// The line that is not finished yet, shared by every handle the guest has.
    line: Arc<Mutex<Vec<u8>>>,
}

impl Output {
    pub(super) fn new(actor: Arc<ActorContext>, source: LogSource) -> Self {
        Self { actor, source, line: Arc::default() }
    }

    fn push(&self, bytes: &[u8]) {
        let mut line = self.line.lock();
        let max = self.actor.log.line_bytes_max();
        let mut flood = None;
        for part in bytes.split_inclusive(|b| *b == b'\n') {
            // One byte more than the limit is kept, so that the log sees and counts the cut.
            let room = (max + 1).saturating_sub(line.len());
            line.extend_from_slice(&part[..part.len().min(room)]);
            if !part.ends_with(b"\n") {
                continue;
            }
            // After the first line that is one too many the rest is only counted: one write may
            // be a guest's whole memory, all of it empty lines.
            match &mut flood {
                Some(dropped) => *dropped += 1,
                None if self.actor.log.write(self.source, &line) => {}
                None => flood = Some(0),
            }
            line.clear();
        }
        if let Some(dropped @ 1..) = flood {
            self.actor.log.drop_lines(dropped);
        }
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

impl AsyncWrite for Output {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
