//! A request under way: whose turn it is, the client's or the host's.

use std::sync::{Arc, OnceLock};

use tokio::sync::watch;

use crate::places::Place;

/// Whether the host works on what a connection asked for. Its client is not waited for meanwhile.
/// Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Working(Arc<Connection>);

/// Whose turn it is, and how often it was the host's.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Turns {
    /// The host works.
    pub(super) is_host: bool,
    /// How often it has begun to: a client that takes piece after piece of a stream goes on.
    pub(super) begun: u64,
}

#[derive(Debug)]
struct Connection {
    works: watch::Sender<Turns>,
    place: OnceLock<Place>,
}

/// The time in which the host works, until it is dropped.
pub(super) struct Turn<'a>(&'a Working);

impl Working {
    /// The client's turn comes first.
    pub(super) fn new() -> (Self, watch::Receiver<Turns>) {
        let (works, receiver) = watch::channel(Turns::default());
        (Self(Arc::new(Connection { works, place: OnceLock::new() })), receiver)
    }

    /// The host has all it needs and begins to work.
    pub(super) fn begin(&self) -> Turn<'_> {
        self.0.works.send_modify(|turns| {
            turns.is_host = true;
            turns.begun += 1;
        });
        Turn(self)
    }

    /// The connection holds a place among others until it has ended, all bytes included.
    pub(super) fn holds(&self, place: Place) {
        // A connection serves one request, which asks once.
        let _ = self.0.place.set(place);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.0.works.send_modify(|turns| turns.is_host = false);
    }
}
