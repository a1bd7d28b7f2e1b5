//! One call, as the whole host sees it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::entity::Entity;

/// The two ends of a call, as the gate established them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parties<'a> {
    /// Who asks.
    pub origin: &'a Entity,
    /// Who is asked.
    pub target: &'a Entity,
}

/// The ids of W3C Trace Context: which request a call belongs to. The default is "no trace".
///
/// Source: <https://www.w3.org/TR/trace-context/>, `traceparent` version 00.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Trace {
    /// 16 bytes shared by every call of one request, as two halves: a `u128` would align every
    /// message on the road to 16 bytes.
    trace_id: [u64; 2],
    /// 8 bytes naming the caller's span.
    span_id: u64,
}

impl Trace {
    /// A trace of these ids; a zero trace id means "no trace".
    #[must_use]
    #[inline]
    pub const fn new(trace_id: [u64; 2], span_id: u64) -> Self {
        Self { trace_id, span_id }
    }

    /// True for the default: nobody gave this call a trace.
    #[must_use]
    #[inline]
    pub const fn is_none(&self) -> bool {
        matches!(self.trace_id, [0, 0])
    }

    /// The 16 bytes shared by every call of one request; 0 means "no trace".
    #[must_use]
    pub const fn trace_id(&self) -> u128 {
        let [high, low] = self.trace_id;
        (high as u128) << 64 | low as u128
    }

    /// Reads a `traceparent` header; anything malformed is no trace, as the standard asks.
    #[must_use]
    pub fn from_traceparent(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace, span, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let lower_hex =
            |part: &str| part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let shape = version.len() == 2 && trace.len() == 32 && span.len() == 16 && flags.len() == 2;
        let extra = version == "00" && parts.next().is_some();
        if !shape
            || extra
            || version == "ff"
            || ![version, trace, span, flags].into_iter().all(lower_hex)
        {
            return None;
        }
        let half = |digits: &str| u64::from_str_radix(digits, 16).ok();
        let trace_id = [half(&trace[..16])?, half(&trace[16..])?];
        let span_id = half(span).filter(|id| *id != 0)?;
        Some(Self { trace_id, span_id }).filter(|trace| !trace.is_none())
    }

    /// Writes the `traceparent` header for a call below this one.
    #[must_use]
    pub fn to_traceparent(self) -> String {
        format!("00-{:032x}-{:016x}-01", self.trace_id(), self.span_id)
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trace({:032x}/{:016x})", self.trace_id(), self.span_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traceparent_round_trips() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let trace = Trace::from_traceparent(text).expect("the standard's own example");
        assert_eq!(trace.to_traceparent(), text);
    }

    #[test]
    fn malformed_traceparents_are_no_trace() {
        for text in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(Trace::from_traceparent(text), None, "{text}");
        }
    }
}
