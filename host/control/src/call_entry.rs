//! Calls that were looked at, and why they were let through or not.

use std::fmt;

use serde::{Deserialize, Serialize};
use trellis_core::Code;

/// One call of an actor, or by it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CallEntry {
    /// When it ended, as RFC 3339 has it.
    pub time: String,
    /// What it belongs to: 32 hex digits, for `trellis why`.
    pub trace_id: String,
    /// Who asked: the name of an actor, or a contract and a binding of a provider, or `system`.
    pub caller: String,
    /// Who was asked: a name in the manifest.
    pub callee: String,
    /// The operation.
    pub operation: String,
    /// How many calls stood above it.
    pub depth: u32,
    /// The size of the request.
    pub request_bytes: u64,
    /// The size of the answer, if there was one.
    pub reply_bytes: Option<u64>,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// What came of it.
    pub outcome: CallOutcome,
    /// The code, of one that failed.
    #[serde(default, with = "crate::code::optional", skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// What was said, for who may see payloads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<PayloadEntry>,
}

/// What was said in a call, in hex digits, as much as is shown.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PayloadEntry {
    /// The request.
    pub request_hex: String,
    /// The answer.
    pub reply_hex: String,
    /// What one that failed says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What came of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// It was answered.
    Answered,
    /// It failed.
    Failed,
    /// Its caller gave it up.
    GivenUp,
}

/// What was decided of one call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Decision {
    /// When, as RFC 3339 has it.
    pub time: String,
    /// What the call belongs to: 32 hex digits.
    pub trace_id: String,
    /// What was decided.
    pub verdict: Verdict,
    /// By what: `claims`, `grants`, `binding`, `contract`, `calls`, `policy` or `presence`.
    pub by: String,
    /// The code, of one that was refused or failed.
    #[serde(default, with = "crate::code::optional", skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Who asked, as far as it is known.
    pub caller: Option<String>,
    /// What was asked for: a contract, or the name of an actor.
    pub callee: String,
    /// The operation, as far as it is known.
    pub operation: Option<String>,
    /// Why, as a sentence.
    pub why: String,
}

/// What was decided of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was refused: claims, bindings or a rule do not allow it.
    Denied,
    /// It was refused: one of its ends was not there.
    Absent,
    /// It was let through, and failed.
    Failed,
    /// It was let through.
    Allowed,
}

impl CallOutcome {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Answered, Self::Failed, Self::GivenUp];

    /// The word that people and programs read.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::GivenUp => "given_up",
        }
    }
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Denied, Self::Absent, Self::Failed, Self::Allowed];

    /// The word that people and programs read.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Absent => "absent",
            Self::Failed => "failed",
            Self::Allowed => "allowed",
        }
    }
}

impl Decision {
    /// What the call passed and where it ended, as the gate asks: claims, binding, rule, result.
    #[must_use]
    pub fn road(&self) -> String {
        let by = &*self.by;
        match (self.verdict, by) {
            (Verdict::Allowed, "binding") => "claims > binding > policy".to_owned(),
            (Verdict::Allowed, _) => format!("{by} > policy"),
            (Verdict::Failed, _) => "let through > failed".to_owned(),
            (Verdict::Denied, "binding") => "claims > no binding".to_owned(),
            (Verdict::Denied, "contract" | "grants") => {
                format!("claims > binding > refused by {by}")
            }
            (Verdict::Denied, "policy") => "claims > refused by policy".to_owned(),
            (Verdict::Denied, _) => format!("refused by {by}"),
            (Verdict::Absent, _) => "not there".to_owned(),
        }
    }
}

impl fmt::Display for CallOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// `TIME web -> store Get answered 12 B -> 3 B in 140 us, trace 4bf9…`
impl fmt::Display for CallEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { time, caller, callee, operation, outcome, request_bytes, .. } = self;
        write!(f, "{time} {caller} -> {callee} {operation} {outcome}")?;
        self.code.iter().try_for_each(|code| write!(f, " {code}"))?;
        write!(f, " {request_bytes} B")?;
        self.reply_bytes.iter().try_for_each(|bytes| write!(f, " -> {bytes} B"))?;
        write!(f, " in {} us, trace {}", self.took_us, self.trace_id)?;
        let Some(PayloadEntry { request_hex, reply_hex, message }) = &self.payload else {
            return Ok(());
        };
        write!(f, ", request {request_hex}, reply {reply_hex}")?;
        message.iter().try_for_each(|message| write!(f, ": {message}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_reads_as_the_road() {
        for (verdict, by, road) in [
            (Verdict::Allowed, "binding", "claims > binding > policy"),
            (Verdict::Allowed, "calls", "calls > policy"),
            (Verdict::Failed, "callee", "let through > failed"),
            (Verdict::Denied, "claims", "refused by claims"),
            (Verdict::Denied, "binding", "claims > no binding"),
            (Verdict::Denied, "grants", "claims > binding > refused by grants"),
            (Verdict::Denied, "policy", "claims > refused by policy"),
            (Verdict::Denied, "calls", "refused by calls"),
            (Verdict::Absent, "presence", "not there"),
        ] {
            let decision = Decision {
                time: "T".to_owned(),
                trace_id: "4b".to_owned(),
                verdict,
                by: by.to_owned(),
                code: None,
                caller: None,
                callee: "store".to_owned(),
                operation: None,
                why: "so".to_owned(),
            };
            assert_eq!(decision.road(), road, "{verdict} by {by}");
        }
    }

    #[test]
    fn a_call_is_a_line_and_reads_back() {
        let entry = CallEntry {
            time: "T".to_owned(),
            trace_id: "4b".to_owned(),
            caller: "web".to_owned(),
            callee: "store".to_owned(),
            operation: "Get".to_owned(),
            depth: 1,
            request_bytes: 12,
            reply_bytes: None,
            took_us: 140,
            outcome: CallOutcome::Failed,
            code: Some(Code::Timeout),
            payload: None,
        };
        let line = "T web -> store Get failed E_TIMEOUT 12 B in 140 us, trace 4b";
        assert_eq!(entry.to_string(), line);
        let json = serde_json::to_string(&entry).expect("it is data");
        assert!(json.contains("E_TIMEOUT") && !json.contains("payload"), "{json}");
        assert_eq!(serde_json::from_str::<CallEntry>(&json).expect("it reads back"), entry);
        for outcome in CallOutcome::ALL {
            assert_eq!(serde_json::to_value(outcome).expect("a word"), outcome.as_str());
        }
        for verdict in Verdict::ALL {
            assert_eq!(serde_json::to_value(verdict).expect("a word"), verdict.as_str());
        }
    }
}
