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
    /// So many pieces of work, of which one may be within another, does the host do.
    works: u32,
    /// How often it has begun to: a client that takes piece after piece of a stream goes on.
    pub(super) begun: u64,
}

impl Turns {
    /// The host works.
    pub(super) const fn is_host(self) -> bool {
        self.works > 0
    }
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
            turns.works += 1;
            turns.begun += 1;
        });
        Turn(self)
    }

    /// The connection holds a place among others until it has ended, all bytes included, and so has
    /// what is done for it.
    pub(super) fn holds(&self, place: Place) {
        // A connection serves one request, which asks once.
        let _ = self.0.place.set(place);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.0.works.send_modify(|turns| turns.works -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_turn_of_the_host_until_the_last_work_is_done() {
        let (working, works) = Working::new();
        let outer = working.begin();
        drop(working.begin());
        assert!(works.borrow().is_host(), "what goes around it is not done");
        drop(outer);
        assert!(!works.borrow().is_host());
    }
}
