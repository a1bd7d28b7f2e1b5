//! One worker's part of one port: accepts, watches over its connections, drains.

use std::cell::RefCell;
use std::io;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use http::StatusCode;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch::{Receiver, Sender};
use tokio::task::JoinSet;
use trellis_providers_sdk::Context;

use crate::connection;
use crate::metrics::Metrics;
use crate::refusal::TOO_MANY_CONNECTIONS;
use crate::routes::Table;
use crate::watch::{Watch, period};

/// One open port, shared by all workers.
#[derive(Debug)]
pub(crate) struct Port {
    /// What it serves now.
    pub(crate) table: ArcSwap<Table>,
    stage: Sender<Stage>,
    draining: AtomicBool,
    connections: AtomicUsize,
}

/// How far a port is in its life.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stage {
    Serving,
    /// Takes no connection any more; cuts what is left at this time.
    Draining(Instant),
}

/// One worker's part of a port.
pub(crate) struct Shard {
    /// The worker's index.
    pub(crate) worker: usize,
    pub(crate) context: Context,
    pub(crate) metrics: Arc<Metrics>,
    port: Arc<Port>,
    /// The last table seen, behind a count that belongs to this worker alone.
    current: RefCell<Rc<Seen>>,
}

/// A table as one worker saw it.
pub(crate) struct Seen(Arc<Table>);

/// An open connection, counted.
struct Counted(Rc<Shard>);

/// Refusals a worker sends at once; further connections over the limit are closed without a word.
const REFUSALS_MAX: usize = 128;
/// How long to wait when the system has no file descriptor or memory for a connection.
const OUT_OF_RESOURCES_PAUSE: Duration = Duration::from_millis(50);

impl Port {
    pub(crate) fn new(table: Table) -> Self {
        Self {
            table: ArcSwap::from_pointee(table),
            stage: Sender::new(Stage::Serving),
            draining: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
        }
    }

    /// What each worker's part watches.
    pub(crate) fn stage(&self) -> Receiver<Stage> {
        self.stage.subscribe()
    }

    /// Stops accepting, lets requests under way finish until `deadline`. Cheap to repeat.
    pub(crate) fn drain(&self, deadline: Instant) {
        self.draining.store(true, Ordering::Release);
        self.stage.send_replace(Stage::Draining(deadline));
    }

    /// Waits until every worker has let go of the port.
    pub(crate) async fn closed(&self) {
        self.stage.closed().await;
    }
}

impl Shard {
    pub(crate) fn new(
        worker: usize,
        context: Context,
        metrics: Arc<Metrics>,
        port: Arc<Port>,
    ) -> Self {
        let current = RefCell::new(Rc::new(Seen(port.table.load_full())));
        Self { worker, context, metrics, port, current }
    }

    /// What the port serves now.
    pub(crate) fn table(&self) -> Rc<Seen> {
        let latest = self.port.table.load();
        let mut current = self.current.borrow_mut();
        if !Arc::ptr_eq(&latest, &current.0) {
            *current = Rc::new(Seen(Arc::clone(&latest)));
        }
        Rc::clone(&current)
    }

    /// True once the port is being closed, so that an answer should say so.
    pub(crate) fn is_draining(&self) -> bool {
        self.port.draining.load(Ordering::Acquire)
    }

    /// Counts a connection; `None` when the port has its most.
    fn count(self: &Rc<Self>) -> Option<Counted> {
        let most = self.table().limits.connections_max;
        if self.port.connections.fetch_add(1, Ordering::Relaxed) >= most {
            self.port.connections.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        self.metrics.connection_opened();
        Some(Counted(Rc::clone(self)))
    }
}

impl Deref for Seen {
    type Target = Table;

    fn deref(&self) -> &Table {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.port.connections.fetch_sub(1, Ordering::Relaxed);
        self.0.metrics.connection_closed();
    }
}

/// Serves one worker's part of a port until it is drained. The stage's receiver is dropped last, so
/// that [`Port::closed`] means closed.
pub(crate) async fn listen(shard: Rc<Shard>, listener: TcpListener, mut stage: Receiver<Stage>) {
    let mut open = Open { shard, tasks: JoinSet::new(), watches: Vec::new() };
    let mut tick = Box::pin(tokio::time::sleep(Duration::ZERO));
    loop {
        tokio::select! {
            biased;
            _ = stage.changed() => break,
            () = &mut tick, if !open.watches.is_empty() => {
                let next = open.sweep();
                tick.as_mut().reset(tokio::time::Instant::now() + next);
            }
            accepted = listener.accept() => match accepted {
                Ok((tcp, _)) => open.accept(tcp),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "no connection can be accepted for now");
                    open.shard.metrics.rejected("http_accept");
                    tokio::time::sleep(OUT_OF_RESOURCES_PAUSE).await;
                }
            },
        }
    }
    let deadline = match *stage.borrow_and_update() {
        Stage::Draining(deadline) => deadline,
        // The provider itself is gone.
        Stage::Serving => Instant::now(),
    };
    open.drain(listener, deadline).await;
}

/// The connections one listener has open.
struct Open {
    shard: Rc<Shard>,
    tasks: JoinSet<()>,
    watches: Vec<Rc<Watch>>,
}

impl Open {
    fn accept(&mut self, tcp: TcpStream) {
        let Some(counted) = self.shard.count() else {
            self.shard.metrics.rejected("http_connections_max");
            let worker = self.shard.metrics.worker(self.shard.worker);
            worker.counted(StatusCode::SERVICE_UNAVAILABLE);
            if self.tasks.len() < self.watches.len() + REFUSALS_MAX {
                self.tasks.spawn_local(connection::refuse(tcp, TOO_MANY_CONNECTIONS));
            }
            return;
        };
        let watch = Rc::new(Watch::new(Instant::now()));
        self.watches.push(Rc::clone(&watch));
        let shard = Rc::clone(&self.shard);
        self.tasks.spawn_local(async move {
            let _counted = counted;
            connection::run(shard, watch, tcp).await;
        });
    }

    /// Looks at every connection; tells when to look again.
    fn sweep(&mut self) -> Duration {
        while self.tasks.try_join_next().is_some() {}
        let table = self.shard.table();
        let now = Instant::now();
        self.watches.retain(|watch| Rc::strong_count(watch) > 1);
        for watch in &self.watches {
            watch.check(now, &table.limits);
        }
        period(&table.limits)
    }

    /// Closes the port: takes those who already knocked, waits for what is under way, cuts the rest
    /// at the deadline.
    async fn drain(mut self, listener: TcpListener, deadline: Instant) {
        while let Some(tcp) = accept_now(&listener).await {
            self.accept(tcp);
        }
        drop(listener);
        for watch in &self.watches {
            watch.drain();
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

async fn accept_now(listener: &TcpListener) -> Option<TcpStream> {
    let accepted = std::future::poll_fn(|cx| match listener.poll_accept(cx) {
        Poll::Ready(accepted) => Poll::Ready(accepted.ok()),
        Poll::Pending => Poll::Ready(None),
    });
    accepted.await.map(|(tcp, _)| tcp)
}

/// Errors that speak of a connection which is already gone.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
