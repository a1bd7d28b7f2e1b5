//! Deadlines that cost nothing until a call waits.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Instant;

use trellis_core::{CallError, Code};
use trellis_limits::named;

thread_local! {
    static YIELDED: Cell<bool> = const { Cell::new(false) };
}

/// When a guest is cut, and on whose behalf.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    pub(crate) bound: Bound,
}

/// What a deadline comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bound {
    /// The caller waits no longer.
    Caller,
    /// The actor's `call_time_ms_max`.
    CallTime,
    /// The actor's `init_time_ms_max`.
    InitTime,
}

impl Deadline {
    /// This deadline, or another one if that comes first.
    #[inline]
    pub(crate) fn or_sooner(self, at: Instant, bound: Bound) -> Self {
        if at < self.at { Self { at, bound } } else { self }
    }
}

impl Bound {
    /// The limit that was hit; none when only the caller had enough.
    pub(crate) const fn limit(self) -> Option<&'static str> {
        match self {
            Self::Caller => None,
            Self::CallTime => Some("call_time_ms_max"),
            Self::InitTime => Some("init_time_ms_max"),
        }
    }

    /// The error of a guest that was cut.
    pub(crate) fn error(self) -> CallError {
        let when = match self {
            Self::Caller => "at its caller's deadline",
            Self::CallTime => "at its deadline",
            Self::InitTime => "while it started",
        };
        let limit = self.limit().map_or_else(String::new, |limit| format!(" ({})", named(limit)));
        CallError::new(Code::Timeout, format!("the actor was cut {when}{limit}"))
    }
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
