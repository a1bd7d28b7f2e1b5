//! A request under way: whose turn it is, the client's or the host's.

use tokio::sync::watch;

/// Whether the host works on what a connection asked for. Its client is not waited for meanwhile.
#[derive(Debug)]
pub(super) struct Working(watch::Sender<bool>);

/// The time in which the host works, until it is dropped.
pub(super) struct Turn<'a>(&'a Working);

impl Working {
    /// The client's turn comes first.
    pub(super) fn new() -> (Self, watch::Receiver<bool>) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), receiver)
    }

    /// The host has all it needs and begins to work.
    pub(super) fn begin(&self) -> Turn<'_> {
        self.0.send_replace(true);
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.0.send_replace(false);
    }
}
