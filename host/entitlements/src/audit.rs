//! Every refusal leaves an event.

use std::collections::HashMap;
use std::time::Instant;

use parking_lot::Mutex;
use trellis_core::{Entity, Trace};
use trellis_meters::TokenBucket;

use crate::denial::{Absence, AbsentEnd, Denial};

/// Where audit events go.
pub trait AuditSink: Send + Sync {
    /// A call was denied, which belongs to that.
    fn denied(&self, denial: &Denial, trace: Trace);

    /// An end of a call is not here: worth a line, though nobody did wrong.
    fn absent(&self, absence: &Absence, trace: Trace);
}

/// Denials as structured log lines with target `audit`, absences with target `call`.
/// Limited per origin so that one actor cannot drown the log; what is left out is counted and
/// reported with the next line. Each kind has lines of its own: what is no wrong hides no denial,
/// and each line counts what is like it.
#[derive(Default, Debug)]
pub struct LogAudit {
    denials: Lines,
    without_caller: Lines,
    without_callee: Lines,
    without_provider: Lines,
}

/// The lines of one kind.
#[derive(Default, Debug)]
struct Lines {
    origins: Mutex<HashMap<Option<Entity>, TokenBucket>>,
}

/// Lines a second for one origin, after the burst.
const AUDIT_LINES_PER_S: u32 = 100;
/// Lines at once for one origin.
const AUDIT_BURST_LINES: u32 = 1_000;

impl Lines {
    /// Whether this origin may have one more line, and how many it was refused before.
    fn line_of(&self, origin: Option<&Entity>) -> Option<u64> {
        let now = Instant::now();
        let mut origins = self.origins.lock();
        let bucket = origins
            .entry(origin.cloned())
            .or_insert_with(|| TokenBucket::new(AUDIT_LINES_PER_S, AUDIT_BURST_LINES, now));
        bucket.take(now)
    }
}

impl AuditSink for LogAudit {
    fn denied(&self, denial: &Denial, trace: Trace) {
        let Some(left_out) = self.denials.line_of(denial.origin.as_ref()) else { return };
        let origin = denial.origin.as_ref().map(ToString::to_string);
        tracing::warn!(
            target: "audit",
            event = "denied",
            reason = denial.reason.as_str(),
            origin = origin.as_deref().unwrap_or("unknown"),
            namespace = %denial.namespace.escape_debug(),
            binding = %denial.binding.escape_debug(),
            operation = %denial.operation.escape_debug(),
            trace_id = format_args!("{:032x}", trace.trace_id()),
            left_out,
            "{}", denial.message.escape_debug(),
        );
    }

    fn absent(&self, absence: &Absence, trace: Trace) {
        let lines = match absence.end {
            AbsentEnd::Caller => &self.without_caller,
            AbsentEnd::Callee => &self.without_callee,
            AbsentEnd::Provider => &self.without_provider,
        };
        let Some(left_out) = lines.line_of(absence.origin.as_ref()) else { return };
        let origin = absence.origin.as_ref().map(ToString::to_string);
        tracing::warn!(
            target: "call",
            end = absence.end.as_str(),
            origin = origin.as_deref().unwrap_or("unknown"),
            namespace = %absence.namespace.escape_debug(),
            operation = %absence.operation.escape_debug(),
            trace_id = format_args!("{:032x}", trace.trace_id()),
            left_out,
            "{}", absence.message.escape_debug(),
        );
    }
}
