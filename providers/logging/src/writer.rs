//! The one operation of the contract.

use std::time::Instant;

use parking_lot::Mutex;
use tracing::{debug, error, info, trace, warn};
use trellis_capabilities_logging as contract;
use trellis_capabilities_logging::Level;
use trellis_core::{ActorKey, CallError};
use trellis_providers_sdk::TokenBucket;

use crate::metrics::Metrics;
use crate::text::one_line;

/// Longest part of a name an actor gives to where it speaks from, in bytes.
const TARGET_BYTES_MAX: usize = 256;
/// Longest line, in bytes; the rest is cut.
const LINE_BYTES_MAX: usize = 8 << 10;

/// Writes lines; whose they are is in the caller's [`Source`].
#[derive(Debug)]
pub(crate) struct Writer {
    metrics: Metrics,
}

/// The actor behind a binding, and how much more it may write.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) key: ActorKey,
    pub(crate) name: String,
    pub(crate) bucket: Mutex<TokenBucket>,
}

impl Writer {
    pub(crate) const fn new(metrics: Metrics) -> Self {
        Self { metrics }
    }
}

impl contract::Provider for Writer {
    type Caller = Source;

    async fn write_log(&self, source: &Source, line: contract::Line) -> Result<(), CallError> {
        let Some(lost) = source.bucket.lock().take(Instant::now()) else {
            self.metrics.dropped.inc();
            return Ok(());
        };
        if lost > 0 {
            warn!(target: "actor", actor = %source.name, key = %source.key, lost, "lines were lost: too many");
        }
        let (body, cut) = one_line(&line.body, LINE_BYTES_MAX);
        if cut {
            self.metrics.cut.inc();
        }
        let part = line.target.as_deref().unwrap_or_default();
        write(source, line.level, &one_line(part, TARGET_BYTES_MAX).0, &body);
        self.metrics.written.inc();
        Ok(())
    }
}

fn write(source: &Source, level: Level, part: &str, body: &str) {
    macro_rules! event {
        ($write:ident) => {
            $write!(target: "actor", actor = %source.name, key = %source.key, part, "{body}")
        };
    }
    match level {
        Level::Error => event!(error),
        Level::Warn => event!(warn),
        Level::Info => event!(info),
        Level::Debug => event!(debug),
        Level::Trace => event!(trace),
    }
}
