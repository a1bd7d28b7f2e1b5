//! One open port, and each worker's part of it.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::net::TcpStream;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::sync::watch::{Receiver, Sender};
use trellis_providers_sdk::{BindingId, Context};

use crate::access::AccessLog;
use crate::budget::Budget;
use crate::metrics::Metrics;
use crate::per_worker::PerWorker;
use crate::table::Table;

/// One open port, shared by all workers.
pub(crate) struct Port {
    /// What it serves now.
    pub(crate) table: ArcSwap<Table>,
    stage: Sender<Stage>,
    /// Its receivers are the workers that may still accept.
    accepting: Sender<()>,
    pub(crate) common: Common,
    draining: AtomicBool,
    /// The next port in the line for the same address. Asked for only by requests that find no
    /// route here and by connections of a port that is being closed.
    heir: Arc<Heir>,
    /// For each worker, connections that come from the port this one took over.
    adopted: PerWorker<mpsc::Sender<TcpStream>>,
    connections: AtomicUsize,
}

/// What all ports of a provider have in common.
#[derive(Clone)]
pub(crate) struct Common {
    /// Reaches the actors.
    pub(crate) context: Context,
    /// Where requests are logged, if at all.
    pub(crate) access_log: AccessLog,
    /// The memory for the bodies of requests.
    pub(crate) bodies: Arc<Budget>,
    /// The memory for the bodies of answers.
    pub(crate) answers: Arc<Budget>,
}

/// Who comes after a port. It outlives the port, so that a connection which was busy while two
/// ports came and went still finds the third.
#[derive(Default)]
struct Heir {
    next: Mutex<Option<(Weak<Port>, Arc<Heir>)>>,
    is_set: AtomicBool,
}

/// How far a port is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// It is not to serve yet.
    Reserved,
    /// Another port still accepts at its address.
    Waiting,
    Serving,
    /// Takes no connection any more; cuts what is left at this time.
    Draining(Instant),
}

/// What a worker needs to serve its part of a port.
pub(crate) struct Part {
    pub(crate) port: Arc<Port>,
    pub(crate) stage: Receiver<Stage>,
    /// Dropped by the worker together with its listener.
    pub(crate) accepting: Receiver<()>,
    pub(crate) adopted: mpsc::Receiver<TcpStream>,
}

/// Most connections that may wait for a worker to adopt them; the others are closed.
const ADOPTED_MAX: usize = 4_096;

/// One worker's part of a port.
pub(crate) struct WorkerPort {
    /// The worker's index.
    pub(crate) worker: usize,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) port: Arc<Port>,
    /// The last table seen, behind a count that belongs to this worker alone.
    current: RefCell<Rc<Seen>>,
}

/// What a port served when a worker looked.
pub(crate) struct Seen {
    table: Arc<Table>,
    port: Arc<Port>,
}

/// An open connection, counted.
pub(crate) struct Counted(Rc<WorkerPort>);

impl Port {
    /// A port that is yet to [`start`](Self::start), and the part of each of `workers` workers.
    pub(crate) fn new(common: Common, table: Table, workers: usize) -> (Arc<Self>, Vec<Part>) {
        let mut inboxes = Vec::with_capacity(workers);
        let adopted = PerWorker::new(workers, |_| {
            let (adopted, inbox) = mpsc::channel(ADOPTED_MAX);
            inboxes.push(inbox);
            adopted
        });
        let port = Arc::new(Self {
            table: ArcSwap::from_pointee(table),
            stage: Sender::new(Stage::Reserved),
            accepting: Sender::new(()),
            common,
            draining: AtomicBool::new(false),
            heir: Arc::default(),
            adopted,
            connections: AtomicUsize::new(0),
        });
        let part = |adopted| Part {
            port: Arc::clone(&port),
            stage: port.stage.subscribe(),
            accepting: port.accepting.subscribe(),
            adopted,
        };
        let parts = inboxes.into_iter().map(part).collect();
        (port, parts)
    }

    /// From now on it waits for its turn.
    pub(crate) fn start(&self) {
        self.go_on(&[Stage::Reserved], Stage::Waiting);
    }

    /// Begins to accept.
    pub(crate) fn serve(&self) {
        self.go_on(&[Stage::Reserved, Stage::Waiting], Stage::Serving);
    }

    fn go_on(&self, from: &[Stage], to: Stage) {
        self.stage.send_if_modified(|stage| {
            let goes_on = from.contains(stage);
            if goes_on {
                *stage = to;
            }
            goes_on
        });
    }

    /// True while it is yet to start.
    pub(crate) fn is_reserved(&self) -> bool {
        *self.stage.borrow() == Stage::Reserved
    }

    /// Stops accepting, lets requests under way finish until `deadline`. Connections that wait
    /// between two requests go to the heir, if there is one. Cheap to repeat.
    pub(crate) fn drain(&self, deadline: Instant) {
        // Release, for the Acquire in `is_closing` and `taken_over_by`: a thread that sees the port
        // closing sees its heir as well.
        self.draining.store(true, Ordering::Release);
        self.stage.send_replace(Stage::Draining(deadline));
    }

    /// Says which port comes after this one at the same address.
    pub(crate) fn set_heir(&self, heir: Option<&Arc<Self>>) {
        let next = heir.map(|heir| (Arc::downgrade(heir), Arc::clone(&heir.heir)));
        // Relaxed: only a hint that saves the lock; the lock orders the rest.
        self.heir.is_set.store(next.is_some(), Ordering::Relaxed);
        *self.heir.next.lock() = next;
    }

    /// The port that comes after this one at the same address: the first that still lives.
    pub(crate) fn heir(&self) -> Option<Arc<Self>> {
        // Relaxed: a hint, as in `set_heir`.
        if !self.heir.is_set.load(Ordering::Relaxed) {
            return None;
        }
        let mut line = Arc::clone(&self.heir);
        loop {
            let (next, after) = line.next.lock().clone()?;
            if let Some(port) = next.upgrade() {
                return Some(port);
            }
            line = after;
        }
    }

    /// The last port that comes after this one, once this one is being closed.
    fn taken_over_by(&self) -> Option<Arc<Self>> {
        // Acquire, for the Release in `drain`: a thread that sees the port closing sees its heir.
        if !self.draining.load(Ordering::Acquire) {
            return None;
        }
        let heir = self.heir()?;
        Some(heir.taken_over_by().unwrap_or(heir))
    }

    /// True once the port is being closed for good, so that an answer should say so.
    pub(crate) fn is_closing(&self) -> bool {
        // Acquire, for the Release in `drain`.
        self.draining.load(Ordering::Acquire) && self.heir().is_none()
    }

    /// Gives a connection of a port before this one to one of this port's workers, or to whoever
    /// comes after; gives it back when nobody takes it.
    pub(crate) fn adopt(&self, worker: usize, tcp: TcpStream) -> Result<(), TcpStream> {
        self.adopted.of(worker).try_send(tcp).or_else(|refused| {
            let tcp = refused.into_inner();
            match self.heir() {
                Some(heir) => heir.adopt(worker, tcp),
                None => Err(tcp),
            }
        })
    }

    /// True when it serves none but these.
    pub(crate) fn serves_only(&self, bindings: &HashSet<BindingId>) -> bool {
        self.table.load().bindings().all(|binding| bindings.contains(&binding))
    }

    /// True when no worker accepts any more, and none holds a socket.
    pub(crate) fn is_stopped(&self) -> bool {
        self.accepting.is_closed()
    }

    /// Waits until no worker accepts any more.
    pub(crate) async fn stopped(&self) {
        self.accepting.closed().await;
    }

    /// Waits until every worker has let go of the port.
    pub(crate) async fn closed(&self) {
        self.stage.closed().await;
    }
}

impl WorkerPort {
    pub(crate) fn new(worker: usize, metrics: Arc<Metrics>, port: Arc<Port>) -> Self {
        let current = RefCell::new(Rc::new(Seen::of(&port)));
        Self { worker, metrics, port, current }
    }

    /// What the port serves now. While it is being closed, that is what its heir serves: only the
    /// heir is still told of bindings that come and go.
    pub(crate) fn seen(&self) -> Rc<Seen> {
        if let Some(heir) = self.port.taken_over_by() {
            return Rc::new(Seen::of(&heir));
        }
        let latest = self.port.table.load();
        let mut current = self.current.borrow_mut();
        if !Arc::ptr_eq(&latest, &current.table) {
            *current = Rc::new(Seen { table: Arc::clone(&latest), port: Arc::clone(&self.port) });
        }
        Rc::clone(&current)
    }

    /// Counts a connection; `None` when the port has its most.
    pub(crate) fn count(self: &Rc<Self>) -> Option<Counted> {
        let most = self.seen().table.limits.connections_max;
        // Relaxed: a count of its own, which orders nothing else.
        if self.port.connections.fetch_add(1, Ordering::Relaxed) >= most {
            self.port.connections.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        self.metrics.connection_opened();
        Some(Counted(Rc::clone(self)))
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port").field("stage", &*self.stage.borrow()).finish_non_exhaustive()
    }
}

impl Seen {
    fn of(port: &Arc<Port>) -> Self {
        Self { table: port.table.load_full(), port: Arc::clone(port) }
    }

    /// What the next port at the same address serves, once it is to serve.
    pub(crate) fn of_heir(&self) -> Option<Rc<Self>> {
        let heir = self.port.heir().filter(|heir| !heir.is_reserved());
        heir.map(|heir| Rc::new(Self::of(&heir)))
    }

    /// True when nothing was published between the two looks.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.table, &other.table)
    }

    /// The way to the actors of its routes.
    pub(crate) fn context(&self) -> &Context {
        &self.port.common.context
    }
}

impl Deref for Seen {
    type Target = Table;

    fn deref(&self) -> &Table {
        &self.table
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.port.connections.fetch_sub(1, Ordering::Relaxed);
        self.0.metrics.connection_closed();
    }
}
