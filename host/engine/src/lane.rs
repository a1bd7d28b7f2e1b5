//! Threads of lower priority than those that serve.
//!
//! The slow lane is for guests that compute longer than a slice: a call begins on its caller's
//! thread; when its slice is over and it is still computing, the rest of it moves here, and the
//! caller's thread is free for others. The loader is for modules: reading, checking, compiling.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::AbortHandle;
use trellis_core::{CallError, Code};

use crate::lane_load::LaneLoad;

/// How much the slow lane gives way to others (`nice`): about a tenth of a contended core.
const GUEST_NICENESS: i32 = 10;
/// The same for the loader: about a quarter.
const LOADER_NICENESS: i32 = 5;

/// Some threads; dropping it lets running work end by itself.
pub(crate) struct Lane {
    runtime: Option<Runtime>,
    handle: Handle,
    load: Arc<LaneLoad>,
}

impl Lane {
    /// The slow lane: as many threads as there are cores.
    pub(crate) fn for_guests() -> std::io::Result<Self> {
        Self::start(Builder::new_multi_thread().thread_name("trellis-slow-lane"), GUEST_NICENESS)
    }

    /// The loader: one thread, and others while they compile.
    pub(crate) fn for_modules() -> std::io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        Self::start(builder.worker_threads(1).thread_name("trellis-loader"), LOADER_NICENESS)
    }

    fn start(builder: &mut Builder, niceness: i32) -> std::io::Result<Self> {
        let give_way = move || {
            // Raising one's own niceness is always allowed; without it the lane still works.
            if let Err(error) = rustix::process::setpriority_process(None, niceness) {
                tracing::warn!(%error, "a lane runs at normal priority");
            }
        };
        let runtime = builder.on_thread_start(give_way).enable_all().build()?;
        let handle = runtime.handle().clone();
        Ok(Self { runtime: Some(runtime), handle, load: Arc::new(LaneLoad::new()) })
    }

    /// Where to spawn.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// How long a call that comes now waits for a thread.
    #[inline]
    pub(crate) fn foreseen_wait(&self) -> Duration {
        self.load.foreseen_wait()
    }

    /// Runs the rest of a call here and waits for it, at most until `deadline`: then there is none.
    /// Also says whether it used up a slice here. Dropping the returned future ends the call.
    pub(crate) async fn finish<F>(
        &self,
        mut call: Pin<Box<F>>,
        deadline: Instant,
    ) -> Result<Option<(F::Output, bool)>, CallError>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let mut turns = self.load.join();
        let rest = poll_fn(move |cx| {
            let polled = turns.take(|| call.as_mut().poll(cx));
            polled.map(|output| (output, turns.were_busy()))
        });
        let mut task = self.handle.spawn(rest);
        let _cancel = CancelOnDrop(task.abort_handle());
        match tokio::time::timeout_at(deadline.into(), &mut task).await {
            Ok(Ok(output)) => Ok(Some(output)),
            Ok(Err(_)) => Err(CallError::new(Code::Internal, "the call ended with a host failure")),
            Err(_) => Ok(None),
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A runtime must not wait for its threads inside another one.
            runtime.shutdown_background();
        }
    }
}

/// Ends the task when its caller goes away; does nothing when it has ended.
struct CancelOnDrop(AbortHandle);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
