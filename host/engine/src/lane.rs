//! The slow lane: low-priority threads for guests that compute longer than a slice.
//!
//! A call begins on its caller's thread. When its slice is over and it is still computing, the rest
//! of it moves here, and the caller's thread is free for others. Compiling happens here too.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::time::Instant;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::AbortHandle;
use trellis_core::{CallError, Code};

use crate::deadline;
use crate::fault;

/// How much the lane's threads give way to others (`nice`).
const NICENESS: i32 = 10;

/// The lane's threads; dropping it lets running work end by itself.
pub(crate) struct Lane {
    runtime: Option<Runtime>,
    handle: Handle,
}

impl Lane {
    /// Starts as many threads as there are cores.
    pub(crate) fn start() -> std::io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .thread_name("trellis-slow-lane")
            .on_thread_start(|| {
                // Raising one's own niceness is always allowed; without it the lane still works.
                if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
                    tracing::warn!(%error, "the slow lane runs at normal priority");
                }
            })
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        Ok(Self { runtime: Some(runtime), handle })
    }

    /// Where blocking work of low priority runs.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Runs the rest of a call here and waits for it, at most until `deadline`; also says whether
    /// it used up a slice here. Dropping the returned future ends the call.
    pub(crate) async fn finish<F>(
        &self,
        mut call: Pin<Box<F>>,
        deadline: Instant,
    ) -> Result<(F::Output, bool), CallError>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let mut busy = false;
        let rest = poll_fn(move |cx| {
            let polled = call.as_mut().poll(cx);
            busy |= deadline::take_slice_over();
            polled.map(|output| (output, busy))
        });
        let mut task = self.handle.spawn(rest);
        let _cancel = CancelOnDrop(task.abort_handle());
        match tokio::time::timeout_at(deadline.into(), &mut task).await {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(_)) => Err(CallError::new(Code::Internal, "the call ended with a host failure")),
            Err(_) => Err(fault::timeout("call_time_ms_max")),
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
