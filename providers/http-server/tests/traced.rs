//! The spans of requests, as a tracer is told of them.

mod common;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use common::{Client, bind, exchange, until, values};
use trellis_capabilities_http_server::Response;
use trellis_core::{CallError, Code, Span, SpanKind, SpanValue, Trace, Tracer};
use trellis_providers_http_server::Factory;
use trellis_providers_sdk::{BoxFuture, Context, Invoke, Invoker, Provider, ProviderFactory};

/// Records every trace, and is the actor as well: it says which trace its call belongs to, or what
/// the request's path asks for.
#[derive(Default)]
struct Told(Mutex<Vec<Span>>);

impl Tracer for Told {
    fn enter(&self, given: Trace) -> Trace {
        let trace = if given.is_none() { Trace::new([1, 2], 0) } else { given };
        trace.with_sampled(given.is_none() || given.is_sampled())
    }

    fn now_unix_ns(&self) -> u64 {
        9
    }

    fn record(&self, span: Span) {
        self.0.lock().expect("no test panics here").push(span);
    }
}

struct Actor(Arc<Told>);

impl Invoker for Actor {
    fn invoke(&self, invoke: Invoke) -> BoxFuture<'_, Result<Bytes, CallError>> {
        Box::pin(async move {
            let asked = String::from_utf8_lossy(&invoke.payload).into_owned();
            if asked.contains("/hang") {
                std::future::pending::<()>().await;
            }
            if asked.contains("/fail") {
                return Err(CallError::new(Code::Guest, "its own words"));
            }
            let trace = invoke.trace.map(Trace::to_traceparent);
            Ok(common::encoded(&Response::text(trace.unwrap_or_default())))
        })
    }

    fn tracer(&self) -> Option<&dyn Tracer> {
        Some(&*self.0)
    }

    fn name(&self) -> Arc<str> {
        "web".into()
    }
}

async fn server() -> (Arc<dyn Provider>, std::net::SocketAddr, Arc<Told>) {
    let told = Arc::<Told>::default();
    let context = Context::new(Arc::new(Actor(Arc::clone(&told))));
    let own = values(&[("ADDRESS", "127.0.0.1"), ("PORT", "0")]);
    let provider = Factory.create(context, own).await.expect("the provider starts");
    let address = bind(&provider, 1, &[("PATH", "/api")]).await;
    (provider, address, told)
}

impl Told {
    async fn one(&self) -> Span {
        until(|| !self.0.lock().expect("no test panics here").is_empty()).await;
        let mut spans = std::mem::take(&mut *self.0.lock().expect("no test panics here"));
        assert_eq!(spans.len(), 1, "{spans:?}");
        spans.remove(0)
    }
}

fn said(span: &Span, name: &str) -> String {
    match span.said(name) {
        Some(SpanValue::Text(text)) => text.clone(),
        Some(SpanValue::Number(number)) => number.to_string(),
        None => String::new(),
    }
}

#[tokio::test]
async fn a_request_is_a_span_and_its_call_is_within_that() {
    let (_provider, address, told) = server().await;
    let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = format!(
        "POST /api/x?secret=1 HTTP/1.1\r\nHost: a\r\ntraceparent: {given}\r\nContent-Length: 0\r\n\r\n"
    );
    let got = exchange(address, request).await;
    assert_eq!(got.field("traceparent"), Some(given), "the client gets its own back");
    let span = told.one().await;
    assert_eq!(got.body, span.trace.to_traceparent());
    assert_eq!((span.parent, span.kind), (0xb7ad_6b71_6920_3331, SpanKind::Server));
    assert_eq!(span.name, "POST /api/*");
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/api/*"),
        ("url.path", "/api/x"),
        ("url.scheme", "http"),
        ("http.response.status_code", "200"),
        ("trellis.actor", "actor-1"),
        ("trellis.provider", "web"),
        ("error.type", ""),
    ] {
        assert_eq!(said(&span, name), value, "{name}");
    }
    assert!(span.failure.is_none() && !format!("{span:?}").contains("secret"), "{span:?}");
}

#[tokio::test]
async fn what_a_client_does_wrong_is_no_failure_and_names_nothing() {
    let (_provider, address, told) = server().await;
    assert_eq!(exchange(address, "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 404);
    let span = told.one().await;
    assert_eq!((&*span.name, span.parent, &span.failure), ("GET", 0, &None));
    exchange(address, "CANARY /api HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let span = told.one().await;
    assert_eq!((&*span.name, &*said(&span, "http.request.method")), ("HTTP /api/*", "_OTHER"));
    assert_eq!(exchange(address, "GET /api/fail HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 502);
    let span = told.one().await;
    assert_eq!((span.failure.as_deref(), &*said(&span, "error.type")), (Some(""), "E_GUEST"));
}

#[tokio::test]
async fn a_request_that_is_not_recorded_goes_on_with_its_trace() {
    let (_provider, address, told) = server().await;
    let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    let request = format!("GET /api HTTP/1.1\r\nHost: a\r\ntraceparent: {given}\r\n\r\n");
    assert_eq!(exchange(address, request).await.body, given);
    assert!(told.0.lock().expect("no test panics here").is_empty());
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_span() {
    let (_provider, address, told) = server().await;
    let mut client = Client::new(address).await;
    client.send("GET /api/hang HTTP/1.1\r\nHost: a\r\n\r\n").await;
    client.reset();
    let span = told.one().await;
    assert_eq!(said(&span, "error.type"), "cancelled");
    assert_eq!(said(&span, "trellis.provider"), "", "its time is in no histogram");
}
