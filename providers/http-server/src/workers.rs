//! One thread per core, each with a runtime of its own.
//!
//! A connection stays on the thread that accepted it, and so do the actor calls of its requests:
//! nothing on a request's road crosses threads.

use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::mpsc::{Receiver as Inbox, Sender, channel};
use tokio::sync::oneshot;
use trellis_core::{CallError, Code};

use crate::listener::listen;
use crate::metrics::Metrics;
use crate::port::{Common, Part, Port, WorkerPort};
use crate::pressure;
use crate::schedule;
use crate::table::Table;
use crate::tally::Tally;

/// The threads; dropping this ends them at once.
pub(crate) struct Workers {
    common: Common,
    metrics: Arc<Metrics>,
    wanted: usize,
    /// One for each thread that runs. Their number only grows.
    inboxes: RwLock<Vec<Sender<Opening>>>,
}

/// Most ports that may wait for a busy worker.
const OPENINGS_MAX: usize = 1_024;

/// A worker's part of a new port.
struct Opening {
    part: Part,
    listeners: Vec<TcpListener>,
}

impl Workers {
    /// Starts `wanted` threads, or as many as the system gives: these serve everything.
    ///
    /// # Errors
    /// [`Code::Provider`] when the system gives none.
    pub(crate) async fn start(
        wanted: usize,
        common: Common,
        metrics: Arc<Metrics>,
    ) -> Result<Self, CallError> {
        let workers = Self { common, metrics, wanted, inboxes: RwLock::default() };
        let completed = workers.complete().await;
        if workers.count() == 0 { completed.map(|()| workers) } else { Ok(workers) }
    }

    /// Starts the threads that could not be started so far. They serve the ports that are opened
    /// from then on.
    ///
    /// # Errors
    /// [`Code::Provider`] when the system still does not give them.
    pub(crate) async fn complete(&self) -> Result<(), CallError> {
        loop {
            let index = self.count();
            if index >= self.wanted {
                return Ok(());
            }
            let started = start(index, Arc::clone(&self.metrics)).await;
            let inbox = started.map_err(|error| self.lacks(index, &error))?;
            let mut inboxes = self.inboxes.write();
            // Somebody else may have been faster; then this thread ends with its inbox.
            if inboxes.len() == index {
                inboxes.push(inbox);
            }
        }
    }

    fn count(&self) -> usize {
        self.inboxes.read().len()
    }

    /// What to tell the user while only so many threads run.
    #[cold]
    fn lacks(&self, running: usize, error: &io::Error) -> CallError {
        let wanted = self.wanted;
        let so = match running {
            0 => "none of the threads can start".to_owned(),
            _ => format!("{running} of {wanted} threads run and serve everything"),
        };
        let text = format!("{so}: {error}; raise the limits for threads and open files");
        CallError::new(Code::Provider, text)
    }

    /// A port with a part for each thread that runs.
    pub(crate) fn port(&self, table: Table) -> (Arc<Port>, Vec<Part>) {
        Port::new(self.common.clone(), table, self.count())
    }

    /// Where the answers of an actor are counted.
    pub(crate) fn tally(&self, actor: &str) -> Arc<Tally> {
        self.metrics.actor(actor)
    }

    /// Gives each worker its part of a port and its listeners.
    ///
    /// # Errors
    /// [`Code::Provider`] when a worker takes no more; the others must be told to drain theirs.
    pub(crate) fn open(
        &self,
        parts: Vec<Part>,
        listeners: Vec<Vec<TcpListener>>,
    ) -> Result<(), CallError> {
        let inboxes = self.inboxes.read();
        for ((inbox, part), listeners) in inboxes.iter().zip(parts).zip(listeners) {
            inbox.try_send(Opening { part, listeners }).map_err(|_| {
                CallError::new(Code::Provider, "a thread of the HTTP server takes no more ports")
            })?;
        }
        Ok(())
    }
}

/// Starts a thread, and waits until it can work.
async fn start(index: usize, metrics: Arc<Metrics>) -> io::Result<Sender<Opening>> {
    let (inbox, openings) = channel(OPENINGS_MAX);
    let (starts, started) = oneshot::channel();
    let work = move || {
        schedule::wake_without_preempting();
        let mut builder = Builder::new_current_thread();
        let builder = pressure::watch(builder.enable_all());
        match builder.build_local(LocalOptions::default()) {
            // Whoever asked may have gone; then no opening comes.
            Ok(runtime) => {
                drop(starts.send(Ok(())));
                run(&runtime, index, &metrics, openings);
            }
            Err(error) => drop(starts.send(Err(error))),
        }
    };
    std::thread::Builder::new().name(format!("http-{index}")).spawn(work)?;
    started.await.unwrap_or_else(|_| Err(io::Error::other("it ended at once")))?;
    Ok(inbox)
}

fn run(runtime: &LocalRuntime, index: usize, metrics: &Arc<Metrics>, mut openings: Inbox<Opening>) {
    runtime.block_on(async {
        while let Some(Opening { part, listeners }) = openings.recv().await {
            let worker_port = WorkerPort::new(index, Arc::clone(metrics), Arc::clone(&part.port));
            tokio::task::spawn_local(listen(Rc::new(worker_port), listeners, part));
        }
    });
}
