//! Connections: accepted, bounded, and let go.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use trellis_limits::fixed::{ADMIN_CLIENT, ADMIN_CONNECTIONS};

use super::access::Access;
use super::api::Admin;
use super::paced::{CLIENT_TIME_MAX, Paced};
use super::router::answer;
use super::socket::{AdminSocket, SocketFile};
use super::working::{Turns, Working};

/// Longest wait for a request's head.
const HEADER_READ_MAX: Duration = Duration::from_secs(5);
/// Longest head of a request, in bytes.
const HEADER_BYTES_MAX: usize = 16 << 10;
/// How long whoever came in keeps its place in any case: time to send a request.
const SENDING_TIME_MIN: Duration = Duration::from_millis(250);
/// Pause after a failed accept (out of file descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where connections come in.
enum Door {
    /// The admin address.
    Address(TcpListener),
    /// The admin socket.
    Socket(UnixListener),
}

/// A connection that came in.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection that is served.
struct Open {
    since: Instant,
    serving: AbortHandle,
    working: watch::Receiver<Turns>,
}

impl Door {
    async fn next(&self) -> io::Result<(Box<dyn Stream>, Access)> {
        match self {
            Self::Address(listener) => {
                let (stream, from) = listener.accept().await?;
                // One whose machine is gone would be waited for until the kernel gives it up, a
                // quarter of an hour later. Only that is lost where it cannot be set.
                let most = u32::try_from(ADMIN_CLIENT.default).unwrap_or(u32::MAX);
                let _ = set_tcp_user_timeout(&stream, most);
                Ok((Box::new(stream), Access::Anybody(from)))
            }
            Self::Socket(listener) => {
                let (stream, _) = listener.accept().await?;
                let own = rustix::process::geteuid().as_raw();
                let access = Access::of_peer(stream.peer_cred()?.uid(), own);
                Ok((Box::new(stream), access))
            }
        }
    }
}

impl Admin {
    /// Serves probes and metrics on `address`, and all else to users with a token, for as long as
    /// the process lives; gives the address really bound.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub(crate) async fn serve(self, address: SocketAddr) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        self.0.identity.is_probed_at(bound);
        tokio::spawn(accept(Door::Address(listener), self));
        Ok(bound)
    }

    /// Serves everything on a socket for as long as the process lives. Others find it until the
    /// file that this gives is dropped.
    pub(crate) fn serve_on(self, socket: AdminSocket) -> SocketFile {
        let AdminSocket { listener, file } = socket;
        self.0.identity.is_reached_at(file.path().to_owned());
        tokio::spawn(accept(Door::Socket(listener), self));
        file
    }
}

/// Serves whoever comes in, for as long as the process lives.
async fn accept(door: Door, admin: Admin) {
    let most = usize::try_from(ADMIN_CONNECTIONS.default).unwrap_or(usize::MAX);
    let mut open: VecDeque<Open> = VecDeque::new();
    loop {
        let (stream, access) = match door.next().await {
            Ok(next) => next,
            Err(error) => {
                tracing::warn!(%error, "the admin API cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        make_room(&mut open, most).await;
        let (working, works) = Working::new();
        let serving = tokio::spawn(serve(stream, admin.clone(), (access, working), works.clone()));
        let (since, serving) = (Instant::now(), serving.abort_handle());
        open.push_back(Open { since, serving, working: works });
    }
}

/// Sees to it that there is room for one more. The oldest connection that waits for its client is
/// let go: that one is silent or does not read, and waiting for its place would keep out probes.
/// There always is one, since fewer requests are carried out at once than there may be connections.
async fn make_room(open: &mut VecDeque<Open>, most: usize) {
    loop {
        open.retain(|known| !known.serving.is_finished());
        let idle = open.iter().position(|known| !known.working.borrow().is_host());
        let Some(oldest) = idle.filter(|_| open.len() >= most) else { return };
        let may_send_until = open[oldest].since + SENDING_TIME_MIN;
        if may_send_until > Instant::now() {
            tokio::time::sleep_until(may_send_until).await;
        } else if let Some(oldest) = open.remove(oldest) {
            oldest.serving.abort();
        }
    }
}

/// Serves one request. A broken or a slow connection concerns only its client.
async fn serve(
    stream: Box<dyn Stream>,
    admin: Admin,
    (access, working): (Access, Working),
    works: watch::Receiver<Turns>,
) {
    let (admin, working) = (&admin, &working);
    let stream = Paced::new(stream, admin.0.metrics.clone());
    let service = service_fn(move |request| async move {
        Ok::<_, Infallible>(answer(admin, request, access, working).await)
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_MAX)
        .max_buf_size(HEADER_BYTES_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // An error is the client's.
        _ = serving => {}
        () = overdue(works) => admin.0.metrics.client_late(),
    }
}

/// Waits until a client has taken too long; the time in which the host works is not its own.
async fn overdue(mut works: watch::Receiver<Turns>) {
    // The sender lives as long as the connection: whoever asks here.
    let mut seen = 0;
    loop {
        // A turn of the host may be over before anybody looks.
        let begins = works.wait_for(|turns| turns.begun != seen);
        match tokio::time::timeout(CLIENT_TIME_MAX, begins).await {
            Ok(Ok(turns)) => seen = turns.begun,
            Ok(Err(_)) | Err(_) => return,
        }
        if works.wait_for(|turns| !turns.is_host()).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_the_time_of_the_client_counts() {
        let (working, works) = Working::new();
        let since = Instant::now();
        let waiting = tokio::spawn(overdue(works));
        tokio::time::sleep(CLIENT_TIME_MAX / 2).await;
        let turn = working.begin();
        tokio::time::sleep(CLIENT_TIME_MAX * 30).await;
        assert!(!waiting.is_finished(), "the host works");
        drop(turn);
        waiting.await.expect("it ends");
        assert_eq!(since.elapsed(), CLIENT_TIME_MAX / 2 + CLIENT_TIME_MAX * 31);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_piece_after_piece_is_not_let_go() {
        let (working, works) = Working::new();
        let waiting = tokio::spawn(overdue(works));
        for _ in 0..5 {
            tokio::time::sleep(CLIENT_TIME_MAX * 4 / 5).await;
            // The next piece is there already, and its client takes its time again.
            drop(working.begin());
        }
        assert!(!waiting.is_finished());
        waiting.await.expect("it ends, once it takes nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_worked_for_or_has_just_come_keeps_its_place() {
        let (working, works) = Working::new();
        let _turn = working.begin();
        let (_idle, silent) = Working::new();
        let task = || tokio::spawn(std::future::pending::<()>());
        let (busy, idle) = (task(), task());
        let since = Instant::now();
        let mut open = VecDeque::from([
            Open { since, serving: busy.abort_handle(), working: works },
            Open { since, serving: idle.abort_handle(), working: silent },
        ]);
        make_room(&mut open, 3).await;
        assert_eq!(open.len(), 2, "there is room");
        make_room(&mut open, 2).await;
        assert_eq!(since.elapsed(), SENDING_TIME_MIN);
        assert!(idle.await.is_err_and(|error| error.is_cancelled()));
        assert_eq!((open.len(), busy.is_finished()), (1, false));
    }
}
