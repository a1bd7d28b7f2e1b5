//! A call under way: held to its deadline, and to itself when it panics.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::time::Sleep;

use crate::BoxFuture;

/// How a call ended.
pub(crate) enum Ended<T> {
    /// With the target's answer.
    Answered(T),
    /// The target panicked.
    Panicked,
    /// The deadline came first.
    Late,
}

/// A call until it ends. Small: it is part of every future on the road, and those are moved.
pub(crate) struct UnderWay<'a, T> {
    /// What `Target::call` gave; `None` when it panicked instead.
    call: Option<BoxFuture<'a, T>>,
    deadline: Instant,
    /// Armed only when the call does not answer on its first poll: most do, and registering a timer
    /// costs more than the call.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<'a, T> UnderWay<'a, T> {
    /// Begins a call.
    #[inline]
    pub(crate) fn begin(deadline: Instant, call: impl FnOnce() -> BoxFuture<'a, T>) -> Self {
        Self { call: catch_unwind(AssertUnwindSafe(call)).ok(), deadline, timer: None }
    }
}

impl<T> Future for UnderWay<'_, T> {
    type Output = Ended<T>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended<T>> {
        let Self { call, deadline, timer } = &mut *self;
        let Some(call) = call else { return Poll::Ready(Ended::Panicked) };
        match catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))) {
            Ok(Poll::Ready(answer)) => return Poll::Ready(Ended::Answered(answer)),
            Ok(Poll::Pending) => {}
            Err(_) => return Poll::Ready(Ended::Panicked),
        }
        let timer =
            timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until((*deadline).into())));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Ended::Late)
    }
}
