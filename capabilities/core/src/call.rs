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

/// W3C Trace Context: which request a call belongs to. The default is "no trace".
///
/// Source: <https://www.w3.org/TR/trace-context/>, `traceparent` version 00.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Trace {
    /// 16 bytes shared by every call of one request. In quarters, as the span is in halves, so that
    /// the flag fits in beside them: with larger numbers every message on the road would grow.
    trace_id: [u32; 4],
    /// 8 bytes naming the caller's span; 0 where the trace begins.
    span_id: [u32; 2],
    /// Whether the trace is recorded, as far as whoever began it knows.
    #[serde(default)]
    sampled: bool,
}

impl Trace {
    /// A trace of these ids that nobody records; a zero trace id means "no trace".
    #[must_use]
    #[inline]
    pub const fn new([high, low]: [u64; 2], span_id: u64) -> Self {
        let ([a, b], [c, d]) = (halves(high), halves(low));
        Self { trace_id: [a, b, c, d], span_id: halves(span_id), sampled: false }
    }

    /// The same trace, recorded or not.
    #[must_use]
    #[inline]
    pub const fn with_sampled(self, sampled: bool) -> Self {
        Self { sampled, ..self }
    }

    /// The same trace, as what is done within this span sees it.
    #[must_use]
    #[inline]
    pub const fn within(self, span_id: u64) -> Self {
        Self { span_id: halves(span_id), ..self }
    }

    /// True for the default: nobody gave this call a trace.
    #[must_use]
    #[inline]
    pub const fn is_none(&self) -> bool {
        matches!(self.trace_id, [0, 0, 0, 0])
    }

    /// True for a trace that is recorded.
    #[must_use]
    #[inline]
    pub const fn is_sampled(&self) -> bool {
        self.sampled
    }

    /// The 16 bytes shared by every call of one request; 0 means "no trace".
    #[must_use]
    pub const fn trace_id(&self) -> u128 {
        let [a, b, c, d] = self.trace_id;
        (whole(a, b) as u128) << 64 | whole(c, d) as u128
    }

    /// The caller's span; 0 where the trace begins.
    #[must_use]
    pub const fn span_id(&self) -> u64 {
        let [high, low] = self.span_id;
        whole(high, low)
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
        let number = |digits: &str| u64::from_str_radix(digits, 16).ok();
        let trace_id = [number(&trace[..16])?, number(&trace[16..])?];
        let span_id = number(span).filter(|id| *id != 0)?;
        let sampled = number(flags)? & SAMPLED != 0;
        Some(Self::new(trace_id, span_id).with_sampled(sampled)).filter(|trace| !trace.is_none())
    }

    /// Writes the `traceparent` header for a call below this one.
    #[must_use]
    pub fn to_traceparent(self) -> String {
        let flags = if self.sampled { SAMPLED } else { 0 };
        format!("00-{:032x}-{:016x}-{flags:02x}", self.trace_id(), self.span_id())
    }
}

/// The flag of a trace that is recorded.
const SAMPLED: u64 = 1;

const fn halves(number: u64) -> [u32; 2] {
    [(number >> 32) as u32, number as u32]
}

const fn whole(high: u32, low: u32) -> u64 {
    (high as u64) << 32 | low as u64
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sampled = if self.sampled { ", sampled" } else { "" };
        write!(f, "Trace({:032x}/{:016x}{sampled})", self.trace_id(), self.span_id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traceparent_round_trips() {
        for (flags, sampled) in [("00", false), ("01", true)] {
            let text = format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}");
            let trace = Trace::from_traceparent(&text).expect("the standard's own example");
            assert_eq!(trace.to_traceparent(), text);
            assert_eq!(trace.is_sampled(), sampled, "{text}");
            assert_eq!(trace.trace_id(), 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
            assert_eq!(trace.span_id(), 0xb7ad_6b71_6920_3331);
        }
        // Flags of later versions are not ours to pass on.
        let later = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-07-more";
        assert!(Trace::from_traceparent(later).is_some_and(|trace| trace.is_sampled()));
    }

    #[test]
    fn a_trace_takes_no_more_room_than_its_ids_and_a_word() {
        assert_eq!((size_of::<Trace>(), align_of::<Trace>()), (28, 4));
    }

    #[test]
    fn what_is_done_within_a_span_belongs_to_the_same_trace() {
        let trace = Trace::new([1, 2], 3).with_sampled(true);
        assert_eq!(trace.within(4), Trace::new([1, 2], 4).with_sampled(true));
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
