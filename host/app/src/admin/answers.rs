//! Answers as they go over the wire.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use trellis_control::{Answer, Document, Fault};
use trellis_core::{CallError, Code, ErrorKind};

/// An answer, held whole: hyper sends it at the client's pace.
pub(super) type Reply = Response<Full<Bytes>>;

/// Text for people.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";
/// JSON.
pub(super) const JSON: &str = "application/json";
/// Seconds that a client should wait before it tries again.
const RETRY_AFTER_S: &str = "1";

/// Why a request is not carried out, or came to nothing.
#[derive(Debug)]
pub(super) struct Refused {
    status: StatusCode,
    error: CallError,
    /// What to do about it, where more is known than the code tells.
    cure: Option<&'static str>,
    /// The methods that are allowed.
    allow: Option<&'static str>,
}

impl Refused {
    /// A refusal with another status than its code's, and what to do about it.
    pub(super) const fn new(status: StatusCode, error: CallError, cure: &'static str) -> Self {
        Self { status, error, cure: Some(cure), allow: None }
    }

    /// The method is not one of these.
    pub(super) fn method(allow: &'static str) -> Self {
        let message = format!("the method is not allowed here; {allow} is");
        let error = CallError::new(Code::Message, message);
        Self { status: StatusCode::METHOD_NOT_ALLOWED, error, cure: None, allow: Some(allow) }
    }

    pub(super) fn into_reply(self) -> Reply {
        let Self { status, error, cure, allow } = self;
        let mut fault = Fault::of(&error);
        if let Some(cure) = cure {
            fault = fault.cure(cure);
        }
        let mut reply = document(status, Answer::Error(Box::new(fault)));
        if let Some(allow) = allow {
            reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
        }
        if error.kind() == ErrorKind::Busy {
            reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
        }
        reply
    }
}

impl From<CallError> for Refused {
    fn from(error: CallError) -> Self {
        Self { status: status_of(error.code()), error, cure: None, allow: None }
    }
}

/// The status that fits an error code.
pub(super) const fn status_of(code: Code) -> StatusCode {
    match (code, code.kind()) {
        (Code::Conflict, _) => StatusCode::CONFLICT,
        (Code::TooLarge, _) => StatusCode::PAYLOAD_TOO_LARGE,
        (Code::Internal, _) => StatusCode::INTERNAL_SERVER_ERROR,
        (_, ErrorKind::Denied) => StatusCode::FORBIDDEN,
        (_, ErrorKind::NotFound) => StatusCode::NOT_FOUND,
        (_, ErrorKind::Busy | ErrorKind::Provider) => StatusCode::SERVICE_UNAVAILABLE,
        (_, ErrorKind::Deadline) => StatusCode::GATEWAY_TIMEOUT,
        (_, ErrorKind::Guest | ErrorKind::Lattice) => StatusCode::BAD_GATEWAY,
        (_, ErrorKind::Invalid) => StatusCode::BAD_REQUEST,
    }
}

/// A document in a line.
pub(super) fn document(status: StatusCode, answer: Answer) -> Reply {
    json(status, &Document::of(answer))
}

/// Any value as JSON in a line.
pub(super) fn json(status: StatusCode, value: &impl serde::Serialize) -> Reply {
    let mut text = serde_json::to_vec(value).expect("our documents are maps with string keys");
    text.push(b'\n');
    typed(status, JSON, text)
}

/// Text for people.
pub(super) fn plain(status: StatusCode, text: &'static str) -> Reply {
    typed(status, TEXT, text)
}

/// Bytes of a type.
pub(super) fn typed(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Reply {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_status_of_a_failure_and_a_cure() {
        for code in Code::ALL {
            let reply = Refused::from(CallError::new(*code, "it is wrong")).into_reply();
            let status = reply.status();
            assert!(status.is_client_error() || status.is_server_error(), "{code}: {status}");
            let is_busy = reply.headers().contains_key(RETRY_AFTER);
            assert_eq!(is_busy, code.kind() == ErrorKind::Busy, "{code}");
        }
    }
}
