//! The end of a host.

use std::time::{Duration, Instant};

use tokio::time::timeout;
use trellis_control::{EditEntry, Phase};

use super::Life;
use crate::signals::Signals;

/// How long a host that stops waits for the disk that keeps what ran.
const KEEPING_TIME_MAX: Duration = Duration::from_secs(1);

impl Life {
    /// Drains, unless a second signal says that nobody wants to wait.
    pub(super) async fn stop(self, signals: &mut Signals) {
        self.readiness.enter(Phase::Stopping);
        tracing::info!("stopping; a second signal stops at once");
        self.tell_of_edits();
        let stop = async {
            self.host.stop(Instant::now() + self.drain).await;
            if timeout(KEEPING_TIME_MAX, self.loader.remembered()).await.is_err() {
                tracing::warn!("what ran is not kept for the next start: the disk does not answer");
            }
        };
        tokio::select! {
            () = stop => tracing::info!("stopped"),
            () = signals.stop() => tracing::warn!("stopped at once; calls were cut"),
        }
    }

    /// The host ends, and with it what runs by edits.
    fn tell_of_edits(&self) {
        let edits = self.edits.look(|book| book.entries().edits);
        edits.iter().for_each(|EditEntry { kind, name, what, .. }| {
            tracing::warn!("{kind} {name} is {what} by an edit, which the next start forgets");
        });
    }
}
