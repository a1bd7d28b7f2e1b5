//! Where edits are asked for, and where everybody can look at them.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use trellis_control::{EditRequest, Edited, Happening};
use trellis_core::{CallError, Code};
use trellis_limits::fixed::{EDIT_TIME, EDITS_WAITING};

use super::book::Book;
use crate::asker::Asker;
use crate::failure::Failure;
use crate::feed::Events;

/// The edits of a host. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Edits {
    book: Arc<Mutex<Book>>,
    orders: mpsc::Sender<Order>,
    rollbacks: mpsc::Sender<Order>,
    events: Events,
}

/// Edits that somebody asked for, for the one who makes them.
pub(crate) struct Orders {
    /// Those that put something new in place, which takes time.
    pub(crate) edits: Inbox,
    /// Those that go back, which waits for nobody.
    pub(crate) rollbacks: Inbox,
}

/// Orders of one kind.
pub(crate) struct Inbox(mpsc::Receiver<Order>);

/// An edit that somebody asked for.
pub(crate) struct Order {
    pub(crate) request: EditRequest,
    pub(crate) asked: Asked,
    /// When whoever asked is told that it was not made in time.
    pub(crate) until: Instant,
    answer: oneshot::Sender<Result<Edited, Failure>>,
}

/// Who asked for an edit.
pub(crate) struct Asked {
    pub(crate) by: Asker,
    /// The ETag of what is wanted that it was made for, if that was said.
    pub(crate) made_for: Option<String>,
}

impl Edits {
    /// None so far; what comes of them is told there.
    pub(crate) fn new(events: Events) -> (Self, Orders) {
        let room = usize::try_from(EDITS_WAITING.default).unwrap_or(1);
        let (orders, edits) = mpsc::channel(room);
        let (rollbacks, back) = mpsc::channel(room);
        let received = Orders { edits: Inbox(edits), rollbacks: Inbox(back) };
        (Self { book: Arc::default(), orders, rollbacks, events }, received)
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
    pub(crate) async fn make(&self, request: EditRequest, asked: Asked) -> Result<Edited, Failure> {
        let (answer, answered) = oneshot::channel();
        let orders = if request.edit.goes_first() { &self.rollbacks } else { &self.orders };
        let until = Instant::now() + Duration::from_millis(EDIT_TIME.default);
        orders.try_send(Order { request, asked, until, answer }).map_err(|refused| {
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

impl Inbox {
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

    /// Does what it takes to make it, as long as there is time.
    ///
    /// # Errors
    /// What the work gives; [`Code::Timeout`] when it takes too long.
    pub(crate) fn in_time<T, W: Future<Output = Result<T, Failure>>>(
        &self,
        work: W,
    ) -> impl Future<Output = Result<T, Failure>> + use<T, W> {
        let until = self.until;
        async move { timeout_at(until, work).await.unwrap_or_else(|_| Err(late())) }
    }

    /// Tells whoever asked, if they still wait.
    pub(crate) fn answer(self, outcome: Result<Edited, Failure>) {
        // Nobody who waits any more is no failure.
        let _ = self.answer.send(outcome);
    }
}

/// What is slow is a disk, a registry, or the edits before it.
fn late() -> Failure {
    let (most, name) = (EDIT_TIME.default / 1_000, EDIT_TIME.name);
    let text =
        format!("it could not be prepared within {most} s ({name}), and nothing was changed");
    let help = "What it names may be slow to read or to fetch, or it waited for other edits: try \
                again, and look at the host's log. A rollback waits for none of that.";
    failure(CallError::new(Code::Timeout, text)).help(help)
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

    fn empty() -> (Edits, Orders) {
        let key = trellis_claims::KeyPair::generate(trellis_claims::KeyKind::Server);
        Edits::new(Events::of(key.public()))
    }

    fn asked() -> Asked {
        Asked { by: Asker::Owner, made_for: None }
    }

    fn rollback() -> EditRequest {
        let edit =
            Edit::Rollback { kind: None, name: "a".to_owned(), to: None, to_manifest: false };
        EditRequest { edit, ..request() }
    }

    fn request() -> EditRequest {
        EditRequest {
            edit: Edit::Actor { name: "a".to_owned(), image: "/a.wasm".to_owned() },
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
        let (edits, orders) = empty();
        let waiting: Vec<_> = (0..EDITS_WAITING.default)
            .map(|_| {
                let mut made = Box::pin(edits.make(request(), asked()));
                assert!(made.as_mut().now_or_never().is_none(), "it waits");
                made
            })
            .collect();
        let refused = edits.make(request(), asked()).now_or_never().expect("at once");
        let refused = refused.expect_err("there is no room");
        assert_eq!(refused.code(), Code::Busy);
        assert!(refused.to_string().contains("edits_waiting_max"), "{refused}");
        let mut back = Box::pin(edits.make(rollback(), asked()));
        assert!(back.as_mut().now_or_never().is_none(), "there is room to go back");
        drop(orders);
        for made in waiting {
            let ended = made.now_or_never().expect("the host is gone").expect_err("it is");
            assert_eq!(ended.code(), Code::Stopping);
        }
    }
    #[tokio::test(start_paused = true)]
    async fn an_edit_that_is_slow_is_given_up() {
        let (edits, mut orders) = empty();
        let made = edits.make(request(), asked());
        let slow = async {
            let order = orders.edits.next().await;
            let prepared = order.in_time(std::future::pending::<Result<(), _>>()).await;
            order.answer(Err(prepared.expect_err("it hangs")));
        };
        let began = Instant::now();
        let (made, ()) = tokio::join!(made, slow);
        assert_eq!(began.elapsed(), Duration::from_millis(EDIT_TIME.default));
        let late = made.expect_err("it is late");
        assert_eq!(late.code(), Code::Timeout);
        assert!(late.to_string().contains("edit_time_max"), "{late}");
    }
}
