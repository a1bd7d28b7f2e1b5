//! Deadlines that cost nothing until a call waits.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Instant;

thread_local! {
    static YIELDED: Cell<bool> = const { Cell::new(false) };
}

/// Notes that the guest polled on this thread stopped because its time slice is over, not because
/// it waits for something.
pub(crate) fn note_slice_over() {
    YIELDED.set(true);
}

/// True once after [`note_slice_over`]: the `Pending` just returned means "still busy".
pub(crate) fn take_slice_over() -> bool {
    YIELDED.replace(false)
}

/// Runs `future` until `deadline`; `None` when it passes first.
///
/// The first poll arms no timer. A future that is only at the end of its slice arms none either:
/// the epoch callback watches that guest's deadline.
///
/// Takes the future pinned, because moving a guest's costs as much as a short call.
pub(crate) async fn until<F: Future>(
    mut future: Pin<&mut F>,
    deadline: Instant,
) -> Option<F::Output> {
    let mut timer = None;
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        if YIELDED.get() {
            return Poll::Pending;
        }
        let timer =
            timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
        timer.as_mut().poll(cx).map(|()| None)
    })
    .await
}
