//! One thread per core, each with a runtime of its own.
//!
//! A connection stays on the thread that accepted it, and so do the actor calls of its requests:
//! nothing on a request's road crosses threads.

use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc::{Receiver as Inbox, Sender, channel};
use trellis_core::{CallError, Code};

use crate::listener::listen;
use crate::metrics::Metrics;
use crate::port::{Common, Part, Port, Shard};
use crate::schedule;
use crate::table::Table;
use crate::tally::Tally;

/// The threads; dropping this ends them at once.
pub(crate) struct Workers {
    common: Common,
    metrics: Arc<Metrics>,
    inboxes: Vec<Sender<Opening>>,
}

/// Most ports that may wait for a busy worker.
const OPENINGS_MAX: usize = 1_024;

/// A worker's part of a new port.
struct Opening {
    part: Part,
    listeners: Vec<TcpListener>,
}

impl Workers {
    /// Starts `count` threads.
    ///
    /// # Errors
    /// [`Code::Provider`] when the system refuses a thread.
    pub(crate) fn start(
        count: usize,
        common: Common,
        metrics: Arc<Metrics>,
    ) -> Result<Self, CallError> {
        let start = |index| {
            let (inbox, openings) = channel(OPENINGS_MAX);
            let metrics = Arc::clone(&metrics);
            std::thread::Builder::new()
                .name(format!("http-{index}"))
                .spawn(move || run(index, &metrics, openings))
                .map_err(|error| {
                    let text = format!("the system refuses a thread for the HTTP server: {error}");
                    CallError::new(Code::Provider, text)
                })?;
            Ok(inbox)
        };
        let inboxes = (0..count).map(start).collect::<Result<_, CallError>>()?;
        Ok(Self { common, metrics, inboxes })
    }

    pub(crate) fn count(&self) -> usize {
        self.inboxes.len()
    }

    /// A port with a part for each worker.
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
        for ((inbox, part), listeners) in self.inboxes.iter().zip(parts).zip(listeners) {
            inbox.try_send(Opening { part, listeners }).map_err(|_| {
                CallError::new(Code::Provider, "a thread of the HTTP server takes no more ports")
            })?;
        }
        Ok(())
    }
}

fn run(index: usize, metrics: &Arc<Metrics>, mut openings: Inbox<Opening>) {
    schedule::wake_without_preempting();
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "an HTTP worker cannot start; the others serve its share");
            return;
        }
    };
    runtime.block_on(async {
        while let Some(Opening { part, listeners }) = openings.recv().await {
            let shard = Shard::new(index, Arc::clone(metrics), Arc::clone(&part.port));
            tokio::task::spawn_local(listen(Rc::new(shard), listeners, part));
        }
    });
}
