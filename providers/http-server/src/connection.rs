//! One connection: hyper on a watched socket, and a polite end.

use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use http::StatusCode;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::config::PortLimits;
use crate::listener::Shard;
use crate::refusal::HEADER_TOO_SLOW;
use crate::service;
use crate::stream::Stream;
use crate::watch::{Expiry, Watch};

/// hyper's own default for the count of header fields, which it can hold without allocating.
const HEADER_COUNT_OF_HYPER: usize = 100;
/// Most bytes hyper buffers in each direction.
const BUFFER_BYTES: usize = 64 << 10;
/// How long, and for how many bytes, a closed connection is read so that the client sees the last
/// answer instead of a reset (RFC 9112 section 9.6).
const LINGER_TIME: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1 << 20;

/// How hyper's work on a connection ended.
enum End {
    Done(hyper::Result<()>),
    Cut(Expiry),
}

/// Serves a connection to its end.
pub(crate) async fn run(shard: Rc<Shard>, watch: Rc<Watch>, mut tcp: TcpStream) {
    let _ = tcp.set_nodelay(true);
    let http = builder(&shard.table().limits);
    loop {
        let service =
            service_fn(|request| service::serve(Rc::clone(&shard), Rc::clone(&watch), request));
        let io = TokioIo::new(Stream::new(tcp, Rc::clone(&watch)));
        let mut connection = http.serve_connection(io, service);
        let end = std::future::poll_fn(|cx| {
            watch.register(cx.waker());
            // Served first, cut second: a request that has arrived is never idle.
            match Pin::new(&mut connection).poll(cx) {
                Poll::Ready(done) => Poll::Ready(End::Done(done)),
                Poll::Pending => {
                    watch.cut().map_or(Poll::Pending, |why| Poll::Ready(End::Cut(why)))
                }
            }
        })
        .await;
        tcp = connection.into_parts().io.into_inner().into_tcp();
        // While a port is being closed a request may have arrived that nobody has read yet.
        let spare = matches!(end, End::Cut(Expiry::Idle)) && watch.is_draining() && has_data(&tcp);
        if !spare {
            return finish(&shard, tcp, end).await;
        }
        watch.forgive();
    }
}

fn builder(limits: &PortLimits) -> http1::Builder {
    let mut http = http1::Builder::new();
    // The watch keeps the time of headers and of everything else, without a timer per request.
    http.header_read_timeout(None);
    http.max_header_size(limits.header_bytes_max);
    http.max_buf_size(BUFFER_BYTES.max(limits.header_bytes_max));
    if limits.header_count_max != HEADER_COUNT_OF_HYPER {
        http.max_headers(limits.header_count_max);
    }
    http
}

async fn finish(shard: &Shard, tcp: TcpStream, end: End) {
    let worker = shard.metrics.worker(shard.worker);
    match end {
        // hyper has answered 400, 414 or 431 and shut its side down.
        End::Done(Err(error)) if error.is_parse_too_large() => {
            shard.metrics.rejected("http_header_max");
            worker.counted(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
            linger(tcp).await;
        }
        End::Done(Err(error)) if error.is_parse() => {
            shard.metrics.rejected("http_malformed");
            worker.counted(StatusCode::BAD_REQUEST);
            linger(tcp).await;
        }
        // Answered to the end, perhaps before the client had sent all of its body.
        End::Done(Ok(())) => linger(tcp).await,
        // The client is gone.
        End::Done(Err(_)) => {}
        End::Cut(Expiry::Head) => {
            shard.metrics.rejected("http_header_time_max");
            worker.counted(StatusCode::REQUEST_TIMEOUT);
            refuse(tcp, HEADER_TOO_SLOW).await;
        }
        End::Cut(Expiry::Sending) => shard.metrics.rejected("http_transfer_rate_min"),
        End::Cut(Expiry::Idle | Expiry::Body | Expiry::Actor) => {}
    }
}

/// Sends a prepared answer and closes.
pub(crate) async fn refuse(mut tcp: TcpStream, answer: &'static [u8]) {
    let sent = async {
        tcp.write_all(answer).await?;
        tcp.shutdown().await
    };
    if let Ok(Ok(())) = tokio::time::timeout(LINGER_TIME, sent).await {
        linger(tcp).await;
    }
}

/// Reads on after the last answer, so that closing does not reset the connection under it.
async fn linger(mut tcp: TcpStream) {
    let discard = async {
        let mut buffer = [0; 4 << 10];
        let mut left = LINGER_BYTES;
        while let Ok(read @ 1..) = tcp.read(&mut buffer).await {
            let Some(rest) = left.checked_sub(read) else { return };
            left = rest;
        }
    };
    let _ = tokio::time::timeout(LINGER_TIME, discard).await;
}

/// Whether bytes wait in the socket, asked of the system itself.
fn has_data(tcp: &TcpStream) -> bool {
    let mut byte = [std::mem::MaybeUninit::uninit()];
    matches!(socket2::SockRef::from(tcp).peek(&mut byte), Ok(1..))
}
