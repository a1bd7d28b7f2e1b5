//! What the operating system asks of the host.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// TERM and INT to stop, HUP to read the manifest again.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// One request of the operating system or the user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Request {
    /// Stop; a second one stops at once.
    Stop,
    /// Read the manifest again.
    Reload,
}

impl Signals {
    /// Takes the signals over from their defaults.
    ///
    /// # Errors
    /// When the operating system refuses the handlers.
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next request.
    pub(crate) async fn next(&mut self) -> Request {
        tokio::select! {
            _ = self.terminate.recv() => Request::Stop,
            _ = self.interrupt.recv() => Request::Stop,
            _ = self.hangup.recv() => Request::Reload,
        }
    }

    /// Waits until the host is told to stop.
    pub(crate) async fn stop(&mut self) {
        while self.next().await != Request::Stop {}
    }
}
