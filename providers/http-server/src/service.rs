//! The road of one request.

use std::borrow::Cow;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, request};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use trellis_capabilities_http_server::{DecodedResponse, decode_response};
use trellis_core::{CallError, Code, Trace};
use trellis_providers_sdk::{Context, Invoke};

use crate::access::Entry;
use crate::body::{Asked, Source};
use crate::budget::{Budget, Held};
use crate::config::limits::AccessForm;
use crate::error_response::ErrorResponse;
use crate::port::{Seen, WorkerPort};
use crate::pressure;
use crate::request_span::{self, RequestSpan};
use crate::route::{COMMON_METHODS, Route};
use crate::target::{Target, host_of};
use crate::timer::ConnectionTimer;

/// The operation of the contract.
const HANDLE_REQUEST: &str = "HandleRequest";
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// One request on its way.
struct Exchange<'a> {
    worker_port: &'a WorkerPort,
    timer: &'a ConnectionTimer,
    peer: SocketAddr,
    head: request::Parts,
    /// The client's, or our own when the access log is to tell one or traces are recorded.
    trace: Option<Trace>,
    /// The client's.
    given: Option<Trace>,
    span: Option<Box<RequestSpan>>,
    /// Whether the access log is to tell of it.
    told: bool,
    started: Instant,
}

/// Answers one request; every failure becomes an answer too.
pub(crate) async fn serve(
    worker_port: Rc<WorkerPort>,
    timer: Rc<ConnectionTimer>,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let started = Instant::now();
    let (head, body) = request.into_parts();
    let trusted = timer.request_begins();
    let (worker_port, timer) = (&*worker_port, &*timer);
    let seen = worker_port.seen();
    let told = seen.limits.access_log != AccessForm::Off;
    let given = trace_of(&head.headers);
    let (trace, span) = request_span::enter(seen.context(), given);
    let trace = trace.or_else(|| told.then(fresh_trace));
    let exchange = Exchange { worker_port, timer, peer, head, trace, given, span, told, started };
    if !trusted {
        let error_response =
            ErrorResponse::malformed("The length of the request body is contradictory.");
        return Ok(exchange.refuse(None, error_response));
    }
    Ok(match Target::of(&exchange.head) {
        Ok(Target::Actor) => {
            if pressure::waits_too_long(started, seen.limits.queue_time_max).await {
                let error_response = ErrorResponse::overloaded(!body.is_end_stream());
                return Ok(exchange.refuse(None, error_response));
            }
            exchange.answer(seen, body).await
        }
        Ok(Target::Server) => exchange.describe_server(!body.is_end_stream()),
        Err(error_response) => exchange.refuse(None, error_response),
    })
}

impl Exchange<'_> {
    /// The answer of the actor whose route fits.
    async fn answer(mut self, mut seen: Rc<Seen>, body: Incoming) -> Response<Full<Bytes>> {
        let mut asked = Asked::Arriving(body);
        loop {
            let unread = asked.is_unread();
            let host = match host_of(&self.head) {
                Ok(host) => host,
                Err(error_response) => return self.refuse(None, error_response),
            };
            // A request without a route here may be for the port that comes after this one.
            let route = loop {
                match seen.resolve(host, self.head.uri.path()) {
                    Some(route) => break Some(route),
                    None => match seen.of_heir() {
                        Some(heir) => seen = heir,
                        None => break None,
                    },
                }
            };
            let Some(route) = route else {
                let closing = self.worker_port.port.is_closing();
                let error_response = if closing {
                    ErrorResponse::port_closing()
                } else {
                    ErrorResponse::no_route(unread)
                };
                return self.refuse(None, error_response);
            };
            if !route.allows(&self.head.method) {
                let error_response = ErrorResponse::method(route.allow(), unread);
                return self.refuse(Some(route), error_response);
            }
            let bodies = &self.worker_port.port.common.bodies;
            let source = Source { timer: self.timer, head: &self.head, bodies };
            let message = match asked.whole(&source, route).await {
                Ok(message) => message,
                Err(error_response) => return self.refuse(Some(route), error_response),
            };
            if let Some(_pass) = route.enter(self.worker_port.worker) {
                let reply = self.call(route, seen.context(), message.bytes).await;
                return match reply.and_then(|reply| self.read(route, &reply)) {
                    Ok(response) => self.accept(route, response),
                    Err(error_response) => self.refuse(Some(route), error_response),
                };
            }
            // The route was retired while the body came; what replaced it, if anything, answers,
            // and is asked everything anew.
            let now = self.worker_port.seen();
            if now.is(&seen) {
                return self.refuse(Some(route), ErrorResponse::port_closing());
            }
            seen = now;
            asked = Asked::Whole(message);
        }
    }

    /// Calls the actor, for at most the route's time.
    async fn call(
        &self,
        route: &Route,
        context: &Context,
        payload: Bytes,
    ) -> Result<Bytes, ErrorResponse> {
        let patience = route.config.request.time_max;
        let deadline = Instant::now() + patience;
        let invoke = Invoke {
            binding: route.binding,
            operation: Cow::Borrowed(HANDLE_REQUEST),
            payload,
            patience: Some(patience),
            trace: self.trace,
        };
        let mut reply = pin!(context.invoke(invoke));
        self.timer.actor_begins(deadline);
        // The host enforces the deadline; the timer is there in case it fails to.
        let reply = std::future::poll_fn(|cx| match reply.as_mut().poll(cx) {
            Poll::Pending if self.timer.overdue_for_service() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
            Poll::Ready(reply) => Poll::Ready(Some(reply)),
        });
        match reply.await {
            None => Err(ErrorResponse::actor_too_slow()),
            Some(Err(error)) => Err(failed(route, &error)),
            Some(Ok(reply)) => Ok(reply),
        }
    }

    /// Reads the actor's answer into the request's own header map, which hyper recycles. Its body
    /// is counted until the client has it.
    fn read(&mut self, route: &Route, reply: &Bytes) -> Result<DecodedResponse, ErrorResponse> {
        self.head.headers.clear();
        let answer = decode_response(reply, &mut self.head.headers).map_err(|malformed| {
            let why = malformed.reason();
            tracing::warn!(actor = route.actor_name, why, "an actor's answer cannot be sent");
            ErrorResponse::bad_answer()
        })?;
        let answers = &self.worker_port.port.common.answers;
        let mut held = Held::nothing(answers);
        // The body shares the memory of the whole.
        let bytes = if answer.body.is_empty() { 0 } else { reply.len() as u64 };
        held.grow_to(bytes).map_err(|_| no_memory(route, bytes, answers))?;
        Ok(DecodedResponse { body: held.over(answer.body), ..answer })
    }

    fn accept(mut self, route: &Route, answer: DecodedResponse) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(answer.body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = std::mem::take(&mut self.head.headers);
        self.finish(Some(route), None, response)
    }

    fn refuse(
        mut self,
        route: Option<&Route>,
        error_response: ErrorResponse,
    ) -> Response<Full<Bytes>> {
        if let Some(limit) = error_response.limit {
            self.worker_port.metrics.rejected(limit);
        }
        let code = error_response.code();
        let response = error_response.into_response(std::mem::take(&mut self.head.headers));
        self.finish(route, Some(code), response)
    }

    /// The answer to `OPTIONS *`, which asks about the server and no actor.
    fn describe_server(mut self, body_unread: bool) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let mut header = std::mem::take(&mut self.head.headers);
        header.clear();
        header.insert(ALLOW, HeaderValue::from_static(COMMON_METHODS));
        if body_unread {
            header.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        *response.headers_mut() = header;
        self.finish(None, None, response)
    }

    /// What every answer gets and every request leaves behind.
    fn finish(
        &mut self,
        route: Option<&Route>,
        code: Option<Code>,
        mut response: Response<Full<Bytes>>,
    ) -> Response<Full<Bytes>> {
        if let Some(value) = self.given.and_then(|trace| trace.to_traceparent().try_into().ok()) {
            response.headers_mut().entry(TRACEPARENT).or_insert(value);
        }
        if self.worker_port.port.is_closing() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let ended = Instant::now();
        let duration = ended.duration_since(self.started);
        let (worker, metrics) = (self.worker_port.worker, &self.worker_port.metrics);
        let tally = route.map_or(metrics.nobody(), |route| &*route.tally);
        tally.count(worker, response.status());
        metrics.worker(worker).answered(duration);
        if self.told {
            self.tell(route, code, &response, duration);
        }
        self.timer.request_ends(ended);
        if let Some(span) = self.span.take() {
            span.answered(&self.head, route, (response.status(), code, duration));
        }
        response
    }

    #[cold]
    fn tell(
        &self,
        route: Option<&Route>,
        code: Option<Code>,
        response: &Response<Full<Bytes>>,
        duration: Duration,
    ) {
        let limits = self.worker_port.seen().limits;
        let status = response.status();
        let bodiless = self.head.method == Method::HEAD
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let body = response.body().size_hint().exact().unwrap_or_default();
        let entry = Entry {
            peer: self.peer,
            head: Some(&self.head),
            with_query: limits.access_log_query,
            status: status.as_u16(),
            bytes: if bodiless { 0 } else { body },
            duration,
            actor: route.map(|route| route.actor_name.as_str()),
            code,
            trace: self.trace,
        };
        self.worker_port.port.common.access_log.write(limits.access_log, &entry);
    }
}

/// The answer to a call that failed.
fn failed(route: &Route, error: &CallError) -> ErrorResponse {
    let (actor, code) = (&route.actor_name, error.code());
    if code == Code::TooLarge {
        let why = error.message();
        tracing::warn!(actor, why, "an actor's answer is larger than the host lets through");
    } else {
        tracing::debug!(actor, %code, "a request's call failed");
    }
    ErrorResponse::of_call(error)
}

/// The error response when there is no memory for an actor's answer.
#[cold]
fn no_memory(route: &Route, bytes: u64, answers: &Budget) -> ErrorResponse {
    let (actor, max, taken) = (&route.actor_name, answers.max(), answers.taken());
    if bytes > max {
        tracing::warn!(
            actor,
            bytes,
            max,
            "an actor's answer was dropped: it is larger than ANSWERS_BYTES_MAX; raise that limit"
        );
    } else {
        tracing::debug!(
            actor,
            bytes,
            max,
            taken,
            "an actor's answer was dropped: other answers use up ANSWERS_BYTES_MAX"
        );
    }
    ErrorResponse::too_many_answers()
}

/// A trace for a request that comes without one.
fn fresh_trace() -> Trace {
    Trace::new([fastrand::u64(1..), fastrand::u64(..)], fastrand::u64(1..))
}

fn trace_of(headers: &HeaderMap) -> Option<Trace> {
    Trace::from_traceparent(headers.get(TRACEPARENT)?.to_str().ok()?)
}
