//! Answers as they go over the wire.

use std::borrow::Cow;
use std::convert::Infallible;
use std::pin::Pin;

use futures_util::Stream;
use http_body_util::{Either, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use trellis_control::{Answer, Document, Fault};
use trellis_core::{CallError, Code, ErrorKind};

/// An answer, held whole or made as it goes on: hyper sends it at the client's pace.
pub(super) type Reply = Response<Either<Full<Bytes>, StreamOut>>;

/// The body of an answer that goes on.
pub(super) type StreamOut =
    StreamBody<Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Infallible>> + Send>>>;

/// Text for people.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";
/// JSON.
pub(super) const JSON: &str = "application/json";
/// Seconds that a client should wait before it tries again, when nobody knows better.
const RETRY_AFTER_S: u32 = 1;

/// Why a request is not carried out, or came to nothing.
#[derive(Debug)]
pub(super) struct Refused {
    status: StatusCode,
    error: CallError,
    /// Why it came to that, where more is known than the code tells.
    cause: Option<&'static str>,
    /// What to do about it, likewise.
    cure: Option<Cow<'static, str>>,
    /// A header that says more to a client, such as the methods that are allowed.
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

impl Refused {
    /// A refusal with another status than its code's, and what to do about it.
    pub(super) fn new(
        status: StatusCode,
        error: CallError,
        cure: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, error, cause: None, cure: Some(cure.into()), header: None }
    }

    /// What is sent has not the form that is taken there, and this is.
    pub(super) fn malformed(
        message: impl Into<Cow<'static, str>>,
        cure: impl Into<Cow<'static, str>>,
    ) -> Self {
        let error = CallError::new(Code::Message, message.into());
        let refused = Self::new(StatusCode::BAD_REQUEST, error, cure);
        refused.because("The request does not have the form that this path takes.")
    }

    /// The method is not one of these.
    pub(super) fn method(allow: &'static str) -> Self {
        let message = format!("the method is not allowed here; {allow} is");
        let error = CallError::new(Code::Message, message);
        let cure = format!("Use {allow}; `/v1/openapi.json` lists what each path takes.");
        let refused = Self::new(StatusCode::METHOD_NOT_ALLOWED, error, cure);
        let refused = refused.because("What is at this path does not take this method.");
        refused.with((ALLOW, HeaderValue::from_static(allow)))
    }

    /// The same, with why it came to that.
    pub(super) fn because(self, cause: &'static str) -> Self {
        Self { cause: Some(cause), ..self }
    }

    /// The same, with a header that says more.
    pub(super) fn with(self, header: (HeaderName, HeaderValue)) -> Self {
        Self { header: Some(Box::new(header)), ..self }
    }

    /// The stable code.
    pub(super) fn code(&self) -> Code {
        self.error.code()
    }

    pub(super) fn into_reply(self) -> Reply {
        let Self { status, error, cause, cure, header } = self;
        let mut fault = Fault::of(&error);
        if let Some(cause) = cause {
            fault = fault.cause(cause);
        }
        if let Some(cure) = cure {
            fault = fault.cure(cure);
        }
        let mut reply = document(status, Answer::Error(Box::new(fault)));
        if let Some(header) = header {
            let (name, value) = *header;
            reply.headers_mut().insert(name, value);
        }
        if error.kind() == ErrorKind::Busy {
            let seconds = error.retry_after_s().unwrap_or(RETRY_AFTER_S);
            reply.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        reply
    }
}

impl From<CallError> for Refused {
    fn from(error: CallError) -> Self {
        Self { status: status_of(error.code()), error, cause: None, cure: None, header: None }
    }
}

/// The work on a request ended with a panic, which was logged where it happened.
pub(super) fn failed() -> Refused {
    let message = "the host failed on this request; its log says why";
    CallError::new(Code::Internal, message).into()
}

/// The status that fits an error code.
pub(super) const fn status_of(code: Code) -> StatusCode {
    match (code, code.kind()) {
        (Code::Conflict | Code::Data, _) => StatusCode::CONFLICT,
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
    let mut response = Response::new(Either::Left(Full::new(body.into())));
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
