//! What guests print, in the host's own log.

use trellis_engine::{LogSink, LogSource};

/// Each line becomes one structured event; the engine has bounded and escaped it.
pub(crate) struct GuestLog;

impl LogSink for GuestLog {
    fn line(&self, actor: &str, source: LogSource, line: &str) {
        if source.is_warning(line) {
            tracing::warn!(target: "actor", actor, "{line}");
        } else {
            tracing::info!(target: "actor", actor, "{line}");
        }
    }
}
