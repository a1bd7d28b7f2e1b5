//! Why calls were refused, and others let through: kept for who asks with a trace.

use std::sync::Arc;

use trellis_control::{Decision, Verdict, rfc3339};
use trellis_core::{CallError, Code, Entity, Trace};
use trellis_dispatch::SeenCall;
use trellis_entitlements::{Absence, AbsentEnd, AuditSink, Denial, LogAudit, Reason};
use trellis_limits::fixed::DECISIONS_KEPT;

use super::ring::{Bounds, Ring};
use super::stamp::now_unix_ms;

/// Longest text of a decision, in bytes: what a guest asks for, and how an actor fails, are its own
/// words.
const TEXT_BYTES_MAX: usize = 512;

/// The latest decisions.
pub(crate) struct Decisions {
    /// What was refused has a place of its own: what goes well, or fails all the time, drives none
    /// of it out.
    refused: Ring<Decision>,
    others: Ring<Decision>,
}

impl Default for Decisions {
    fn default() -> Self {
        let ring = || Ring::new(Bounds { items_max: DECISIONS_KEPT.default, bytes_max: u64::MAX });
        Self { refused: ring(), others: ring() }
    }
}

impl Decisions {
    /// Those of a trace, or all: first what was refused, each kind the oldest first.
    pub(crate) fn of(&self, trace: Option<&str>) -> Vec<Decision> {
        let all = [&self.refused, &self.others].into_iter().flat_map(Ring::all);
        let meant = all.filter(|it| trace.is_none_or(|trace| it.trace_id == trace));
        meant.map(Arc::unwrap_or_clone).collect()
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
        self.others.push(0, |_| Decision {
            caller: Some(clip(caller)),
            operation: Some(clip(&call.operation)),
            ..decision((Verdict::Allowed, by, None), (callee, &why), call.trace)
        });
    }

    /// One was let through, and failed.
    pub(crate) fn failed(&self, callee: &str, error: &CallError, trace: Trace) {
        let verdict = (Verdict::Failed, "callee", Some(error.code()));
        self.others.push(0, |_| decision(verdict, (callee, error.message()), trace));
    }

    fn denied(&self, denial: &Denial, trace: Trace) {
        let verdict = (Verdict::Denied, by(denial.reason), Some(Code::Denied));
        self.refused.push(0, |_| Decision {
            caller: denial.origin.as_ref().map(ToString::to_string),
            operation: Some(clip(&denial.operation)),
            ..decision(verdict, (&denial.namespace, &denial.message), trace)
        });
    }

    fn absent(&self, absence: &Absence, trace: Trace) {
        let code = match absence.end {
            AbsentEnd::Caller => Code::Stopping,
            AbsentEnd::Callee => Code::NotFound,
            AbsentEnd::Provider => Code::Provider,
        };
        self.refused.push(0, |_| Decision {
            caller: absence.origin.as_ref().map(ToString::to_string),
            operation: Some(clip(&absence.operation)),
            ..decision(
                (Verdict::Absent, "presence", Some(code)),
                (&absence.namespace, &absence.message),
                trace,
            )
        });
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
    fn what_was_refused_comes_first_and_nothing_else_drives_it_out() {
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
}
