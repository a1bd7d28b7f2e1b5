//! One worker's part of one port at work: accepts, watches over its connections, drains.

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener, TcpStream as StdStream};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::sync::watch::Receiver;
use tokio::task::JoinSet;

use crate::connection;
use crate::error_response::{CONNECTIONS_LIMIT, ErrorResponse};
use crate::port::{Counted, Part, Stage, WorkerPort};
use crate::timer::{ConnectionTimer, Drain, period};

/// Refusals a worker sends at once; further connections over the limit are closed without a word.
const REFUSALS_MAX: usize = 128;
/// How long to wait when the system has no file descriptor or memory for a connection.
const OUT_OF_RESOURCES_PAUSE: Duration = Duration::from_millis(50);

/// Serves one worker's part of a port until it is drained. The stage's receiver is dropped last, so
/// that [`crate::port::Port::closed`] means closed.
pub(crate) async fn listen(worker_port: Rc<WorkerPort>, listeners: Vec<StdListener>, part: Part) {
    let Part { mut stage, accepting, mut adopted, port: _port } = part;
    let mut open = Open { worker_port, tasks: JoinSet::new(), timers: Vec::new() };
    let deadline = match turn(&mut stage).await {
        Stage::Draining(deadline) => {
            drop(listeners);
            deadline
        }
        Stage::Reserved | Stage::Waiting | Stage::Serving => match Listeners::of(listeners) {
            Ok(listeners) => {
                open.serve(&listeners, &mut stage, &mut adopted).await;
                open.accept_rest(&listeners).await;
                deadline_of(&stage)
            }
            Err(error) => {
                tracing::error!(%error, "an HTTP worker cannot listen");
                deadline_of(&stage)
            }
        },
    };
    drop(accepting);
    // What was on its way here is drained with the rest; what comes later goes to the heir at once.
    adopted.close();
    while let Ok(tcp) = adopted.try_recv() {
        open.adopt(tcp);
    }
    open.drain(deadline).await;
}

/// Waits until the port may accept, or need no more.
async fn turn(stage: &mut Receiver<Stage>) -> Stage {
    match stage.wait_for(|stage| !matches!(stage, Stage::Reserved | Stage::Waiting)).await {
        Ok(stage) => *stage,
        // The provider itself is gone.
        Err(_) => Stage::Draining(Instant::now()),
    }
}

fn deadline_of(stage: &Receiver<Stage>) -> Instant {
    match *stage.borrow() {
        Stage::Draining(deadline) => deadline,
        // The provider itself is gone.
        Stage::Reserved | Stage::Waiting | Stage::Serving => Instant::now(),
    }
}

/// The connections one listener has open.
struct Open {
    worker_port: Rc<WorkerPort>,
    tasks: JoinSet<()>,
    timers: Vec<Rc<ConnectionTimer>>,
}

impl Open {
    /// Accepts until the stage changes.
    async fn serve(
        &mut self,
        listeners: &Listeners,
        stage: &mut Receiver<Stage>,
        adopted: &mut mpsc::Receiver<StdStream>,
    ) {
        let mut tick = Box::pin(tokio::time::sleep(Duration::ZERO));
        loop {
            tokio::select! {
                biased;
                _ = stage.changed() => return,
                () = &mut tick, if !self.timers.is_empty() => {
                    let next = self.sweep();
                    tick.as_mut().reset(tokio::time::Instant::now() + next);
                }
                Some(tcp) = adopted.recv() => self.adopt(tcp),
                accepted = listeners.accept() => match accepted {
                    Ok((tcp, peer)) => self.accept(tcp, peer),
                    Err(error) if is_of_one_connection(&error) => {}
                    Err(error) => {
                        tracing::warn!(%error, "no connection can be accepted for now");
                        self.worker_port.metrics.rejected("http_accept");
                        tokio::time::sleep(OUT_OF_RESOURCES_PAUSE).await;
                    }
                },
            }
        }
    }

    fn accept(&mut self, tcp: TcpStream, peer: SocketAddr) {
        let Some(counted) = self.worker_port.count() else {
            return self.refuse(tcp, peer);
        };
        self.open(counted, tcp, peer);
    }

    /// Tells a connection that finds no place so.
    fn refuse(&mut self, tcp: TcpStream, peer: SocketAddr) {
        let error_response = ErrorResponse::too_many_connections();
        connection::note(&self.worker_port, peer, &error_response);
        // A worker that serves nobody does not sweep: those that were refused count no more.
        self.reap();
        if self.tasks.len() < self.timers.len() + REFUSALS_MAX {
            self.tasks.spawn_local(connection::refuse(tcp, error_response));
        }
    }

    fn open(&mut self, counted: Counted, tcp: TcpStream, peer: SocketAddr) {
        let timer = Rc::new(ConnectionTimer::new(Instant::now()));
        self.timers.push(Rc::clone(&timer));
        let worker_port = Rc::clone(&self.worker_port);
        self.tasks.spawn_local(async move {
            let _counted = counted;
            connection::run(worker_port, timer, peer, tcp).await;
        });
    }

    fn adopt(&mut self, tcp: StdStream) {
        // A connection the system says nothing of any more is gone.
        if let Ok(peer) = tcp.peer_addr()
            && let Ok(tcp) = TcpStream::from_std(tcp)
        {
            match self.worker_port.count() {
                Some(counted) => self.open(counted, tcp, peer),
                None if connection::has_data(&tcp) => self.refuse(tcp, peer),
                // It asked for nothing. An answer now would pass for that to its next request.
                None => self.worker_port.metrics.rejected(CONNECTIONS_LIMIT),
            }
        }
    }

    /// Forgets what has ended.
    fn reap(&mut self) {
        while self.tasks.try_join_next().is_some() {}
    }

    /// Looks at every connection; tells when to look again.
    fn sweep(&mut self) -> Duration {
        self.reap();
        let limits = self.worker_port.seen().limits;
        let now = Instant::now();
        self.timers.retain(|timer| Rc::strong_count(timer) > 1);
        for timer in &self.timers {
            timer.check(now, &limits);
        }
        period(&limits)
    }

    /// Accepts the connections that came before the port is closed. With an heir, they wait for it.
    async fn accept_rest(&mut self, listeners: &Listeners) {
        while self.worker_port.port.heir().is_none()
            && let Some((tcp, peer)) = listeners.accept_now().await
        {
            self.accept(tcp, peer);
        }
    }

    /// Waits for what is under way, cuts the rest at the deadline.
    async fn drain(mut self, deadline: Instant) {
        let heir = self.worker_port.port.heir();
        let how = if heir.is_some() { Drain::HandOver } else { Drain::Close };
        drop(heir);
        for timer in &self.timers {
            timer.drain(how);
        }
        loop {
            let next = Instant::now() + self.sweep();
            let until = tokio::time::sleep_until(next.min(deadline).into());
            tokio::select! {
                () = until => {}
                ended = self.tasks.join_next() => if ended.is_none() {
                    return;
                },
            }
            if Instant::now() >= deadline {
                return;
            }
        }
    }
}

/// The sockets on which a worker accepts: one, unless they were opened by more workers than serve
/// them now.
struct Listeners {
    all: Vec<TcpListener>,
    /// Where to look first: after the one that had a connection last, so that each has its turn.
    next: Cell<usize>,
}

impl Listeners {
    fn of(listeners: Vec<StdListener>) -> io::Result<Self> {
        let all = listeners.into_iter().map(TcpListener::from_std).collect::<Result<_, _>>()?;
        Ok(Self { all, next: Cell::new(0) })
    }

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        std::future::poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// A connection that has come already.
    async fn accept_now(&self) -> Option<(TcpStream, SocketAddr)> {
        let accepted = std::future::poll_fn(|cx| match self.poll_accept(cx) {
            Poll::Ready(accepted) => Poll::Ready(accepted.ok()),
            Poll::Pending => Poll::Ready(None),
        });
        accepted.await
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let (before, after) = self.all.split_at(self.next.get());
        for (index, listener) in after.iter().chain(before).enumerate() {
            if let Poll::Ready(accepted) = listener.poll_accept(cx) {
                self.next.set((self.next.get() + index + 1) % self.all.len());
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }
}

/// Errors that speak of a connection which is already gone.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
