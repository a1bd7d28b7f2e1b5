//! One thread per core, each with a runtime of its own.
//!
//! A connection lives and dies on the thread that accepted it, and so do the actor calls of its
//! requests: nothing on a request's road crosses threads.

use std::net::TcpListener as StdListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc::{Receiver as Inbox, Sender, channel};
use tokio::sync::watch::Receiver;
use trellis_core::{CallError, Code};
use trellis_providers_sdk::Context;

use crate::listener::{Port, Shard, Stage, listen};
use crate::metrics::Metrics;
use crate::schedule;

/// The threads; dropping this ends them at once.
#[derive(Debug)]
pub(crate) struct Workers {
    inboxes: Vec<Sender<Opening>>,
}

/// Most ports that may wait for a busy worker.
const OPENINGS_MAX: usize = 1_024;

/// A worker's part of a new port.
struct Opening {
    port: Arc<Port>,
    stage: Receiver<Stage>,
    listener: StdListener,
}

impl Workers {
    /// Starts `count` threads.
    ///
    /// # Errors
    /// [`Code::Provider`] when the system refuses a thread.
    pub(crate) fn start(
        count: usize,
        context: &Context,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, CallError> {
        let start = |index| {
            let (inbox, openings) = channel(OPENINGS_MAX);
            let (context, metrics) = (context.clone(), Arc::clone(metrics));
            std::thread::Builder::new()
                .name(format!("http-{index}"))
                .spawn(move || run(index, &context, &metrics, openings))
                .map_err(|error| {
                    let text = format!("the system refuses a thread for the HTTP server: {error}");
                    CallError::new(Code::Provider, text)
                })?;
            Ok(inbox)
        };
        let inboxes = (0..count).map(start).collect::<Result<_, CallError>>()?;
        Ok(Self { inboxes })
    }

    pub(crate) fn count(&self) -> usize {
        self.inboxes.len()
    }

    /// Gives each worker its listener of a port.
    ///
    /// # Errors
    /// [`Code::Provider`] when a worker takes no more; the port is then closed again.
    pub(crate) fn open(
        &self,
        port: &Arc<Port>,
        listeners: Vec<StdListener>,
    ) -> Result<(), CallError> {
        for (inbox, listener) in self.inboxes.iter().zip(listeners) {
            let opening = Opening { port: Arc::clone(port), stage: port.stage(), listener };
            inbox.try_send(opening).map_err(|_| {
                port.drain(Instant::now());
                CallError::new(Code::Provider, "a thread of the HTTP server takes no more ports")
            })?;
        }
        Ok(())
    }
}

fn run(index: usize, context: &Context, metrics: &Arc<Metrics>, mut openings: Inbox<Opening>) {
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
        while let Some(Opening { port, stage, listener }) = openings.recv().await {
            let listener = match TcpListener::from_std(listener) {
                Ok(listener) => listener,
                Err(error) => {
                    tracing::error!(%error, "an HTTP worker cannot listen");
                    continue;
                }
            };
            let shard = Shard::new(index, context.clone(), Arc::clone(metrics), port);
            tokio::task::spawn_local(listen(Rc::new(shard), listener, stage));
        }
    });
}
