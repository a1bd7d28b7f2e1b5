//! The `wascc:http_server` contract: a provider accepts HTTP requests, an actor answers them.
//!
//! `http-server.wit` beside this crate is the source of the types. The rules:
//!
//! # Requests
//! - `method` is upper case; `path` and `queryString` are what the client wrote, still
//!   percent-encoded, and the path begins with `/`.
//! - Header names are lower case and stand once. A header that the client sent more than once is
//!   folded in the order received, joined by `, ` (RFC 9110, section 5.3); `cookie` is joined by
//!   `; ` (RFC 6265). Bytes of a value that are not UTF-8 are replaced by U+FFFD, never an error.
//! - `body` is whole; the provider bounds it before it calls the actor.
//!
//! # Responses
//! - A header may repeat (`set-cookie`), as a repeated key or as a list of values: the client gets
//!   one line for each, in order.
//! - The server owns the framing: `content-length`, `transfer-encoding`, `connection`,
//!   `keep-alive`, `proxy-connection`, `te`, `trailer` and `upgrade` of a response are dropped.
//! - A status code outside 200 to 599, a header name that is no token, or a value with a control
//!   character (so no CR or LF can begin a header of the actor's making) is an answer the server
//!   cannot send: the client gets 502.
//! - A response to `HEAD`, and one with 204 or 304, is sent without its body.
//!
//! # Where the originals differed
//! They kept only the last of repeated headers, failed on values that are not UTF-8, and answered
//! 500 whatever went wrong. `wasmcloud:httpserver` (2021) is the same contract.
//!
//! **Deliberately absent:** streaming bodies, WebSockets, trailers: messages are whole.

use std::borrow::Cow;

// For the server and other gateways; guests do without it.
#[cfg(feature = "http")]
mod message;

#[cfg(feature = "http")]
pub use message::{DecodedResponse, MalformedResponse, RequestEncoder, decode_response};

trellis_macros::contract! {
    "http-server.wit",
    aliases: ["wasmcloud:httpserver", "wascap:http_server"],
}

impl Request {
    /// The first header of that name, ASCII case ignored.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.header.get(name).map(String::as_str)
    }

    /// The segments of the path: `/a/b` has `a` and `b`, `/` has none.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.path.split('/').filter(|segment| !segment.is_empty())
    }

    /// The value of a query parameter, percent-decoded; the first when it repeats.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<Cow<'_, str>> {
        let pairs =
            self.query_string.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.into_iter().find(|(key, _)| decoded(key) == name).map(|(_, value)| decoded(value))
    }
}

impl Response {
    /// A response without headers.
    #[must_use]
    pub fn new(status_code: u32, body: impl Into<Vec<u8>>) -> Self {
        let (status, body) = (reason(status_code).map(str::to_owned), body.into().into());
        Self { status_code, status, body, ..Self::default() }
    }

    /// 200 with plain text.
    #[must_use]
    pub fn text(body: impl Into<String>) -> Self {
        Self::new(200, body.into()).with_header("content-type", "text/plain; charset=utf-8")
    }

    /// 200 with a body that is JSON already.
    #[must_use]
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, body).with_header("content-type", "application/json")
    }

    /// The same response with one header more.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.header.push(name, value);
        self
    }
}

/// The phrase the originals sent with the codes actors use.
const fn reason(status_code: u32) -> Option<&'static str> {
    Some(match status_code {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => return None,
    })
}

/// `application/x-www-form-urlencoded`, as browsers write queries; what is malformed stays as it
/// is.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        let (byte, left) = match (first, after) {
            (b'%', [high, low, left @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, left),
                _ => (b'%', after),
            },
            (b'+', _) => (b' ', after),
            _ => (first, after),
        };
        bytes.push(byte);
        rest = left;
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let query_string = "a=1&b=x%20y+z&c&bad=%zz&b=2".to_owned();
        let request = Request { query_string, ..Request::default() };
        assert_eq!(request.query("b").as_deref(), Some("x y z"));
        assert_eq!(request.query("c").as_deref(), Some(""));
        assert_eq!(request.query("bad").as_deref(), Some("%zz"));
        assert_eq!(request.query("d"), None);
    }

    #[test]
    fn the_id_is_the_originals() {
        assert_eq!(CONTRACT.id.as_str(), "wascc:http_server");
        assert!(CONTRACT.answers_to("wasmcloud:httpserver"));
    }
}
