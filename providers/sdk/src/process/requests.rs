//! Requests that wait for their answers, by the ids they went out with.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::oneshot;

/// The requests one side sent, whose answers are `A`s. Cheap to clone.
pub struct Requests<A>(Arc<Mutex<Waiting<A>>>);

struct Waiting<A> {
    /// The id of the next request; ids are not used twice on a connection.
    next_id: u64,
    /// `None` once no answer can come any more.
    by_id: Option<HashMap<u64, oneshot::Sender<A>>>,
}

impl<A> Clone for Requests<A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<A> Default for Requests<A> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Waiting { next_id: 1, by_id: Some(HashMap::new()) })))
    }
}

impl<A> Requests<A> {
    /// One more request, to be sent with the id of what this returns.
    ///
    /// # Errors
    /// True when `max` wait already; false when no answer can come any more.
    pub fn begin(&self, max: usize) -> Result<Pending<A>, bool> {
        let mut waiting = self.waiting();
        let id = waiting.next_id;
        let by_id = waiting.by_id.as_mut().ok_or(false)?;
        if by_id.len() >= max {
            return Err(true);
        }
        let (sender, answer) = oneshot::channel();
        by_id.insert(id, sender);
        waiting.next_id += 1;
        drop(waiting);
        Ok(Pending { id, answer, requests: self.clone() })
    }

    /// An answer came; false when none is waited for. That is no fault: it may have been cancelled
    /// while it was on its way.
    pub fn answer(&self, id: u64, answer: A) -> bool {
        let sender = self.waiting().by_id.as_mut().and_then(|by_id| by_id.remove(&id));
        sender.is_some_and(|sender| sender.send(answer).is_ok())
    }

    /// True for an id that a request went out with, whether or not its answer is still waited for.
    #[must_use]
    pub fn is_known(&self, id: u64) -> bool {
        (1..self.waiting().next_id).contains(&id)
    }

    /// No answer can come any more: the connection is gone.
    pub fn close(&self) {
        self.waiting().by_id = None;
    }

    /// True when no answer can come any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.waiting().by_id.is_none()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<A>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request on its way. Dropping it forgets the answer.
pub struct Pending<A> {
    id: u64,
    answer: oneshot::Receiver<A>,
    requests: Requests<A>,
}

impl<A> Pending<A> {
    /// The id to send it with.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }
}

impl<A> Future for Pending<A> {
    /// `None` when the connection was closed before the answer came.
    type Output = Option<A>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.answer).poll(cx).map(Result::ok)
    }
}

impl<A> Drop for Pending<A> {
    fn drop(&mut self) {
        if let Some(by_id) = &mut self.requests.waiting().by_id {
            by_id.remove(&self.id);
        }
    }
}
