//! Every denial leaves an event.

use std::collections::HashMap;
use std::time::Instant;

use parking_lot::Mutex;
use trellis_core::Entity;
use trellis_meters::TokenBucket;

use crate::denial::Denial;

/// Where audit events go.
pub trait AuditSink: Send + Sync {
    /// A call was refused.
    fn denied(&self, denial: &Denial);
}

/// Audit events as structured log lines with target `audit`, limited per origin so that one actor
/// cannot drown the log; what is left out is counted and reported with the next line.
#[derive(Default, Debug)]
pub struct LogAudit {
    origins: Mutex<HashMap<Option<Entity>, TokenBucket>>,
}

/// Audit lines a second for one origin, after the burst.
const AUDIT_LINES_PER_S: u32 = 100;
/// Audit lines at once for one origin.
const AUDIT_BURST_LINES: u32 = 1_000;

impl AuditSink for LogAudit {
    fn denied(&self, denial: &Denial) {
        let now = Instant::now();
        let mut origins = self.origins.lock();
        let bucket = origins
            .entry(denial.origin.clone())
            .or_insert_with(|| TokenBucket::new(AUDIT_LINES_PER_S, AUDIT_BURST_LINES, now));
        let Some(left_out) = bucket.take(now) else { return };
        drop(origins);
        let origin = denial.origin.as_ref().map(ToString::to_string);
        tracing::warn!(
            target: "audit",
            event = "denied",
            reason = denial.reason.as_str(),
            origin = origin.as_deref().unwrap_or("unknown"),
            namespace = %denial.namespace.escape_debug(),
            binding = %denial.binding.escape_debug(),
            operation = %denial.operation.escape_debug(),
            left_out,
            "{}", denial.message.escape_debug(),
        );
    }
}
