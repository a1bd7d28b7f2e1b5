//! Why calls were refused, and others let through: kept for who asks with a trace.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use trellis_control::{Decision, Verdict, rfc3339};
use trellis_core::{CallError, Code, Entity, Trace};
use trellis_dispatch::SeenCall;
use trellis_entitlements::{Absence, AbsentEnd, AuditSink, Denial, LogAudit, Reason};
use trellis_limits::followed::DECISIONS_KEPT;

use super::ring::{Bounds, Ring};
use super::stamp::now_unix_ms;

/// Longest text of a decision, in bytes: what a guest asks for, and how an actor fails, are its own
/// words.
const TEXT_BYTES_MAX: usize = 512;

/// The latest decisions.
pub(crate) struct Decisions {
    /// What was refused has a place of its own: what goes well, or fails all the time, drives none
    /// of it out.
    refused: Ring<Numbered>,
    others: Ring<Numbered>,
    /// How many there were of both.
    count: AtomicU64,
}

/// One with its place among all.
#[derive(Clone)]
struct Numbered {
    number: u64,
    decision: Decision,
}

impl Default for Decisions {
    fn default() -> Self {
        let ring = || Ring::new(Bounds { items_max: DECISIONS_KEPT.default, bytes_max: u64::MAX });
        Self { refused: ring(), others: ring(), count: AtomicU64::new(0) }
    }
}

impl Decisions {
    /// Those of a trace, or all, in the order in which they were made: what a call asked for
    /// stands before what came of it.
    pub(crate) fn of(&self, trace: Option<&str>) -> Vec<Decision> {
        let all = [&self.refused, &self.others].into_iter().flat_map(Ring::all);
        let is_meant = |it: &Arc<Numbered>| trace.is_none_or(|id| it.decision.trace_id == id);
        let mut meant: Vec<_> = all.filter(is_meant).collect();
        meant.sort_by_key(|it| it.number);
        meant.into_iter().map(|it| Arc::unwrap_or_clone(it).decision).collect()
    }

    /// When the oldest was made that is kept, of what was refused and of all else.
    pub(crate) fn since(&self) -> [Option<String>; 2] {
        let oldest = |ring: &Ring<Numbered>| Some(ring.oldest()?.decision.time.clone());
        [oldest(&self.refused), oldest(&self.others)]
    }

    fn keep(&self, ring: &Ring<Numbered>, decision: Decision) {
        // Relaxed: it only has to be another one each time.
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        ring.push(0, |_| Numbered { number, decision });
    }

    /// A call was let through, and somebody looked.
    pub(crate) fn allowed(&self, call: &SeenCall, caller: &str) {
        let callee = &*call.callee;
        let (by, why) = match (&call.origin, &call.target) {
            (_, Entity::Provider { contract, binding }) => {
                let leads = format!("its binding {binding} leads to {callee}");
                ("binding", format!("the claims of {caller} have {contract}, and {leads}"))
            }
            (Entity::Provider { contract, binding }, _) => {
                let leads = format!("its binding {binding} leads to the provider that calls");
                ("binding", format!("the claims of {callee} have {contract}, and {leads}"))
            }
            (Entity::System, _) => {
                ("system", "the host calls actors for who may use its admin API".to_owned())
            }
            _ => {
                let may = format!("the claims of {caller}, or `calls: open`, let it call {callee}");
                ("calls", may)
            }
        };
        let decision = Decision {
            caller: Some(clip(caller)),
            operation: Some(clip(&call.operation)),
            ..decision((Verdict::Allowed, by, None), (callee, &why), call.trace)
        };
        self.keep(&self.others, decision);
    }

    /// One was let through, and failed.
    pub(crate) fn failed(&self, callee: &str, error: &CallError, trace: Trace) {
        let verdict = (Verdict::Failed, "callee", Some(error.code()));
        self.keep(&self.others, decision(verdict, (callee, error.message()), trace));
    }

    fn denied(&self, denial: &Denial, trace: Trace) {
        let verdict = (Verdict::Denied, by(denial.reason), Some(Code::Denied));
        let decision = Decision {
            caller: denial.origin.as_ref().map(ToString::to_string),
            operation: Some(clip(&denial.operation)),
            ..decision(verdict, (&denial.namespace, &denial.message), trace)
        };
        self.keep(&self.refused, decision);
    }

    fn absent(&self, absence: &Absence, trace: Trace) {
        let code = match absence.end {
            AbsentEnd::Caller => Code::Stopping,
            AbsentEnd::Callee => Code::NotFound,
            AbsentEnd::Provider => Code::Provider,
        };
        let (verdict, why) =
            ((Verdict::Absent, "presence", Some(code)), (&*absence.namespace, &*absence.message));
        let decision = Decision {
            caller: absence.origin.as_ref().map(ToString::to_string),
            operation: Some(clip(&absence.operation)),
            ..decision(verdict, why, trace)
        };
        self.keep(&self.refused, decision);
    }
}

/// What denied a call.
const fn by(reason: Reason) -> &'static str {
    match reason {
        Reason::NotClaimed => "claims",
        Reason::NotGranted => "grants",
        Reason::NotBound => "binding",
        Reason::UnknownOperation | Reason::WrongDirection => "contract",
        Reason::NotCallable => "calls",
        Reason::Policy => "policy",
    }
}

fn decision(
    (verdict, by, code): (Verdict, &str, Option<Code>),
    (callee, why): (&str, &str),
    trace: Trace,
) -> Decision {
    Decision {
        time: rfc3339(now_unix_ms()),
        trace_id: trace_id(trace),
        verdict,
        by: by.to_owned(),
        code,
        caller: None,
        callee: clip(callee),
        operation: None,
        why: clip(why),
    }
}

/// A trace as it is written everywhere.
pub(crate) fn trace_id(trace: Trace) -> String {
    format!("{:032x}", trace.trace_id())
}

fn clip(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned()
}

/// The audit trail of a host: the log, and what is kept.
pub(crate) struct KeptAudit {
    pub(crate) log: LogAudit,
    pub(crate) kept: Arc<Decisions>,
}

impl AuditSink for KeptAudit {
    fn denied(&self, denial: &Denial, trace: Trace) {
        self.log.denied(denial, trace);
        self.kept.denied(denial, trace);
    }

    fn absent(&self, absence: &Absence, trace: Trace) {
        self.log.absent(absence, trace);
        self.kept.absent(absence, trace);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denial(namespace: String) -> Denial {
        Denial {
            reason: Reason::NotClaimed,
            origin: Some(Entity::System),
            namespace,
            binding: String::new(),
            operation: "Get".to_owned(),
            message: "it is not claimed".to_owned(),
        }
    }

    #[test]
    fn what_was_refused_is_driven_out_by_nothing_else() {
        let kept = Decisions::default();
        let trace = |number| Trace::new([0, number], 1);
        kept.denied(&denial("a".repeat(9_000)), trace(7));
        let error = CallError::new(Code::Trap, "it traps");
        let most = DECISIONS_KEPT.default;
        (0..most + 3).for_each(|_| kept.failed("counter", &error, trace(7)));
        kept.failed("counter", &error, trace(8));
        let all = kept.of(None);
        assert_eq!(all.len() as u64, most + 1, "{}", DECISIONS_KEPT.name);
        let first = all.first().expect("the denial");
        assert_eq!((first.verdict, &*first.by), (Verdict::Denied, "claims"));
        assert_eq!(first.callee.len(), TEXT_BYTES_MAX, "a guest chose it");
        let one = kept.of(Some(&trace_id(trace(8))));
        assert_eq!(one.iter().map(|it| it.verdict).collect::<Vec<_>>(), [Verdict::Failed]);
        (0..most + 3).for_each(|_| kept.denied(&denial(String::new()), trace(9)));
        assert_eq!(kept.of(None).len() as u64, 2 * most);
        assert!(kept.of(Some("0")).is_empty());
    }

    #[test]
    fn they_stand_in_the_order_in_which_they_were_made() {
        let kept = Decisions::default();
        assert_eq!(kept.since(), [None, None]);
        let (trace, error) = (Trace::new([0, 7], 1), CallError::new(Code::Guest, "it fails"));
        kept.failed("first", &error, trace);
        kept.denied(&denial("second".to_owned()), trace);
        kept.failed("third", &error, trace);
        let all = kept.of(Some(&trace_id(trace)));
        let callees: Vec<_> = all.iter().map(|it| &*it.callee).collect();
        assert_eq!(callees, ["first", "second", "third"]);
        let times = [&all[1].time, &all[0].time].map(|time| Some(time.clone()));
        assert_eq!(kept.since(), times);
    }
}
