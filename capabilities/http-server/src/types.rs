//! What is generated from `http-server.wit`, and what makes it handy.

use std::borrow::Cow;

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

    /// The same response with another status code.
    #[must_use]
    pub fn with_status(self, status_code: u32) -> Self {
        Self { status_code, status: reason(status_code).map(str::to_owned), ..self }
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
    fn another_status_keeps_the_rest() {
        let response = Response::json("{}").with_status(201).with_header("location", "/a/1");
        let names: Vec<_> = response.header.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["content-type", "location"]);
        assert_eq!((response.status_code, response.status.as_deref()), (201, Some("Created")));
        assert_eq!(response.with_status(418).status, None, "no phrase of another code");
    }

    #[test]
    fn the_id_is_the_originals() {
        assert_eq!(CONTRACT.id.as_str(), "wascc:http_server");
        assert!(CONTRACT.answers_to("wasmcloud:httpserver"));
    }
}
