//! What guests print, in the host's own log.

use trellis_engine::{LogSink, LogSource};

/// Each line becomes one structured event; the engine has bounded and escaped it.
pub(crate) struct GuestLog;

impl LogSink for GuestLog {
    fn line(&self, actor: &str, source: LogSource, line: &str) {
        match source {
            LogSource::Console | LogSource::Stdout => {
                tracing::info!(target: "actor", actor, "{line}")
            }
            LogSource::Stderr | LogSource::Host => tracing::warn!(target: "actor", actor, "{line}"),
        }
    }
}
