//! A request under way: whose turn it is, the client's or the host's.

use std::sync::{Arc, OnceLock};

use tokio::sync::{OwnedSemaphorePermit, watch};

/// Whether the host works on what a connection asked for. Its client is not waited for meanwhile.
/// Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Working(Arc<Connection>);

#[derive(Debug)]
struct Connection {
    works: watch::Sender<bool>,
    place: OnceLock<OwnedSemaphorePermit>,
}

/// The time in which the host works, until it is dropped.
pub(super) struct Turn<'a>(&'a Working);

impl Working {
    /// The client's turn comes first.
    pub(super) fn new() -> (Self, watch::Receiver<bool>) {
        let (works, receiver) = watch::channel(false);
        (Self(Arc::new(Connection { works, place: OnceLock::new() })), receiver)
    }

    /// The host has all it needs and begins to work.
    pub(super) fn begin(&self) -> Turn<'_> {
        self.0.works.send_replace(true);
        Turn(self)
    }

    /// The connection holds a place among others until it has ended, all bytes included.
    pub(super) fn holds(&self, place: OwnedSemaphorePermit) {
        // A connection serves one request, which asks once.
        let _ = self.0.place.set(place);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.0.works.send_replace(false);
    }
}
