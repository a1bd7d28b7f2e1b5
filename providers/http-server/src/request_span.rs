//! The span of a request, where traces are recorded.

use std::time::{Duration, Instant};

use http::{Method, StatusCode, Version, request};
use trellis_core::{Code, Span, SpanKind, Trace, Tracer};
use trellis_providers_sdk::Context;

use crate::route::Route;

/// The methods that name spans; any other would let a client make up names.
const METHODS: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::PATCH,
    Method::OPTIONS,
    Method::TRACE,
    Method::CONNECT,
];

/// The span of a request that is recorded. It is told of once it is dropped: with its answer, or
/// with none when the client left before.
pub(crate) struct RequestSpan {
    context: Context,
    begun: Instant,
    span: Span,
    /// How long it took, once it was answered.
    took: Option<Duration>,
}

/// The trace a request goes on with, and its span if that is recorded.
#[inline]
pub(crate) fn enter(
    context: &Context,
    given: Option<Trace>,
) -> (Option<Trace>, Option<Box<RequestSpan>>) {
    match context.tracer() {
        None => (given, None),
        Some(tracer) => enter_recorded(context, tracer, given.unwrap_or_default()),
    }
}

fn enter_recorded(
    context: &Context,
    tracer: &dyn Tracer,
    given: Trace,
) -> (Option<Trace>, Option<Box<RequestSpan>>) {
    let trace = tracer.enter(given);
    if !trace.is_sampled() {
        return (Some(trace), None);
    }
    let span = Span::begin(trace, (SpanKind::Server, fastrand::u64(1..)), tracer.now_unix_ns());
    let (trace, context, begun) = (span.trace, context.clone(), Instant::now());
    (Some(trace), Some(Box::new(RequestSpan { context, begun, span, took: None })))
}

impl RequestSpan {
    /// The request was answered, after as long as the histogram of requests counts. What it asked
    /// for in its query is not told: it may be secret.
    pub(crate) fn answered(
        mut self,
        head: &request::Parts,
        route: Option<&Route>,
        (status, code, took): (StatusCode, Option<Code>, Duration),
    ) {
        let span = &mut self.span;
        let known = METHODS.contains(&head.method);
        let method = if known { head.method.as_str() } else { "_OTHER" };
        let named = if known { method } else { "HTTP" };
        span.say("http.request.method", method);
        if !known {
            span.say("http.request.method_original", head.method.as_str());
        }
        span.say("url.scheme", "http");
        span.say("url.path", head.uri.path());
        span.say("network.protocol.version", version(head.version));
        span.say("http.response.status_code", i64::from(status.as_u16()));
        // By that its time is found in the histogram.
        span.say("trellis.provider", &*self.context.name());
        named.clone_into(&mut span.name);
        if let Some(route) = route {
            let path = format!("{}/*", route.config.path);
            span.name = format!("{named} {path}");
            span.say("http.route", path);
            span.say("trellis.actor", &*route.actor_name);
        }
        // What a client did wrong is no failure of a server, by the conventions.
        if status.is_server_error() {
            let error =
                code.map_or_else(|| status.as_str().to_owned(), |it| it.as_str().to_owned());
            span.say("error.type", error);
            span.failure = Some(String::new());
        }
        self.took = Some(took);
    }
}

impl Drop for RequestSpan {
    fn drop(&mut self) {
        let mut span = std::mem::take(&mut self.span);
        if self.took.is_none() {
            "HTTP".clone_into(&mut span.name);
            span.say("error.type", "cancelled");
            span.failure = Some("the client left before its answer".to_owned());
        }
        span.took = self.took.unwrap_or_else(|| self.begun.elapsed());
        if let Some(tracer) = self.context.tracer() {
            tracer.record(span);
        }
    }
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    }
}
