//! Answers the provider gives itself, in place of an actor's.

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use trellis_core::{CallError, Code, ErrorKind};

/// Why a request gets no actor's answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Refusal {
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
}

/// Seconds a client should wait before it tries again.
const RETRY_AFTER_S: &str = "1";

/// What is written to a connection over `CONNECTIONS_MAX`, before it is closed.
pub(crate) const TOO_MANY_CONNECTIONS: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/json\r\nretry-after: 1\r\nconnection: close\r\n\
    content-length: 76\r\n\r\n\
    {\"error\":{\"code\":\"E_BUSY\",\"message\":\"The server has too many connections.\"}}";

/// What is written to a connection whose header came too slowly, before it is closed.
pub(crate) const HEADER_TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\n\
    content-type: application/json\r\nconnection: close\r\n\
    content-length: 78\r\n\r\n\
    {\"error\":{\"code\":\"E_TIMEOUT\",\"message\":\"The request header came too slowly.\"}}";

impl Refusal {
    fn new(status: StatusCode, code: Code, message: &'static str) -> Self {
        Self { status, code, message, limit: None, closes: false, allow: None }
    }

    pub(crate) fn malformed(message: &'static str) -> Self {
        let refusal = Self::new(StatusCode::BAD_REQUEST, Code::Message, message);
        Self { closes: true, ..refusal }
    }

    pub(crate) fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, Code::NotFound, "No actor serves this host and path.")
    }

    pub(crate) fn method(allow: &str) -> Self {
        let message = "The method is not allowed here.";
        let refusal = Self::new(StatusCode::METHOD_NOT_ALLOWED, Code::Denied, message);
        Self { allow: HeaderValue::from_str(allow).ok(), ..refusal }
    }

    pub(crate) fn body_too_large() -> Self {
        let message = "The request body is too large.";
        let refusal = Self::new(StatusCode::PAYLOAD_TOO_LARGE, Code::TooLarge, message);
        Self { limit: Some("http_body_bytes_max"), closes: true, ..refusal }
    }

    pub(crate) fn body_too_slow() -> Self {
        let message = "The request body came too slowly.";
        let refusal = Self::new(StatusCode::REQUEST_TIMEOUT, Code::Timeout, message);
        Self { limit: Some("http_transfer_rate_min"), closes: true, ..refusal }
    }

    pub(crate) fn bad_answer() -> Self {
        Self::new(StatusCode::BAD_GATEWAY, Code::Message, "The actor's answer is not valid HTTP.")
    }

    pub(crate) fn actor_too_slow() -> Self {
        let message = "The actor did not answer in time.";
        let refusal = Self::new(StatusCode::GATEWAY_TIMEOUT, Code::Timeout, message);
        Self { limit: Some("http_request_time_max"), ..refusal }
    }

    /// The same, for a request whose body is not read: its connection closes rather than read it.
    pub(crate) fn with_body_unread(self) -> Self {
        Self { closes: true, ..self }
    }

    /// The answer to a call that failed.
    pub(crate) fn of_call(error: &CallError) -> Self {
        let (status, message) = match (error.code(), error.kind()) {
            (Code::TooLarge, _) => {
                (StatusCode::PAYLOAD_TOO_LARGE, "The message is larger than the actor takes.")
            }
            (Code::Message, _) => {
                (StatusCode::BAD_GATEWAY, "The actor and the host do not understand each other.")
            }
            (_, ErrorKind::NotFound) => (StatusCode::NOT_FOUND, "The actor is not running."),
            (_, ErrorKind::Denied) => (StatusCode::FORBIDDEN, "The call was denied."),
            (Code::Stopping, _) => (StatusCode::SERVICE_UNAVAILABLE, "The server is stopping."),
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
        Self::new(status, error.code(), message)
    }

    /// The answer to send, in `header`'s memory.
    pub(crate) fn into_response(self, mut header: HeaderMap) -> Response<Full<Bytes>> {
        header.clear();
        header.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            header.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
        }
        if self.closes {
            header.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(allow) = self.allow {
            header.insert(ALLOW, allow);
        }
        let body = serde_json::json!({
            "error": { "code": self.code.as_str(), "message": self.message }
        });
        let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
        *response.status_mut() = self.status;
        *response.headers_mut() = header;
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_status() {
        for code in Code::ALL {
            let expected = match code {
                Code::TooLarge => 413,
                Code::Message => 502,
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
            let refusal = Refusal::of_call(&error);
            assert_eq!(refusal.status.as_u16(), expected, "{code}");
            assert!(!refusal.message.contains("secret"));
        }
    }

    #[test]
    fn canned_answers_state_their_length() {
        for canned in [TOO_MANY_CONNECTIONS, HEADER_TOO_SLOW] {
            let text = std::str::from_utf8(canned).expect("ASCII");
            let (head, body) = text.split_once("\r\n\r\n").expect("a header and a body");
            let length = format!("content-length: {}", body.len());
            assert!(head.lines().any(|line| line == length), "{length} not in {head}");
            serde_json::from_str::<serde_json::Value>(body).expect("JSON");
        }
    }
}
