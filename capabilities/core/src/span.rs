//! What was done within a trace, and who is told of it.

use std::time::Duration;

use crate::call::Trace;

/// Who is told of spans. There is one only where traces are recorded; whoever makes spans asks for
/// it first, so that nothing here costs anything without it.
pub trait Tracer: Send + Sync {
    /// A request comes in, with the trace that it brought along, or none. Gives the trace it goes
    /// on with: one that [`is_sampled`](Trace::is_sampled) is recorded, and nobody further in
    /// decides otherwise.
    fn enter(&self, given: Trace) -> Trace;

    /// Nanoseconds since 1970-01-01 UTC: when a span begins.
    fn now_unix_ns(&self) -> u64;

    /// A span ended. Returns at once, whatever becomes of it.
    fn record(&self, span: Span);
}

/// A piece of work within a trace.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Span {
    /// The trace, and in it this span: what is done within it has this as its trace.
    pub trace: Trace,
    /// The span that this one is part of; 0 for none.
    pub parent: u64,
    /// Which side of a call it is.
    pub kind: SpanKind,
    /// What was done, in few different words: `wascc:keyvalue/Get`.
    pub name: String,
    /// When it began, in nanoseconds since 1970-01-01 UTC.
    pub start_unix_ns: u64,
    /// How long it took.
    pub took: Duration,
    /// What is known of it, by the names of OpenTelemetry's semantic conventions.
    pub attributes: Vec<(&'static str, SpanValue)>,
    /// Why it failed, in the host's own words; empty when the error's code says it all.
    pub failure: Option<String>,
}

/// Which side of a call a span is.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum SpanKind {
    /// Within one process.
    #[default]
    Internal,
    /// A request from outside.
    Server,
    /// A request to something outside.
    Client,
}

/// What is known of a span.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SpanValue {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
}

impl Span {
    /// A span that begins now within `outer`, a trace that is recorded. `span_id` is anything but 0
    /// that no other span of the trace has.
    #[must_use]
    pub fn begin(outer: Trace, (kind, span_id): (SpanKind, u64), start_unix_ns: u64) -> Self {
        Self {
            trace: outer.within(span_id),
            parent: outer.span_id(),
            kind,
            start_unix_ns,
            ..Self::default()
        }
    }

    /// Says something of it.
    pub fn say(&mut self, name: &'static str, value: impl Into<SpanValue>) {
        self.attributes.push((name, value.into()));
    }

    /// What was said of it.
    #[must_use]
    pub fn said(&self, name: &str) -> Option<&SpanValue> {
        self.attributes.iter().find(|(said, _)| *said == name).map(|(_, value)| value)
    }
}

impl From<&str> for SpanValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for SpanValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for SpanValue {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_part_of_the_one_it_begins_in() {
        let outer = Trace::new([1, 2], 3).with_sampled(true);
        let mut span = Span::begin(outer, (SpanKind::Client, 4), 5);
        assert_eq!((span.parent, span.trace), (3, outer.within(4)));
        span.say("a", "b");
        assert_eq!(span.said("a"), Some(&SpanValue::Text("b".to_owned())));
        assert_eq!(span.said("c"), None);
    }
}
