//! What guests print, in the host's own log.

use trellis_engine::{LogLevel, LogSink, LogSource};

/// Each line becomes one structured event; the engine has bounded and escaped it.
pub(crate) struct GuestLog;

impl LogSink for GuestLog {
    fn line(&self, actor: &str, source: LogSource, line: &str) {
        match source.level(line) {
            LogLevel::Warn => tracing::warn!(target: "actor", actor, "{line}"),
            LogLevel::Info => tracing::info!(target: "actor", actor, "{line}"),
            LogLevel::Debug => tracing::debug!(target: "actor", actor, "{line}"),
            LogLevel::Trace => tracing::trace!(target: "actor", actor, "{line}"),
        }
    }
}
