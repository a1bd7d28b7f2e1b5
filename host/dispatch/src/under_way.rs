//! A call under way: held to its deadline, and to itself when it panics.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use crate::route::Cut;
use crate::target::BoxFuture;

/// How a call ended.
pub(crate) enum Ended<T> {
    /// With the target's answer.
    Answered(T),
    /// The target panicked.
    Panicked,
    /// Before its target answered.
    Early(Alarm),
}

/// Why a call ends before its target answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Alarm {
    /// The deadline came first.
    Late,
    /// The target was stopped.
    Cut,
}

/// A call until it ends. Small: it is part of every future on the road, and those are moved.
pub(crate) struct UnderWay<'a, T> {
    /// What `Target::call` gave; `None` when it panicked instead.
    call: Option<BoxFuture<'a, T>>,
    deadline: Instant,
    cut: &'a Cut,
    /// Set only when the call does not answer on its first poll: most do, and registering a timer
    /// costs more than the call.
    alarm: Option<BoxFuture<'a, Alarm>>,
}

impl<'a, T> UnderWay<'a, T> {
    /// Begins a call.
    #[inline]
    pub(crate) fn begin(
        deadline: Instant,
        cut: &'a Cut,
        call: impl FnOnce() -> BoxFuture<'a, T>,
    ) -> Self {
        Self { call: catch_unwind(AssertUnwindSafe(call)).ok(), deadline, cut, alarm: None }
    }
}

impl<T> Future for UnderWay<'_, T> {
    type Output = Ended<T>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended<T>> {
        let Self { call, deadline, cut, alarm } = &mut *self;
        let Some(call) = call else { return Poll::Ready(Ended::Panicked) };
        match catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))) {
            Ok(Poll::Ready(answer)) => return Poll::Ready(Ended::Answered(answer)),
            Ok(Poll::Pending) => {}
            Err(_) => return Poll::Ready(Ended::Panicked),
        }
        let alarm = alarm.get_or_insert_with(|| Box::pin(alarm_of(*deadline, cut)));
        Poll::Ready(Ended::Early(ready!(alarm.as_mut().poll(cx))))
    }
}

async fn alarm_of(deadline: Instant, cut: &Cut) -> Alarm {
    tokio::select! {
        () = tokio::time::sleep_until(deadline.into()) => Alarm::Late,
        () = cut.wanted() => Alarm::Cut,
    }
}
