//! Deadlines that cost nothing when they are met at once.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Instant;

/// Awaits `future` until `deadline`: `None` when the deadline came first.
///
/// The timer is armed only when the future does not answer on its first poll: most calls do, and
/// registering a timer costs more than the call.
pub(crate) async fn until<F: Future>(deadline: Instant, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let first = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
    if let Poll::Ready(output) = first {
        return Some(output);
    }
    tokio::time::timeout_at(deadline.into(), future).await.ok()
}
