//! The span of a call, where traces are recorded.

use std::time::Instant;

use bytes::Bytes;
use trellis_core::{CallError, Code, Entity, Span, SpanKind, Trace, Tracer};
use trellis_entitlements::{AuthzRequest, Granted};

/// The span of one call; empty for a call that is not recorded, which costs a look at an `Option`.
pub(crate) struct CallSpan<'a>(Option<Box<Open<'a>>>);

/// A span that is told of when the call ends, also when nobody waits for it any more.
struct Open<'a> {
    tracer: &'a dyn Tracer,
    begun: Instant,
    span: Span,
    ended: bool,
}

impl<'a> CallSpan<'a> {
    /// The span of a call that begins. What the call does from now on is part of it.
    #[inline]
    pub(crate) fn begin(
        tracer: Option<&'a dyn Tracer>,
        request: &AuthzRequest<'_>,
        trace: &mut Trace,
    ) -> Self {
        match tracer {
            None => Self(None),
            Some(tracer) => Self(Open::begin(tracer, request, trace)),
        }
    }

    /// What a check said of the call.
    #[inline]
    pub(crate) fn checked<T>(&mut self, checked: Result<T, CallError>) -> Result<T, CallError> {
        if let (Some(open), Err(error)) = (&mut self.0, &checked) {
            open.refused(error);
        }
        checked
    }

    /// The call was admitted, and goes to the target of this name.
    #[inline]
    pub(crate) fn admitted(&mut self, target: &str, granted: &Granted<'_>) {
        if let Some(open) = &mut self.0 {
            open.admitted(target, granted);
        }
    }

    /// The call ended.
    #[inline]
    pub(crate) fn end(mut self, outcome: &Result<Bytes, CallError>) {
        if let Some(open) = &mut self.0 {
            open.end(outcome);
        }
        // It is told of when it is dropped, now.
    }
}

impl<'a> Open<'a> {
    #[inline(never)]
    fn begin(
        tracer: &'a dyn Tracer,
        request: &AuthzRequest<'_>,
        trace: &mut Trace,
    ) -> Option<Box<Self>> {
        if trace.is_none() {
            *trace = tracer.enter(Trace::default());
        }
        if !trace.is_sampled() {
            return None;
        }
        let own = (SpanKind::Internal, fastrand::u64(1..));
        let mut span = Span::begin(*trace, own, tracer.now_unix_ns());
        *trace = span.trace;
        span.name = asked(request);
        span.say("rpc.system.name", "wapc");
        Some(Box::new(Self { tracer, begun: Instant::now(), span, ended: false }))
    }

    #[cold]
    fn refused(&mut self, error: &CallError) {
        let gate = if error.code() == Code::Denied { "denied" } else { "absent" };
        self.span.say("trellis.gate", gate);
        let name = std::mem::take(&mut self.span.name);
        // What was asked for may be anything: it is told, and names nothing.
        self.span.say("rpc.method", "_OTHER");
        self.span.say("rpc.method_original", name);
        gate.clone_into(&mut self.span.name);
        self.span.failure = Some(error.message().to_owned());
        self.failed(error);
    }

    fn admitted(&mut self, target: &str, granted: &Granted<'_>) {
        let span = &mut self.span;
        let operation = granted.operation.as_str();
        let parties = granted.parties;
        span.say("trellis.gate", "allowed");
        span.say("trellis.origin", parties.origin.to_string());
        span.say("trellis.target", target);
        span.name = match (parties.target, parties.origin) {
            (Entity::Provider { contract, binding }, _) => {
                span.kind = SpanKind::Client;
                span.say("trellis.binding", binding.as_str());
                format!("{contract}/{operation}")
            }
            (_, Entity::Provider { contract, binding }) => {
                span.say("trellis.binding", binding.as_str());
                format!("{contract}/{operation}")
            }
            _ => format!("{target}/{operation}"),
        };
        let method = span.name.clone();
        span.say("rpc.method", method);
        if !matches!(parties.target, Entity::Provider { .. }) {
            span.say("faas.name", target);
            span.say("faas.trigger", trigger(parties.origin));
        }
    }

    fn end(&mut self, outcome: &Result<Bytes, CallError>) {
        self.ended = true;
        if let Err(error) = outcome {
            self.failed(error);
        }
    }

    /// The code alone: what a guest or a provider says of its failure may hold anything.
    #[cold]
    fn failed(&mut self, error: &CallError) {
        self.ended = true;
        self.span.say("rpc.response.status_code", error.code().as_str());
        self.span.say("error.type", error.code().as_str());
        self.span.failure.get_or_insert_default();
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.span.say("error.type", "cancelled");
            self.span.failure = Some("whoever called waits no longer".to_owned());
        }
        self.span.took = self.begun.elapsed();
        self.tracer.record(std::mem::take(&mut self.span));
    }
}

/// What is asked for, in the asker's words.
fn asked(request: &AuthzRequest<'_>) -> String {
    match request {
        AuthzRequest::FromActor { namespace, operation, .. } => format!("{namespace}/{operation}"),
        AuthzRequest::FromProvider { operation, .. } => (*operation).to_owned(),
        AuthzRequest::FromSystem { actor, operation } => format!("{actor}/{operation}"),
    }
}

/// Why an actor runs, in the words of the conventions.
fn trigger(origin: &Entity) -> &'static str {
    match origin {
        Entity::Provider { contract, .. } if contract.as_str() == "wascc:http_server" => "http",
        _ => "other",
    }
}
