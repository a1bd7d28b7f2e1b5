//! Spans.

use trellis_core::{Span, SpanKind};

use super::common::{Resource, attribute, resource, scope, value};
use super::writer::Writer;

/// `STATUS_CODE_ERROR`.
const ERROR: u64 = 2;
/// The flag of a trace that is recorded.
const SAMPLED: u32 = 1;

/// An `ExportTraceServiceRequest`.
pub(crate) fn traces(who: &Resource, spans: &[Span]) -> Vec<u8> {
    Writer::of(|message| {
        message.message(1, |message| {
            resource(message, who);
            message.message(2, |message| {
                scope(message);
                spans.iter().for_each(|it| message.message(2, |message| span(message, it)));
            });
        });
    })
}

fn span(message: &mut Writer, span: &Span) {
    let took = u64::try_from(span.took.as_nanos()).unwrap_or(u64::MAX);
    message.bytes(1, &span.trace.trace_id().to_be_bytes());
    message.bytes(2, &span.trace.span_id().to_be_bytes());
    if span.parent != 0 {
        message.bytes(4, &span.parent.to_be_bytes());
    }
    message.text(5, &span.name);
    message.varint(6, kind(span.kind));
    message.fixed64(7, span.start_unix_ns);
    message.fixed64(8, span.start_unix_ns.saturating_add(took));
    for (name, said) in &span.attributes {
        attribute(message, 9, name, |message| value(message, said));
    }
    if let Some(why) = &span.failure {
        message.message(15, |message| {
            message.text(2, why);
            message.varint(3, ERROR);
        });
    }
    message.fixed32(16, SAMPLED);
}

const fn kind(kind: SpanKind) -> u64 {
    match kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use prost::Message as _;
    use trellis_core::Trace;

    use super::*;

    #[test]
    fn a_receiver_reads_what_was_told() {
        let outer = Trace::new([0x0102, 0x0304], 0x05).with_sampled(true);
        let mut told = Span::begin(outer, (SpanKind::Client, 0x06), 1_000);
        told.name = "wascc:keyvalue/Get".to_owned();
        told.took = Duration::from_nanos(234);
        told.say("rpc.method", "é");
        told.say("empty", "");
        told.say("http.response.status_code", 503);
        told.say("negative", -1);
        told.say("zero", 0);
        told.failure = Some("why".to_owned());
        let root = Span::begin(outer.within(0), (SpanKind::Server, 7), 1);
        let who = vec![("service.name".to_owned(), "app".to_owned())];
        let bytes = traces(&who, &[told, root]);

        let read = ExportTraceServiceRequest::decode(&*bytes).expect("a message");
        let [group] = &read.resource_spans[..] else { panic!("{read:?}") };
        let resource = group.resource.as_ref().expect("a resource");
        assert_eq!(resource.attributes[0].key, "service.name");
        let [scope] = &group.scope_spans[..] else { panic!("{read:?}") };
        assert_eq!(scope.scope.as_ref().map(|scope| &*scope.name), Some("trellis"));
        let [span, root] = &scope.spans[..] else { panic!("{scope:?}") };
        assert_eq!(span.trace_id, [0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 3, 4]);
        assert_eq!(span.span_id, [0, 0, 0, 0, 0, 0, 0, 6]);
        assert_eq!(span.parent_span_id, [0, 0, 0, 0, 0, 0, 0, 5]);
        assert_eq!((span.kind, root.kind), (3, 2));
        assert_eq!((span.start_time_unix_nano, span.end_time_unix_nano), (1_000, 1_234));
        assert_eq!((&*span.name, span.flags), ("wascc:keyvalue/Get", 1));
        let status = span.status.as_ref().expect("it failed");
        assert_eq!((status.code, &*status.message), (2, "why"));
        let value = |at: usize| span.attributes[at].value.clone().and_then(|it| it.value);
        assert_eq!(value(0), Some(Value::StringValue("é".to_owned())));
        assert_eq!(value(1), Some(Value::StringValue(String::new())));
        assert_eq!(value(2), Some(Value::IntValue(503)));
        assert_eq!(value(3), Some(Value::IntValue(-1)));
        assert_eq!(value(4), Some(Value::IntValue(0)));
        assert!(root.parent_span_id.is_empty() && root.status.is_none());
    }
}
