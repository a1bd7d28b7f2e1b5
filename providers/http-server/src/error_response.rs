//! The error answers that the provider gives itself, in place of an actor's.

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use trellis_core::{CallError, Code, ErrorKind};

/// An error answer, sent in place of an actor's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ErrorResponse {
    status: StatusCode,
    code: Code,
    /// One sentence for the client: nothing of the host's or the actor's inside.
    message: &'static str,
    /// The limit that was broken, for the metric.
    pub(crate) limit: Option<&'static str>,
    /// True when the rest of the connection cannot be trusted or is not worth reading.
    closes: bool,
    /// The value of the `Allow` header.
    allow: Option<HeaderValue>,
    /// Seconds a client should wait before it tries again; for a 503.
    retry_after_s: u32,
}

/// The limit on a port's connections, for the metric.
pub(crate) const CONNECTIONS_LIMIT: &str = "http_connections_max";
/// Seconds a client should wait before it tries again, when nobody knows better.
const RETRY_AFTER_S: u32 = 1;

impl ErrorResponse {
    fn new(status: StatusCode, code: Code, message: &'static str) -> Self {
        let (limit, closes, allow, retry_after_s) = (None, false, None, RETRY_AFTER_S);
        Self { status, code, message, limit, closes, allow, retry_after_s }
    }

    pub(crate) fn malformed(message: &'static str) -> Self {
        let response = Self::new(StatusCode::BAD_REQUEST, Code::Message, message);
        Self { closes: true, ..response }
    }

    /// The answer to what hyper's parser cannot read, with the status it chose.
    pub(crate) fn unreadable(status: Option<StatusCode>) -> Self {
        let response = match status {
            Some(status @ StatusCode::URI_TOO_LONG) => {
                Self::new(status, Code::TooLarge, "The request target is too long.")
            }
            Some(status @ StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE) => {
                Self::new(status, Code::TooLarge, "The request header is too large.")
            }
            _ => {
                let response = Self::malformed("The request is malformed.");
                return Self { limit: Some("http_malformed"), ..response };
            }
        };
        Self { limit: Some("http_header_max"), closes: true, ..response }
    }

    pub(crate) fn header_too_slow() -> Self {
        let message = "The request header came too slowly.";
        let response = Self::new(StatusCode::REQUEST_TIMEOUT, Code::Timeout, message);
        Self { limit: Some("http_header_time_max"), closes: true, ..response }
    }

    pub(crate) fn too_many_connections() -> Self {
        let message = "The server has too many connections.";
        let response = Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::Busy, message);
        Self { limit: Some(CONNECTIONS_LIMIT), closes: true, ..response }
    }

    /// For a body that finds no memory; what it took so far is free again.
    pub(crate) fn too_many_bodies() -> Self {
        let message = "The server holds too many request bodies.";
        let response = Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::Busy, message);
        Self { limit: Some("http_bodies_bytes_max"), closes: true, ..response }
    }

    /// For a request whose turn came too late. `body_unread` as in [`no_route`](Self::no_route).
    pub(crate) fn overloaded(body_unread: bool) -> Self {
        let message = "The server has more requests than it can answer.";
        let response = Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::Busy, message);
        Self { limit: Some("http_queue_time_max"), closes: body_unread, ..response }
    }

    /// For an answer that finds no memory. Its code does not promise that nothing was done.
    pub(crate) fn too_many_answers() -> Self {
        let message = "The server holds too many answers.";
        let response = Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::Provider, message);
        Self { limit: Some("http_answers_bytes_max"), ..response }
    }

    /// `body_unread`: the connection closes rather than read a body that nobody wants.
    pub(crate) fn no_route(body_unread: bool) -> Self {
        let message = "No actor serves this host and path.";
        let response = Self::new(StatusCode::NOT_FOUND, Code::NotFound, message);
        Self { closes: body_unread, ..response }
    }

    /// For a request that comes while its port is being closed and has no routes any more.
    pub(crate) fn port_closing() -> Self {
        let message = "The server is stopping.";
        let response = Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::Stopping, message);
        Self { closes: true, ..response }
    }

    pub(crate) fn method(allow: &str, body_unread: bool) -> Self {
        let message = "The method is not allowed here.";
        let response = Self::new(StatusCode::METHOD_NOT_ALLOWED, Code::Denied, message);
        Self { allow: HeaderValue::from_str(allow).ok(), closes: body_unread, ..response }
    }

    pub(crate) fn body_too_large() -> Self {
        let message = "The request body is larger than BODY_BYTES_MAX.";
        let response = Self::new(StatusCode::PAYLOAD_TOO_LARGE, Code::TooLarge, message);
        Self { limit: Some("http_body_bytes_max"), closes: true, ..response }
    }

    pub(crate) fn message_too_large() -> Self {
        let message = "The request is larger than the actor's payload_bytes_max.";
        let response = Self::new(StatusCode::PAYLOAD_TOO_LARGE, Code::TooLarge, message);
        Self { limit: Some("payload_bytes_max"), closes: true, ..response }
    }

    pub(crate) fn body_too_slow() -> Self {
        let message = "The request body came too slowly.";
        let response = Self::new(StatusCode::REQUEST_TIMEOUT, Code::Timeout, message);
        Self { limit: Some("http_transfer_rate_min"), closes: true, ..response }
    }

    pub(crate) fn bad_answer() -> Self {
        Self::new(StatusCode::BAD_GATEWAY, Code::Message, "The actor's answer is not valid HTTP.")
    }

    pub(crate) fn actor_too_slow() -> Self {
        let message = "The actor did not answer in time.";
        let response = Self::new(StatusCode::GATEWAY_TIMEOUT, Code::Timeout, message);
        Self { limit: Some("http_request_time_max"), ..response }
    }

    /// The answer to a call that failed.
    pub(crate) fn of_call(error: &CallError) -> Self {
        let (status, message) = match (error.code(), error.kind()) {
            // The request fits: that was checked before the call.
            (Code::TooLarge, _) => (StatusCode::BAD_GATEWAY, "The actor's answer is too large."),
            (Code::Message, _) => {
                (StatusCode::BAD_GATEWAY, "The actor and the host do not understand each other.")
            }
            (_, ErrorKind::NotFound) => (StatusCode::NOT_FOUND, "The actor is not running."),
            (_, ErrorKind::Denied) => (StatusCode::FORBIDDEN, "The call was denied."),
            (Code::Stopping, _) => (StatusCode::SERVICE_UNAVAILABLE, "The server is stopping."),
            (Code::CrashLoop, _) => (StatusCode::SERVICE_UNAVAILABLE, "The actor cannot start."),
            (_, ErrorKind::Busy) => (StatusCode::SERVICE_UNAVAILABLE, "The actor is busy."),
            (_, ErrorKind::Deadline) => {
                (StatusCode::GATEWAY_TIMEOUT, "The actor did not answer in time.")
            }
            (_, ErrorKind::Guest) => (StatusCode::BAD_GATEWAY, "The actor failed."),
            (Code::Provider | Code::Storage, _) => {
                (StatusCode::SERVICE_UNAVAILABLE, "A service the actor needs is unavailable.")
            }
            (_, ErrorKind::Provider | ErrorKind::Lattice | ErrorKind::Invalid) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "The server failed.")
            }
        };
        let retry_after_s = error.retry_after_s().unwrap_or(RETRY_AFTER_S);
        Self { retry_after_s, ..Self::new(status, error.code(), message) }
    }

    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) const fn code(&self) -> Code {
        self.code
    }

    /// How long the body is, in bytes.
    pub(crate) fn body_bytes(&self) -> u64 {
        self.body().len() as u64
    }

    /// The answer as it goes over a connection that hyper has no part in any more.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        let response = self.into_response(HeaderMap::new());
        let status = response.status();
        let reason = status.canonical_reason().unwrap_or_default();
        let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
        for (name, value) in response.headers() {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        let body = response.into_body().into_inner().unwrap_or_default();
        bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }

    /// The answer to send, in `header`'s memory.
    pub(crate) fn into_response(self, mut header: HeaderMap) -> Response<Full<Bytes>> {
        header.clear();
        header.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            header.insert(RETRY_AFTER, self.retry_after_s.into());
        }
        if self.closes {
            header.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let mut response = Response::new(Full::new(Bytes::from(self.body())));
        *response.status_mut() = self.status;
        if let Some(allow) = self.allow {
            header.insert(ALLOW, allow);
        }
        *response.headers_mut() = header;
        response
    }

    fn body(&self) -> String {
        let (code, message) = (self.code.as_str(), self.message);
        serde_json::json!({ "error": { "code": code, "message": message } }).to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_code_has_its_status() {
        for code in Code::ALL {
            let expected = match code {
                Code::TooLarge | Code::Message => 502,
                Code::Provider | Code::Storage => 503,
                code => match code.kind() {
                    ErrorKind::Denied => 403,
                    ErrorKind::NotFound => 404,
                    ErrorKind::Busy => 503,
                    ErrorKind::Deadline => 504,
                    ErrorKind::Guest => 502,
                    ErrorKind::Provider | ErrorKind::Lattice | ErrorKind::Invalid => 500,
                },
            };
            let error = CallError::new(*code, "secret /etc/passwd");
            let response = ErrorResponse::of_call(&error);
            assert_eq!(response.status.as_u16(), expected, "{code}");
            assert!(!response.message.contains("secret"));
        }
    }

    #[test]
    fn clients_are_told_when_it_is_tried_next() {
        let told = |error: CallError| {
            let response = ErrorResponse::of_call(&error).into_response(HeaderMap::new());
            response.headers().get(RETRY_AFTER).map(|it| it.to_str().expect("digits").to_owned())
        };
        let quarantined = CallError::new(Code::CrashLoop, "").retry_after(Duration::from_secs(42));
        assert_eq!(told(quarantined).as_deref(), Some("42"));
        assert_eq!(told(CallError::new(Code::Busy, "")).as_deref(), Some("1"));
        assert_eq!(told(CallError::new(Code::Guest, "")), None);
    }

    #[test]
    fn answers_without_hyper_are_whole() {
        for (response, status) in [
            (ErrorResponse::too_many_connections(), 503),
            (ErrorResponse::header_too_slow(), 408),
            (ErrorResponse::unreadable(None), 400),
            (ErrorResponse::unreadable(Some(StatusCode::URI_TOO_LONG)), 414),
            (ErrorResponse::unreadable(Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)), 431),
        ] {
            let text = String::from_utf8(response.into_bytes()).expect("ASCII");
            let (head, body) = text.split_once("\r\n\r\n").expect("a header and a body");
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
            let length = format!("content-length: {}", body.len());
            for line in [&length, "connection: close", "content-type: application/json"] {
                assert!(head.lines().any(|found| found == line), "{line} not in {head}");
            }
            serde_json::from_str::<serde_json::Value>(body).expect("JSON");
        }
    }
}
