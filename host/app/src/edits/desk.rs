//! Where edits are asked for, and where everybody can look at them.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use trellis_control::{EditRequest, Edited, Happening};
use trellis_core::{CallError, Code};
use trellis_limits::fixed::EDITS_WAITING;

use super::book::Book;
use crate::failure::Failure;
use crate::feed::Events;

/// The edits of a host. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Edits {
    book: Arc<Mutex<Book>>,
    orders: mpsc::Sender<Order>,
    events: Events,
}

/// Edits that somebody asked for, for the one who makes them.
pub(crate) struct Orders(mpsc::Receiver<Order>);

/// An edit that somebody asked for.
pub(crate) struct Order {
    pub(crate) request: EditRequest,
    /// The revision of what is wanted that it was made for, if that was said.
    pub(crate) made_for: Option<u64>,
    answer: oneshot::Sender<Result<Edited, Failure>>,
}

impl Edits {
    /// None so far; what comes of them is told there.
    pub(crate) fn new(events: Events) -> (Self, Orders) {
        let room = usize::try_from(EDITS_WAITING.default).unwrap_or(1);
        let (orders, received) = mpsc::channel(room);
        (Self { book: Arc::default(), orders, events }, Orders(received))
    }

    /// Looks at what is in force, and what changed.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&mut Book) -> T) -> T {
        let (looked, news) = {
            let mut book = self.book.lock();
            let looked = look(&mut book);
            (looked, book.news())
        };
        news.into_iter().for_each(|revision| self.events.tell(Happening::revision(revision)));
        looked
    }

    /// Where it is told what happens.
    pub(crate) const fn events(&self) -> &Events {
        &self.events
    }

    /// Has an edit made; answers when its steps were tried. Whoever does not wait for that does not
    /// end it.
    ///
    /// # Errors
    /// Why it was not made.
    pub(crate) async fn make(
        &self,
        request: EditRequest,
        made_for: Option<u64>,
    ) -> Result<Edited, Failure> {
        let (answer, answered) = oneshot::channel();
        self.orders.try_send(Order { request, made_for, answer }).map_err(|refused| {
            failure(match refused {
                TrySendError::Full(_) => {
                    let (most, name) = (EDITS_WAITING.default, EDITS_WAITING.name);
                    CallError::new(Code::Busy, format!("{most} edits are waiting already ({name})"))
                }
                TrySendError::Closed(_) => stopping(),
            })
        })?;
        answered.await.unwrap_or_else(|_| Err(failure(stopping())))
    }
}

impl Orders {
    /// The next one; never when nobody can ask any more.
    pub(crate) async fn next(&mut self) -> Order {
        match self.0.recv().await {
            Some(order) => order,
            None => std::future::pending().await,
        }
    }
}

impl Order {
    /// True when whoever asked has gone before anything was done.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }

    /// Tells whoever asked, if they still wait.
    pub(crate) fn answer(self, outcome: Result<Edited, Failure>) {
        // Nobody who waits any more is no failure.
        let _ = self.answer.send(outcome);
    }

    /// That it is not made.
    pub(crate) fn refuse(self, error: CallError) {
        self.answer(Err(failure(error)));
    }
}

fn stopping() -> CallError {
    CallError::new(Code::Stopping, "the host is stopping")
}

fn failure(error: CallError) -> Failure {
    Failure::call("the edit", error)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use trellis_control::{Edit, WatchTerms};

    use super::*;

    fn request() -> EditRequest {
        EditRequest {
            edit: Edit::Rollback { kind: None, name: "a".to_owned(), to: None },
            force: false,
            allow_more_capabilities: false,
            dry_run: false,
            replay: None,
            data: None,
            watch: WatchTerms::default(),
        }
    }

    #[test]
    fn more_edits_than_may_wait_are_refused() {
        let key = trellis_claims::KeyPair::generate(trellis_claims::KeyKind::Server);
        let (edits, orders) = Edits::new(Events::of(key.public()));
        let waiting: Vec<_> = (0..EDITS_WAITING.default)
            .map(|_| {
                let mut made = Box::pin(edits.make(request(), None));
                assert!(made.as_mut().now_or_never().is_none(), "it waits");
                made
            })
            .collect();
        let refused = edits.make(request(), None).now_or_never().expect("at once");
        let refused = refused.expect_err("there is no room");
        assert_eq!(refused.code(), Code::Busy);
        assert!(refused.to_string().contains("edits_waiting_max"), "{refused}");
        drop(orders);
        for made in waiting {
            let ended = made.now_or_never().expect("the host is gone").expect_err("it is");
            assert_eq!(ended.code(), Code::Stopping);
        }
    }
}
