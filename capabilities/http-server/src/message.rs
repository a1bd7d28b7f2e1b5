//! The contract's messages, straight from and to those of the `http` crate. Every gateway needs
//! this: it is where the rules about headers and statuses are carried out.
//!
//! The generated `Request` and `Response` would cost an allocation per header field. A request is
//! written from the `http` crate's parts instead, byte for byte as the generated type would be, and
//! a response in the exact form is read in place; any other form that the wire rules tolerate goes
//! through the generated type. The tests hold both ways together.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, request};
use rmp::encode::{write_bin, write_bin_len, write_map_len, write_str};
use trellis_core::wire;

use crate::types::Response;

/// Why writing a message cannot fail.
const VECTOR: &str = "writing to a vector cannot fail";

/// MessagePack's nil.
const NIL: u8 = 0xc0;

/// Why an actor's response cannot be sent: one sentence about the response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MalformedResponse(String);

/// A response without its header, which was read into a map of the caller's.
#[derive(Debug)]
pub struct DecodedResponse {
    /// From 200 to 599.
    pub status: StatusCode,
    /// The body, sharing the memory of the message.
    pub body: Bytes,
}

/// Writes the contract's `Request`: the header first, then a body that may still be on its way.
#[derive(Debug)]
pub struct RequestEncoder(Vec<u8>);

impl MalformedResponse {
    /// The sentence, for the log: it may quote a header name of the actor's, escaped and cut.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0
    }
}

impl RequestEncoder {
    /// Writes everything of the contract's `Request` up to its body.
    ///
    /// Field names are lower case; the values of a repeated field are joined as RFC 9110 section
    /// 5.3 says (`, `, cookies by `; ` as RFC 6265 section 5.4 says). Bytes that are
    /// not UTF-8 are replaced by U+FFFD. Fields about the connection itself are left out.
    #[must_use]
    pub fn new(head: &request::Parts) -> Self {
        let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
        let fields = head.headers.len();
        let mut message = Self(Vec::with_capacity(128 + path.len() + query.len() + fields * 64));
        message.map(5);
        message.text("method");
        message.text(head.method.as_str());
        message.text("path");
        message.text(path);
        message.text("queryString");
        message.text(query);
        message.text("header");
        message.header(&head.headers);
        message.text("body");
        message
    }

    /// Bytes written so far.
    #[must_use]
    pub fn written(&self) -> usize {
        self.0.len()
    }

    /// The whole message, with a body that is at hand.
    ///
    /// # Panics
    /// When the body has 4 GiB or more, which MessagePack cannot say.
    #[must_use]
    pub fn with_body(mut self, body: &[u8]) -> Vec<u8> {
        write_bin(&mut self.0, body).expect(VECTOR);
        self.0
    }

    /// The message with a body that is still on its way, however long it will be.
    #[must_use]
    pub fn open_body(mut self) -> OpenBody {
        self.0.extend_from_slice(&[0; OpenBody::HEADER_BYTES_MAX]);
        OpenBody { start: self.0.len(), message: self.0 }
    }

    fn header(&mut self, header: &HeaderMap) {
        let count = header.keys().filter(|name| !about_connection(name.as_str())).count();
        self.map(u32::try_from(count).unwrap_or(u32::MAX));
        // The map yields the values of one name one after the other.
        let mut fields =
            header.iter().filter(|(name, _)| !about_connection(name.as_str())).peekable();
        while let Some((name, value)) = fields.next() {
            self.text(name.as_str());
            let Some(second) = fields.next_if(|(next, _)| *next == name) else {
                self.text(&text_of(value));
                continue;
            };
            let separator = if name == COOKIE { "; " } else { ", " };
            let mut joined = text_of(value).into_owned();
            let mut next = Some(second);
            while let Some((_, value)) = next {
                joined.push_str(separator);
                joined.push_str(&text_of(value));
                next = fields.next_if(|(next, _)| *next == name);
            }
            self.text(&joined);
        }
    }

    fn map(&mut self, entries: u32) {
        write_map_len(&mut self.0, entries).expect(VECTOR);
    }

    fn text(&mut self, text: &str) {
        write_str(&mut self.0, text).expect(VECTOR);
    }
}

/// A request whose body arrives piece by piece, in the memory it will be sent from.
#[derive(Debug)]
pub struct OpenBody {
    message: Vec<u8>,
    /// Where the body starts: behind room for the longest header a body has.
    start: usize,
}

impl OpenBody {
    /// The longest header MessagePack puts before a body, in bytes.
    pub const HEADER_BYTES_MAX: usize = 5;

    /// Bytes of the body so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.message.len() - self.start
    }

    /// True while nothing of the body is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sets memory aside for a body of `bytes` bytes altogether, and no more than that.
    pub fn reserve(&mut self, bytes: usize) {
        self.message.reserve_exact(bytes.saturating_sub(self.len()));
    }

    /// Appends a piece of the body.
    pub fn push(&mut self, piece: &[u8]) {
        self.message.extend_from_slice(piece);
    }

    /// The whole message, once the body has ended.
    ///
    /// # Panics
    /// When the body has 4 GiB or more, which MessagePack cannot say.
    #[must_use]
    pub fn close(mut self) -> Vec<u8> {
        let length = u32::try_from(self.len()).expect("a body is shorter than 4 GiB");
        let mut header = Vec::with_capacity(Self::HEADER_BYTES_MAX);
        write_bin_len(&mut header, length).expect(VECTOR);
        let room = self.start - Self::HEADER_BYTES_MAX;
        // A short header takes less than the room for it, and the body of that length moves up.
        drop(self.message.splice(room..self.start, header));
        self.message
    }
}

/// Reads an actor's response, adding its header to `header`.
///
/// Repeated fields stay repeated. Fields about the connection are dropped, `content-length` too:
/// the server computes it.
///
/// # Errors
/// [`MalformedResponse`] for bytes that are no response, a status outside 200 to 599, a field that
/// is not legal HTTP. `header` may then hold part of the response.
pub fn decode_response(
    reply: &Bytes,
    header: &mut HeaderMap,
) -> Result<DecodedResponse, MalformedResponse> {
    if let Some(response) = read_exact(reply, header) {
        return response;
    }
    header.clear();
    read_tolerant(reply, header)
}

/// Reads the exact form in place; `None` for any other.
fn read_exact(
    reply: &Bytes,
    header: &mut HeaderMap,
) -> Option<Result<DecodedResponse, MalformedResponse>> {
    let mut rest = &reply[..];
    let (mut status, mut body) = (None, None);
    let (mut seen_text, mut seen_header) = (false, false);
    for _ in 0..rmp::decode::read_map_len(&mut rest).ok()? {
        match take_str(&mut rest)? {
            "statusCode" if status.is_none() => {
                status = Some(rmp::decode::read_int::<u32, _>(&mut rest).ok()?);
            }
            "status" if !seen_text => {
                match rest.split_first() {
                    Some((&NIL, after)) => rest = after,
                    _ => drop(take_str(&mut rest)?),
                }
                seen_text = true;
            }
            "header" if !seen_header => {
                seen_header = true;
                for _ in 0..rmp::decode::read_map_len(&mut rest).ok()? {
                    let name = take_str(&mut rest)?;
                    let value = take_str(&mut rest)?;
                    let value = reply.slice_ref(value.as_bytes());
                    if let Err(malformed) = append(header, name, value) {
                        return Some(Err(malformed));
                    }
                }
            }
            "body" if body.is_none() => {
                let length = rmp::decode::read_bin_len(&mut rest).ok()?;
                let (bytes, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
                body = Some(reply.slice_ref(bytes));
                rest = after;
            }
            _ => return None,
        }
    }
    let (status, body) = (status?, body?);
    seen_header.then(|| Ok(DecodedResponse { status: status_of(status)?, body }))
}

fn append(header: &mut HeaderMap, name: &str, value: Bytes) -> Result<(), MalformedResponse> {
    let malformed = |what: &str| {
        let name: String = name.chars().take(64).flat_map(char::escape_default).collect();
        MalformedResponse(format!("{what} of header field `{name}` is not legal HTTP"))
    };
    let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| malformed("the name"))?;
    let value = HeaderValue::from_maybe_shared(value).map_err(|_| malformed("the value"))?;
    if key == CONTENT_LENGTH || about_connection(key.as_str()) {
        return Ok(());
    }
    match header.try_append(key, value) {
        Ok(_) => Ok(()),
        Err(_) => Err(MalformedResponse("it has too many header fields".to_owned())),
    }
}

fn take_str<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let (text, after) = rmp::decode::read_str_from_slice(*rest).ok()?;
    *rest = after;
    Some(text)
}

fn read_tolerant(
    reply: &Bytes,
    header: &mut HeaderMap,
) -> Result<DecodedResponse, MalformedResponse> {
    let response: Response =
        wire::decode(reply).map_err(|error| MalformedResponse(error.message().to_owned()))?;
    for (name, value) in response.header.0 {
        append(header, &name, value.into())?;
    }
    let status = status_of(response.status_code)?;
    Ok(DecodedResponse { status, body: Bytes::from(response.body.into_vec()) })
}

fn status_of(code: u32) -> Result<StatusCode, MalformedResponse> {
    // 1xx is no response: a server sends 100 by itself and switches no protocols.
    let status = u16::try_from(code).ok().filter(|code| (200..=599).contains(code));
    status
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or_else(|| MalformedResponse(format!("its status {code} is not from 200 to 599")))
}

/// Fields that belong to one connection, not to the message (RFC 9110 section 7.6.1).
fn about_connection(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

fn text_of(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

#[cfg(test)]
mod tests;
