//! The road of one request.

use std::borrow::Cow;
use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use http::header::{CONNECTION, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Version, request};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use trellis_core::{CallError, Trace};
use trellis_providers_sdk::Invoke;

use crate::listener::Shard;
use crate::message::{Answer, Draft, read_answer};
use crate::refusal::Refusal;
use crate::routes::{Route, Table};
use crate::watch::Watch;

/// The operation of the contract.
const HANDLE_REQUEST: &str = "HandleRequest";
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Most memory set aside on the word of a `content-length`; the rest grows as bytes arrive.
const TRUSTED_LENGTH: usize = 64 << 10;

/// Answers one request; every failure becomes an answer too.
pub(crate) async fn serve(
    shard: Rc<Shard>,
    watch: Rc<Watch>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let started = Instant::now();
    let (mut head, body) = request.into_parts();
    let trusted = watch.request_begins();
    let trace = trace_of(&head.headers);
    let outcome = if trusted {
        answer(&shard, &watch, &mut head, body, trace).await
    } else {
        Err(Refusal::malformed("The length of the request body is contradictory."))
    };
    // The request's header map becomes the answer's: hyper recycles it for the next request.
    let mut response = match outcome {
        Ok(answer) => {
            let mut response = Response::new(Full::new(answer.body));
            *response.status_mut() = answer.status;
            *response.headers_mut() = head.headers;
            response
        }
        Err(refusal) => {
            if let Some(limit) = refusal.limit {
                shard.metrics.rejected(limit);
            }
            refusal.into_response(head.headers)
        }
    };
    if let Some(value) = trace.and_then(|trace| trace.to_traceparent().try_into().ok()) {
        response.headers_mut().entry(TRACEPARENT).or_insert(value);
    }
    if shard.is_draining() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let ended = Instant::now();
    let worker = shard.metrics.worker(shard.worker);
    worker.answered(response.status(), ended.duration_since(started));
    watch.request_ends(ended);
    Ok(response)
}

async fn answer(
    shard: &Shard,
    watch: &Watch,
    head: &mut request::Parts,
    body: Incoming,
    trace: Option<Trace>,
) -> Result<Answer, Refusal> {
    let mut table = shard.table();
    let mut route =
        find(&table, head).and_then(|route| allowed(route, &head.method)).map_err(|refusal| {
            if body.is_end_stream() { refusal } else { refusal.with_body_unread() }
        })?;
    let mut payload = Bytes::from(message(watch, head, body, route).await?);
    loop {
        if let Some(_pass) = route.enter(shard.worker) {
            let reply = call(shard, watch, route, std::mem::take(&mut payload), trace).await?;
            return read(head, route, &reply);
        }
        // The route was retired while the body came; what replaced it, if anything, answers.
        table = shard.table();
        route = find(&table, head)?;
    }
}

fn allowed<'a>(route: &'a Arc<Route>, method: &Method) -> Result<&'a Arc<Route>, Refusal> {
    if route.allows(method) { Ok(route) } else { Err(Refusal::method(route.allow())) }
}

/// The route of a request.
fn find<'a>(table: &'a Table, head: &request::Parts) -> Result<&'a Arc<Route>, Refusal> {
    let host = host_of(head)?;
    table.resolve(host, head.uri.path()).ok_or_else(Refusal::no_route)
}

/// Calls the actor, for at most the route's time.
async fn call(
    shard: &Shard,
    watch: &Watch,
    route: &Route,
    payload: Bytes,
    trace: Option<Trace>,
) -> Result<Bytes, Refusal> {
    let deadline = Instant::now() + route.limits.time_max;
    let invoke = Invoke {
        binding: route.binding,
        operation: Cow::Borrowed(HANDLE_REQUEST),
        payload,
        patience: Some(route.limits.time_max),
        trace,
    };
    let mut reply = pin!(shard.context.invoke(invoke));
    watch.actor_begins(deadline);
    // The host keeps the deadline; the watch is there should it ever not.
    let reply = std::future::poll_fn(|cx| match reply.as_mut().poll(cx) {
        Poll::Pending if watch.overdue_for_service() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
        Poll::Ready(reply) => Poll::Ready(Some(reply)),
    });
    match reply.await {
        None => Err(Refusal::actor_too_slow()),
        Some(Err(error)) => Err(failed(route, &error)),
        Some(Ok(reply)) => Ok(reply),
    }
}

fn failed(route: &Route, error: &CallError) -> Refusal {
    tracing::debug!(actor = route.actor_name, code = %error.code(), "a request's call failed");
    Refusal::of_call(error)
}

/// Reads the actor's answer into the request's own header map.
fn read(head: &mut request::Parts, route: &Route, reply: &Bytes) -> Result<Answer, Refusal> {
    head.headers.clear();
    read_answer(reply, &mut head.headers).map_err(|malformed| {
        let why = malformed.0;
        tracing::warn!(actor = route.actor_name, why, "an actor's answer cannot be sent");
        Refusal::bad_answer()
    })
}

/// The request as the contract's message, with its body read to the end.
async fn message(
    watch: &Watch,
    head: &request::Parts,
    body: Incoming,
    route: &Route,
) -> Result<Vec<u8>, Refusal> {
    let most = route.limits.body_bytes_max.min(u64::from(u32::MAX));
    if body.is_end_stream() {
        return Ok(Draft::new(head).with_body(&[]));
    }
    if body.size_hint().lower() > most {
        return Err(Refusal::body_too_large());
    }
    let Some(length) = body.size_hint().exact().and_then(|length| u32::try_from(length).ok())
    else {
        let mut collected = Vec::new();
        receive(watch, body, &mut collected, most).await?;
        return Ok(Draft::new(head).with_body(&collected));
    };
    let mut message = Draft::new(head).with_body_of(length);
    message.reserve(usize::try_from(length).unwrap_or(usize::MAX).min(TRUSTED_LENGTH));
    receive(watch, body, &mut message, most).await?;
    Ok(message)
}

/// Appends the body to `into`, at most `most` bytes of it and no slower than the port allows.
async fn receive(
    watch: &Watch,
    mut body: Incoming,
    into: &mut Vec<u8>,
    most: u64,
) -> Result<(), Refusal> {
    watch.body_begins();
    let mut left = most;
    loop {
        let mut frame = pin!(body.frame());
        let next = std::future::poll_fn(|cx| match frame.as_mut().poll(cx) {
            Poll::Pending if watch.overdue_for_service() => {
                Poll::Ready(Err(Refusal::body_too_slow()))
            }
            Poll::Pending => Poll::Pending,
            Poll::Ready(frame) => Poll::Ready(Ok(frame)),
        });
        let Some(frame) = next.await? else { return Ok(()) };
        let frame = frame.map_err(|_| Refusal::malformed("The request body is malformed."))?;
        // Trailers have no place in the contract.
        let Ok(data) = frame.into_data() else { continue };
        left = left.checked_sub(data.len() as u64).ok_or_else(Refusal::body_too_large)?;
        into.extend_from_slice(&data);
    }
}

/// The host a request is for.
///
/// # Errors
/// 400 when it has none, several or a malformed one (RFC 9112 section 3.2).
fn host_of(head: &request::Parts) -> Result<&str, Refusal> {
    let mut fields = head.headers.get_all(HOST).iter();
    let host = match (fields.next(), fields.next()) {
        (Some(host), None) => host,
        (None, _) if head.version < Version::HTTP_11 => {
            return Ok(head.uri.host().unwrap_or_default());
        }
        _ => return Err(Refusal::malformed("The request needs exactly one Host.")),
    };
    let legal = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+,;=".contains(byte);
    let host = host.to_str().ok().filter(|host| host.as_bytes().iter().all(legal));
    let host = host.ok_or_else(|| Refusal::malformed("The request's Host is malformed."))?;
    // A target in absolute form names the host itself and wins.
    Ok(head.uri.host().unwrap_or(host))
}

fn trace_of(headers: &HeaderMap) -> Option<Trace> {
    Trace::from_traceparent(headers.get(TRACEPARENT)?.to_str().ok()?)
}
