//! `POST /v1/actors/NAME/invoke/OPERATION`: a call over the road of all calls.

use std::time::{Duration, Instant};

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap};
use hyper::{Request, StatusCode};
use tokio::time::timeout;
use trellis_core::units::parse_duration;
use trellis_core::{CallError, Code};
use trellis_limits::Limit;
use trellis_limits::fixed::ADMIN_BODY;

use super::answers::{JSON, Refused, Reply, status_of, typed};
use super::api::Admin;
use super::in_turn::in_turn;
use super::mistaken::mistaken;
use super::working::Working;
use crate::message::Message;

/// The header with the longest time of a call, such as `500ms`.
pub(crate) const TIMEOUT_HEADER: &str = "trellis-timeout";
/// MessagePack, which is what actors understand.
pub(crate) const MESSAGE_PACK: &str = "application/msgpack";
/// Bytes of which nothing is known.
const BYTES: &str = "application/octet-stream";

/// Longest wait for the whole body of a request: with its head it comes before its connection is
/// given up, so that a slow client is told why.
const BODY_TIME_MAX: Duration = Duration::from_secs(4);

/// How a payload is written, and its reply with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Notation {
    /// JSON here, MessagePack for the actor.
    Json,
    /// As it is.
    Raw,
}

/// Calls an actor with the body of a request, and answers with what it replied.
///
/// # Errors
/// What the call answered; [`Code::Message`] for a body that is not of its type,
/// [`Code::TooLarge`], [`Code::Timeout`] for one that is slow, [`Code::Busy`].
pub(super) async fn invoke(
    admin: &Admin,
    (actor, operation): (String, String),
    request: Request<Incoming>,
    working: &Working,
) -> Result<Reply, Refused> {
    let notation = Notation::of(request.headers())?;
    let patience = patience(request.headers())?;
    let body = body(request.into_body(), &ADMIN_BODY).await?;
    let _working = working.begin();
    let at = (admin, working);
    let payload = notation.convert(at, move || Ok(notation.read(body)?)).await?;
    let deadline = patience.and_then(|patience| Instant::now().checked_add(patience));
    let reply = admin.0.calls.call(&actor, operation, payload, deadline).await;
    match reply {
        Ok(reply) => notation.convert(at, move || notation.write(reply)).await,
        Err(error) => Err(mistaken(at, &actor, error, patience).await),
    }
}

impl Notation {
    fn of(headers: &HeaderMap) -> Result<Self, Refused> {
        let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(Self::Raw) };
        let kind = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
        match kind.trim().to_ascii_lowercase().as_str() {
            JSON => Ok(Self::Json),
            MESSAGE_PACK | BYTES => Ok(Self::Raw),
            _ => {
                let message = "the Content-Type of the payload is not one that is known";
                let error = CallError::new(Code::Message, message);
                let cure = "Send application/json, application/msgpack, or bytes without a type.";
                let refused = Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error, cure);
                Err(refused.because("The host does not know how such a body is written."))
            }
        }
    }

    /// Works on a message where that holds up nobody: what comes as it is takes no time; JSON and
    /// MessagePack of 17 MiB take seconds, and many times their size in memory.
    async fn convert<T: Send + 'static>(
        self,
        (admin, working): (&Admin, &Working),
        work: impl FnOnce() -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        if self == Self::Raw {
            return work();
        }
        in_turn(admin, working, work).await?
    }

    /// The payload of a body; nothing is an empty payload in either notation.
    fn read(self, body: Bytes) -> Result<Bytes, CallError> {
        match self {
            Self::Json if !body.is_empty() => Ok(Message::from_json(&body)?.to_wire()?.into()),
            Self::Json | Self::Raw => Ok(body),
        }
    }

    fn write(self, reply: Bytes) -> Result<Reply, Refused> {
        if self == Self::Raw {
            return Ok(typed(StatusCode::OK, MESSAGE_PACK, reply));
        }
        let message = Message::from_wire(&reply).map_err(|error| {
            let message = format!("the actor's reply does not become JSON: {}", error.message());
            let error = CallError::new(error.code(), message);
            let cure = "The call was carried out; ask with Content-Type application/octet-stream \
                        for the bytes of the next reply.";
            Refused::new(StatusCode::BAD_GATEWAY, error, cure)
        })?;
        Ok(typed(StatusCode::OK, JSON, format!("{}\n", message.to_json())))
    }
}

/// How long the caller waits, when it says so.
fn patience(headers: &HeaderMap) -> Result<Option<Duration>, Refused> {
    let Some(value) = headers.get(TIMEOUT_HEADER) else { return Ok(None) };
    match value.to_str().ok().and_then(parse_duration) {
        Some(time) if !time.is_zero() => Ok(Some(time)),
        _ => {
            let error = CallError::new(Code::Message, "a header of the request is no time");
            let cure = "`trellis-timeout` is a time such as 500ms or 5s.";
            let refused = Refused::new(StatusCode::BAD_REQUEST, error, cure);
            Err(refused.because("`trellis-timeout` says how long the caller waits."))
        }
    }
}

/// The whole body, which is no longer than it may be, in time.
pub(super) async fn body(body: Incoming, limit: &Limit) -> Result<Bytes, Refused> {
    let most = limit.default;
    let too_large = || {
        let message = format!("the body is larger than {most} bytes ({})", limit.name);
        let error = CallError::new(Code::TooLarge, message);
        let cure = "Send less at once; this limit is not a setting.";
        let refused = Refused::new(status_of(error.code()), error, cure);
        refused.because("The body of a request to the admin API is bounded.")
    };
    if body.size_hint().lower() > most {
        return Err(too_large());
    }
    let limited = Limited::new(body, usize::try_from(most).unwrap_or(usize::MAX));
    let collected = timeout(BODY_TIME_MAX, limited.collect()).await.map_err(|_| {
        let seconds = BODY_TIME_MAX.as_secs();
        let message = format!("the body did not come within {seconds} s");
        let error = CallError::new(Code::Timeout, message);
        let refused =
            Refused::new(StatusCode::REQUEST_TIMEOUT, error, "Send the whole body at once.");
        refused.because("The client was slow; nothing was called.")
    })?;
    match collected {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) => {
            let message = format!("the body did not come whole: {error}");
            Err(Refused::malformed(message, "Send all of it, as long as `content-length` says."))
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().expect("a name"), HeaderValue::from_static(value))])
    }

    #[test]
    fn the_type_says_how_payload_and_reply_are_written() {
        let of = |value| Notation::of(&headers("content-type", value)).ok();
        assert_eq!(of("application/json"), Some(Notation::Json));
        assert_eq!(of("Application/JSON; charset=utf-8"), Some(Notation::Json));
        assert_eq!(of("application/msgpack"), Some(Notation::Raw));
        assert_eq!(of("application/octet-stream"), Some(Notation::Raw));
        assert_eq!(of("text/plain"), None);
        assert_eq!(Notation::of(&HeaderMap::new()).ok(), Some(Notation::Raw));
        let read = |text: &'static str| Notation::Json.read(Bytes::from_static(text.as_bytes()));
        assert_eq!(read(r#"{"a":1}"#).expect("JSON"), &b"\x81\xa1a\x01"[..]);
        assert_eq!(read("").expect("nothing"), &b""[..]);
        assert_eq!(read("{").expect_err("no JSON").code(), Code::Message);
    }

    #[test]
    fn the_time_of_a_call_is_a_time() {
        let of = |value| patience(&headers(TIMEOUT_HEADER, value)).ok().flatten();
        assert_eq!(of("500ms"), Some(Duration::from_millis(500)));
        for wrong in ["soon", "0s", "", "-1s"] {
            assert!(patience(&headers(TIMEOUT_HEADER, wrong)).is_err(), "{wrong}");
        }
        assert_eq!(patience(&HeaderMap::new()).ok(), Some(None));
    }
}
