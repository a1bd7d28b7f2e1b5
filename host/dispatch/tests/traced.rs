//! The spans of calls, as a tracer is told of them.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use support::*;
use trellis_core::{CallError, Code, Parties, Span, SpanKind, SpanValue, Trace, Tracer};
use trellis_dispatch::{
    Bounds, BoxFuture, Dispatcher, Invocation, Message, Metrics, Snapshot, Target,
};
use trellis_entitlements::{ActorId, AuthzRequest};

const ROOT: Trace = Trace::new([1, 2], 0).with_sampled(true);
const GIVEN: Trace = Trace::new([3, 4], 5);

/// Records every trace that begins here.
#[derive(Default)]
struct Kept(Mutex<Vec<Span>>);

impl Tracer for Kept {
    fn enter(&self, given: Trace) -> Trace {
        assert!(given.is_none(), "who has a trace was asked where it began");
        ROOT
    }

    fn now_unix_ns(&self) -> u64 {
        9
    }

    fn record(&self, span: Span) {
        self.0.lock().expect("no test panics here").push(span);
    }
}

impl Kept {
    fn spans(&self) -> Vec<Span> {
        self.0.lock().expect("no test panics here").clone()
    }
}

/// Answers with the trace of its call, fails, or never answers.
enum Does {
    Trace,
    Fail,
    Hang,
}

impl Target for Does {
    fn call<'a>(
        &'a self,
        _: Parties<'_>,
        call: Invocation,
    ) -> BoxFuture<'a, Result<Bytes, CallError>> {
        Box::pin(async move {
            match self {
                Self::Trace => Ok(call.trace.to_traceparent().into()),
                Self::Fail => Err(CallError::new(Code::Guest, "canary: the guest's own words")),
                Self::Hang => std::future::pending().await,
            }
        })
    }
}

fn road(actor: Does, provider: Does) -> (Dispatcher, Arc<Kept>) {
    let bounds = Bounds { call_time_max: Duration::from_secs(5), reply_bytes_max: 100 };
    let kept = Arc::<Kept>::default();
    let dispatcher = Dispatcher::new(gate(), Metrics::default(), bounds);
    let dispatcher = dispatcher.with_tracer(Some(Arc::<Kept>::clone(&kept)));
    let mut first = Snapshot { entitlements: entitlements(), ..Snapshot::default() };
    first.routes.put(ACTOR, dispatcher.route("counter", Arc::new(actor)).0);
    first.routes.put(PROVIDER, dispatcher.route("store", Arc::new(provider)).0);
    dispatcher.publish(first);
    (dispatcher, kept)
}

fn message(trace: Trace) -> Message {
    Message { payload: Bytes::new(), deadline: None, depth: 0, trace }
}

fn said<'s>(span: &'s Span, name: &str) -> Option<&'s str> {
    match span.said(name)? {
        SpanValue::Text(text) => Some(text),
        SpanValue::Number(_) => None,
    }
}

#[tokio::test]
async fn a_recorded_call_is_a_span_and_what_it_does_is_within_that() {
    let (dispatcher, kept) = road(Does::Trace, Does::Trace);
    let given = GIVEN.with_sampled(true);
    let seen = dispatcher.dispatch(FROM_ACTOR, message(given)).await.expect("an answer");
    let [span] = &kept.spans()[..] else { panic!("one span") };
    assert_eq!(seen, span.trace.to_traceparent());
    assert_eq!(span.trace, given.within(span.trace.span_id()));
    assert_ne!(span.trace.span_id(), given.span_id());
    assert_eq!((span.parent, span.start_unix_ns), (given.span_id(), 9));
    assert_eq!((&*span.name, span.kind), ("test:store/Get", SpanKind::Client));
    for (name, value) in [
        ("rpc.method", "test:store/Get"),
        ("trellis.target", "store"),
        ("trellis.binding", "default"),
        ("trellis.gate", "allowed"),
    ] {
        assert_eq!(said(span, name), Some(value), "{name}");
    }
    assert!(span.failure.is_none() && span.said("error.type").is_none(), "{span:?}");

    dispatcher.dispatch(FROM_HOST, message(Trace::default())).await.expect("an answer");
    let root = kept.spans().pop().expect("the host's own call");
    assert_eq!((root.parent, root.trace.trace_id()), (0, ROOT.trace_id()));
    assert_eq!((&*root.name, root.kind), ("counter/Count", SpanKind::Internal));
    assert_eq!(
        (said(&root, "faas.name"), said(&root, "faas.trigger")),
        (Some("counter"), Some("other"))
    );
}

#[tokio::test]
async fn a_trace_that_is_not_recorded_goes_on_as_it_is() {
    let (dispatcher, kept) = road(Does::Trace, Does::Trace);
    let seen = dispatcher.dispatch(FROM_ACTOR, message(GIVEN)).await.expect("an answer");
    assert_eq!(seen, GIVEN.to_traceparent());
    assert_eq!(kept.spans(), []);
}

#[tokio::test]
async fn a_failure_is_told_by_its_code_and_a_refusal_by_its_reason() {
    let (dispatcher, kept) = road(Does::Fail, Does::Trace);
    dispatcher.dispatch(FROM_HOST, message(ROOT)).await.expect_err("it fails");
    let failed = kept.spans().pop().expect("a span");
    assert_eq!(said(&failed, "error.type"), Some("E_GUEST"));
    assert_eq!(failed.failure.as_deref(), Some(""));
    assert!(!format!("{failed:?}").contains("canary"), "{failed:?}");

    let (actor, operation) = (ActorId(1), "Drop");
    let request =
        AuthzRequest::FromActor { actor, binding: "", namespace: "test:store", operation };
    let error = dispatcher.dispatch(request, message(ROOT)).await.expect_err("there is no such");
    let denied = kept.spans().pop().expect("a span");
    assert_eq!((&*denied.name, said(&denied, "trellis.gate")), ("denied", Some("denied")));
    assert_eq!(said(&denied, "error.type"), Some("E_DENIED"));
    assert_eq!(said(&denied, "rpc.method_original"), Some("test:store/Drop"));
    assert_eq!(denied.failure.as_deref(), Some(error.message()));
    assert_eq!(kept.spans().len(), 2);
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_any_more_is_told_of() {
    let (dispatcher, kept) = road(Does::Hang, Does::Hang);
    {
        let call = std::pin::pin!(dispatcher.dispatch(FROM_HOST, message(ROOT)));
        assert!(call.now_or_never().is_none());
        assert_eq!(kept.spans(), []);
    }
    let [span] = &kept.spans()[..] else { panic!("one span") };
    assert_eq!(said(span, "error.type"), Some("cancelled"));
    assert!(span.failure.is_some());
}
