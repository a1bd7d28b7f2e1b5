//! One connection: hyper on a watched socket, and a polite end.

use std::net::SocketAddr;
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

use crate::access::Entry;
use crate::config::limits::{AccessForm, PortLimits};
use crate::error_response::ErrorResponse;
use crate::port::WorkerPort;
use crate::service;
use crate::stream::Stream;
use crate::timer::{ConnectionTimer, Drain, Expiry};

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

/// Serves a connection to its end, or until it goes to another port.
pub(crate) async fn run(
    worker_port: Rc<WorkerPort>,
    timer: Rc<ConnectionTimer>,
    peer: SocketAddr,
    mut tcp: TcpStream,
) {
    let _ = tcp.set_nodelay(true);
    let http = builder(&worker_port.seen().limits);
    loop {
        let (end, stream) = serve(&worker_port, &timer, peer, &http, tcp).await;
        let refused;
        (tcp, refused) = stream.into_parts();
        let drain = timer.draining().filter(|_| matches!(end, End::Cut(Expiry::Idle)));
        tcp = match drain {
            Some(Drain::HandOver) => match hand_over(&worker_port, tcp) {
                Ok(()) => return,
                Err(tcp) => tcp,
            },
            _ => tcp,
        };
        // While a port is being closed a request may have arrived that nobody has read yet.
        if drain.is_none() || !has_data(&tcp) {
            return finish(&worker_port, peer, tcp, end, refused).await;
        }
        timer.forgive();
    }
}

/// Lets hyper serve, until it is done or the timer says that time is up.
async fn serve(
    worker_port: &Rc<WorkerPort>,
    timer: &Rc<ConnectionTimer>,
    peer: SocketAddr,
    http: &http1::Builder,
    tcp: TcpStream,
) -> (End, Stream) {
    let service = service_fn(|request| {
        service::serve(Rc::clone(worker_port), Rc::clone(timer), peer, request)
    });
    let io = TokioIo::new(Stream::new(tcp, Rc::clone(timer)));
    let mut connection = http.serve_connection(io, service);
    let end = std::future::poll_fn(|cx| {
        timer.register(cx.waker());
        // Served first, cut second: a request that has arrived is never idle.
        match Pin::new(&mut connection).poll(cx) {
            Poll::Ready(done) => Poll::Ready(End::Done(done)),
            Poll::Pending => timer.cut().map_or(Poll::Pending, |why| Poll::Ready(End::Cut(why))),
        }
    })
    .await;
    (end, connection.into_parts().io.into_inner())
}

/// Gives a connection between two requests to the port that comes after; gives it back when there
/// is none, or it takes no more.
fn hand_over(worker_port: &WorkerPort, tcp: TcpStream) -> Result<(), TcpStream> {
    let Some(heir) = worker_port.port.heir() else { return Err(tcp) };
    let Ok(tcp) = tcp.into_std() else { return Ok(()) };
    heir.adopt(worker_port.worker, tcp).or_else(|tcp| TcpStream::from_std(tcp).map_or(Ok(()), Err))
}

fn builder(limits: &PortLimits) -> http1::Builder {
    let mut http = http1::Builder::new();
    // `ConnectionTimer` limits the time of headers, as of everything else.
    http.header_read_timeout(None);
    http.max_header_size(limits.header_bytes_max);
    http.max_buf_size(BUFFER_BYTES.max(limits.header_bytes_max));
    if limits.header_count_max != HEADER_COUNT_OF_HYPER {
        http.max_headers(limits.header_count_max);
    }
    http
}

async fn finish(
    worker_port: &WorkerPort,
    peer: SocketAddr,
    tcp: TcpStream,
    end: End,
    refused: Option<StatusCode>,
) {
    let error_response = match end {
        End::Done(Err(error)) if error.is_parse() || refused.is_some() => {
            ErrorResponse::unreadable(refused)
        }
        End::Cut(Expiry::Head) => ErrorResponse::header_too_slow(),
        // Answered to the end, perhaps before the client had sent all of its body.
        End::Done(Ok(())) => return linger(tcp).await,
        // The client is gone.
        End::Done(Err(_)) => return,
        End::Cut(Expiry::Sending) => return worker_port.metrics.rejected("http_transfer_rate_min"),
        End::Cut(Expiry::Idle | Expiry::Body | Expiry::Actor) => return,
    };
    note(worker_port, peer, &error_response);
    refuse(tcp, error_response).await;
}

/// Counts and tells of an answer that belongs to no request.
pub(crate) fn note(worker_port: &WorkerPort, peer: SocketAddr, error_response: &ErrorResponse) {
    if let Some(limit) = error_response.limit {
        worker_port.metrics.rejected(limit);
    }
    worker_port.metrics.nobody().count(worker_port.worker, error_response.status());
    let form = worker_port.seen().limits.access_log;
    if form == AccessForm::Off {
        return;
    }
    let entry = Entry {
        peer,
        head: None,
        with_query: false,
        status: error_response.status().as_u16(),
        bytes: error_response.body_bytes(),
        duration: Duration::ZERO,
        actor: None,
        code: Some(error_response.code()),
        trace: None,
    };
    worker_port.port.common.access_log.write(form, &entry);
}

/// Answers a connection without a request that could be read, and closes it.
pub(crate) async fn refuse(mut tcp: TcpStream, error_response: ErrorResponse) {
    let answer = error_response.into_bytes();
    let sent = async {
        tcp.write_all(&answer).await?;
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
pub(crate) fn has_data(tcp: &TcpStream) -> bool {
    let mut byte = [std::mem::MaybeUninit::uninit()];
    matches!(socket2::SockRef::from(tcp).peek(&mut byte), Ok(1..))
}
